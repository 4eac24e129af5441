"""`flask register|report`: what the controller shows to prove that the law is kept (GDPR Art. 5(2), 30)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from command_line.common import as_json, get_desk
from dsr import register as registers
from dsr import report as reports
from pages import sheets

as_file = click.option(
    "--html", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML document for print."
)


@click.command("register")
@with_appcontext
@as_file
@as_json
def register(file: Path | None, json_: bool) -> None:
    """The register of processing (Art. 30(1)), from policy.toml; what nobody has decided is shown as unset."""
    desk = get_desk()
    made = registers.register(desk.policy, current_app.extensions["supports"], desk.now())
    if file:
        _write(file, sheets.render("register.html", "Register of processing activities", r=made))
    if json_:
        click.echo(json.dumps(made, indent=2, ensure_ascii=False))
    elif not file:
        for part in ("activities", "recipients", "retention"):
            click.echo(f"{part}: {len(made[part])}")
        click.echo(f"unset: {', '.join(made['unset']) or 'nothing'}")


@click.command("report")
@with_appcontext
@click.option("--from", "first", required=True, type=click.DateTime(["%Y-%m-%d"]), help="First day of receipt.")
@click.option("--to", "last", required=True, type=click.DateTime(["%Y-%m-%d"]), help="Last day of receipt.")
@as_file
@as_json
def report(first: datetime, last: datetime, file: Path | None, json_: bool) -> None:
    """How the requests of a period were answered, in numbers; with --html as charts and tables."""
    desk = get_desk()
    try:
        found = reports.report(desk, first.date(), last.date())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if file:
        _write(file, sheets.report(found, desk.policy.controller.name))
    if json_:
        click.echo(json.dumps(found.to_json(), indent=2))
    elif not file:
        for name, value in found.to_json().items():
            click.echo(f"{name.replace('_', ' ')}: {_line(value)}")


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_line(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


def _write(file: Path, html: str) -> None:
    file.write_text(html, encoding="utf-8")
    click.echo(f"written to {file.name}", err=True)
