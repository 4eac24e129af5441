"""What every command needs: the desk, `--json`, and errors as sentences."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask import current_app

from dsr.desk import Desk
from dsr.errors import ConfigurationError, DsrError

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def get_desk() -> Desk:
    """The desk, or exit 1 with every problem of the settings."""
    if problems := current_app.extensions["problems"]:
        raise click.ClickException("\n".join(["the settings cannot work:", *problems]))
    desk: Desk = current_app.extensions["desk"]
    return desk


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of ours is a sentence and exit code 1, not a traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except (DsrError, ConfigurationError) as error:
            raise click.ClickException(str(error)) from None

    return run
