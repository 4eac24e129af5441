"""`flask dsr extend|refuse|unfreeze|lift|hold|release|child|forward`: what a person decides about a request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click
import sqlalchemy as sa

from command_line.common import explained, get_desk
from command_line.requests import dsr
from dsr import agent_decisions, children, extension, forwarding, holds, refusal, requests, unrestricting
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
@click.option("--partial", multiple=True, metavar="PROCESSOR[:KIND]", help="Refuse this part alone; may be repeated.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="With --partial: the last day for which it is kept.")
@click.option("--confirm", is_flag=True, help="The second agent agrees; the letter goes out.")
@as_agent
@explained
def dsr_refuse(
    reference: str,
    ground: str | None,
    reason: str,
    partial: tuple[str, ...],
    until: datetime | None,
    confirm: bool,
    agent: str,
) -> None:
    """Propose a refusal, or confirm what another agent proposed (four eyes)."""
    if confirm == bool(ground):
        raise click.UsageError("give --ground and --reason to propose, or --confirm to agree")
    if confirm:
        _act(reference, lambda desk, conn, known: refusal.confirm(desk, conn, agent, known))
    else:
        last = until.date() if until else None
        _act(
            reference,
            lambda desk, conn, known: refusal.propose(desk, conn, agent, known, ground or "", reason, partial, last),
        )


@dsr.command("unfreeze")
@click.argument("reference")
@click.argument("how", type=click.Choice(["continue", "withdraw"]))
@as_agent
@explained
def dsr_unfreeze(reference: str, how: str, agent: str) -> None:
    """After "this was not me": continue by a fresh code, or withdraw."""
    _act(reference, lambda desk, conn, known: agent_decisions.unfreeze(desk, conn, agent, [known, how]))


@dsr.command("lift")
@click.argument("reference")
@as_agent
@explained
def dsr_lift(reference: str, agent: str) -> None:
    """The person wants a restriction lifted that stands: told now, lifted after the notice (Art. 18(3))."""
    _act(reference, lambda desk, conn, known: unrestricting.lift(desk, conn, agent, known))


@dsr.command("hold")
@click.argument("reference")
@click.argument("processor")
@click.option("--ground", required=True, help="As in dsr/grounds.toml, e.g. A17LegalClaims.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day.")
@click.option("--kind", default="", help="One kind of record, as `flask dsr show REF --plan` names it; else all there.")
@click.option("--note", default="", help="The facts, for the person, in their language.")
@as_agent
@explained
def dsr_hold(reference: str, processor: str, ground: str, until: datetime, kind: str, note: str, agent: str) -> None:
    """Exempt records at PROCESSOR from an erasure until a day; then it resumes by itself."""
    _act(
        reference,
        lambda desk, conn, known: holds.place(
            desk, conn, agent, known, processor, ground, until.date(), kind=kind, note=note
        ),
    )


@dsr.command("release")
@click.argument("reference")
@click.argument("processor")
@as_agent
@explained
def dsr_release(reference: str, processor: str, agent: str) -> None:
    """Lift the holds at PROCESSOR; the erasure goes on there."""
    _act(reference, lambda desk, conn, known: holds.release(desk, conn, agent, known, processor))


@dsr.command("child")
@click.argument("reference")
@click.argument("decision", type=click.Choice(list(children.CHECKLIST)))
@as_agent
@explained
def dsr_child(reference: str, decision: str, agent: str) -> None:
    """What becomes of an account reported as a child's; the same from a second agent carries it out."""
    _act(reference, lambda desk, conn, known: children.decide(desk, conn, agent, known, decision))


@dsr.command("forward")
@click.argument("reference")
@click.argument("customer")
@as_agent
@explained
def dsr_forward(reference: str, customer: str, agent: str) -> None:
    """Tell CUSTOMER (an account id), the controller of its lists, of a recipient's request."""
    _act(reference, lambda desk, conn, known: forwarding.by_hand(desk, conn, agent, known, customer))
