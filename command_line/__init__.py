"""`flask …`: the operator's commands. Exit codes: 0 done, 1 refused or a problem, 2 wrong usage."""

from __future__ import annotations

from flask import Flask

from command_line import acting, decisions  # noqa: F401  # adds its commands to `dsr`
from command_line.accountability import register as register_
from command_line.accountability import report
from command_line.audit import audit
from command_line.requests import dsr
from command_line.running import check, db, deadline_, demo, keys, replay, worker
from command_line.unsubscribe import unsubscribe_


def register(app: Flask) -> None:
    """Add every command to the application."""
    for command in (db, dsr, unsubscribe_, worker, check, deadline_, keys, replay, demo, audit, register_, report):
        app.cli.add_command(command)
