"""`flask dsr extend|refuse|unfreeze`: what a person decides about a request."""

from __future__ import annotations

from collections.abc import Callable

import click
import sqlalchemy as sa

from command_line.common import explained, get_desk
from command_line.requests import dsr
from dsr import agent_decisions, extension, refusal, requests
from dsr.desk import Desk

as_agent = click.option("--as", "agent", default="operator", help="Who acts.")


def _act(reference: str, act: Callable[[Desk, sa.Connection, str], str]) -> None:
    desk, known = get_desk(), requests.normalise_reference(reference)
    with desk.db.write() as conn:
        said = act(desk, conn, known)
    click.echo(said if said.startswith(known) else f"{known}: {said}")


@dsr.command("extend")
@click.argument("reference")
@click.option("--reason", required=True, type=click.Choice(extension.CAUSES), help="Art. 12(3) knows these two.")
@click.option("--note", default="", help="What the person is told besides, in their language.")
@as_agent
@explained
def dsr_extend(reference: str, reason: str, note: str, agent: str) -> None:
    """Extend the deadline once, inside its first period; the notice goes out with it."""
    _act(reference, lambda desk, conn, known: extension.extend(desk, conn, agent, known, reason, note))


@dsr.command("refuse")
@click.argument("reference")
@click.option("--ground", help="As in dsr/grounds.toml, e.g. A12ManifestlyUnfounded.")
@click.option("--reason", default="", help="The facts, for the person, in their language.")
@click.option("--confirm", is_flag=True, help="The second agent agrees; the letter goes out.")
@as_agent
@explained
def dsr_refuse(reference: str, ground: str | None, reason: str, confirm: bool, agent: str) -> None:
    """Propose a refusal, or confirm what another agent proposed (four eyes)."""
    if confirm == bool(ground):
        raise click.UsageError("give --ground and --reason to propose, or --confirm to agree")
    if confirm:
        _act(reference, lambda desk, conn, known: refusal.confirm(desk, conn, agent, known))
    else:
        _act(reference, lambda desk, conn, known: refusal.propose(desk, conn, agent, known, ground or "", reason))


@dsr.command("unfreeze")
@click.argument("reference")
@click.argument("how", type=click.Choice(["continue", "withdraw"]))
@as_agent
@explained
def dsr_unfreeze(reference: str, how: str, agent: str) -> None:
    """After "this was not me": continue by a fresh code, or withdraw."""
    _act(reference, lambda desk, conn, known: agent_decisions.unfreeze(desk, conn, agent, [known, how]))
