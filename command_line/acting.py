"""`flask dsr acting|recover`: somebody acts for another, or lost the mailbox that the records carry."""

from __future__ import annotations

import click

from command_line.common import explained, get_desk
from command_line.requests import dsr
from dsr import acting, requests


def _check(reference: str, who: str, address: str, evidence: tuple[str, ...], agent: str) -> None:
    desk, known = get_desk(), requests.normalise_reference(reference)
    with desk.db.write() as conn:
        said = acting.check(desk, conn, agent, known, who, address, evidence)
    click.echo(f"{known}: {said}")


@dsr.command("acting")
@click.argument("reference")
@click.argument("who", type=click.Choice(["lawyer", "parent", "heir"]))
@click.argument("address")
@click.option("--evidence", multiple=True, required=True, help="A kind of dsr/proof.toml that you have looked at.")
@click.option("--as", "agent", default="operator", help="Who looked.")
@explained
def dsr_acting(reference: str, who: str, address: str, evidence: tuple[str, ...], agent: str) -> None:
    """You have looked at the evidence of somebody who acts for the person; another agent approves."""
    _check(reference, who, address, evidence, agent)


@dsr.command("recover")
@click.argument("reference")
@click.argument("address")
@click.option("--evidence", multiple=True, required=True, help="A kind of dsr/proof.toml that you have looked at.")
@click.option("--as", "agent", default="operator", help="Who looked.")
@explained
def dsr_recover(reference: str, address: str, evidence: tuple[str, ...], agent: str) -> None:
    """The person lost the mailbox: other proofs, a notice to the old address, a waiting time, another agent."""
    _check(reference, "owner", address, evidence, agent)
