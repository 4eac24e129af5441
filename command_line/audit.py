"""`flask audit …`: is the record of what was done still what was written, and what does it say of one request?"""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask.cli import AppGroup

from command_line.common import as_json, get_desk
from dsr import anchor
from dsr import audit as audits
from dsr.requests import normalise_reference

audit = AppGroup("audit", help="The tamper-evident record of what was done.")


@audit.command("verify")
@as_json
def verify(json_: bool) -> None:
    """Check every row, the chain and the anchor; exit 1 and name the first bad row if one is not as it was written."""
    desk = get_desk()
    lines = anchor.read(anchor.path(desk.settings))
    good, fault = audits.verify(desk, lines)
    newest = max((line.seq for line in lines), default=0)
    problem = str(fault) if fault else ""
    if not problem and good and not lines:
        problem = "there is no anchor: nobody can tell whether the end was cut off (has the worker ever run?)"
    shown = {"rows": good, "anchored": newest, "row": fault.seq if fault else None, "problem": problem}
    if json_:
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(problem or f"{good} rows are as they were written; anchored up to row {newest}")
    if problem:
        raise click.exceptions.Exit(1)


@audit.command("prove")
@click.argument("reference")
@click.option(
    "--anchor",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lines that the reader has (such as one from the agents' channel); default: this desk's anchor.",
)
def prove(reference: str, file: Path | None) -> None:
    """Print, as JSON, proof of what was recorded of REFERENCE; `script/check-proof` checks it without any key."""
    desk = get_desk()
    if file is None:
        anchor.drop(desk)
    lines = anchor.read(file or anchor.path(desk.settings))
    proof = audits.prove(desk, normalise_reference(reference), lines)
    if not proof["segments"]:
        raise click.ClickException("no anchored row speaks of that request")
    click.echo(json.dumps(proof, indent=2))
