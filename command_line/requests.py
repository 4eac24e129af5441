"""`flask dsr …`: requests of data subjects."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, get_args

import click
import sqlalchemy as sa
from flask import current_app
from flask.cli import AppGroup
from rich.console import Console
from rich.table import Table

from command_line.common import as_json, explained, get_desk
from dsr import clocks, commands, deadlines, opening, receipts, requests
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.store.tables import requests as requests_table
from integrations import dry_run

dsr = AppGroup("dsr", help="Requests of data subjects.")


@dsr.command("list")
@as_json
def dsr_list(json_: bool) -> None:
    """Open requests, the most urgent first."""
    desk = get_desk()
    open_ = [str(s) for s in requests.OPEN] + ["partially_completed"]
    with desk.db.read() as conn:
        rows = conn.execute(
            sa.select(requests_table).where(requests_table.c.status.in_(open_)).order_by(requests_table.c.due_at)
        ).all()
    shown = [
        {
            "reference": r.reference,
            "right": r.right,
            "status": r.status,
            "who": r.address_masked,
            "channel": r.channel,
            "due": r.due_at.isoformat(),
        }
        for r in rows
    ]
    if json_:
        click.echo(json.dumps(shown, indent=2))
        return
    table = Table("reference", "right", "status", "who", "channel", "due")
    for line in shown:
        table.add_row(*line.values())
    Console().print(table if shown else "no open requests")


@dsr.command("show")
@click.argument("reference")
@click.option("--plan", is_flag=True, help="Dry run: ask every processor what it holds and would lose, in counts.")
@click.option("--reveal", is_flag=True, help="Show the address, for a person who carries out a manual task.")
@as_json
@explained
def dsr_show(reference: str, plan: bool, reveal: bool, json_: bool) -> None:
    """One request with its steps."""
    desk = get_desk()
    with desk.db.read() as conn:
        request = requests.get(desk, conn, requests.normalise_reference(reference))
        steps = receipts.rows(conn, request.reference)
    shown: dict[str, Any] = {
        "reference": request.reference,
        "right": str(request.right),
        "status": str(request.status),
        "who": request.address if reveal else request.row.address_masked,
        "received": request.row.received_at.isoformat(),
        "due": request.row.due_at.isoformat(),
        "regime": request.row.regime,
        "clocks": _clocks(desk, request),
        "derivation": clocks.derivation(desk.policy, request.row),
        "steps": [
            {
                "processor": s.processor,
                "operation": s.operation,
                "status": s.status,
                "outcome": s.outcome,
                "verdict": s.verdict,
                "counts": json.loads(s.counts),
                "note": s.note,
                "problem": s.problem,
            }
            for s in steps
        ],
    }
    if plan:
        processors = current_app.extensions["connections"].processors
        shown["plan"] = [asdict(held) for held in dry_run.look(processors, request.identities)]
    if json_:
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"{shown['reference']} {shown['right']} {shown['status']} · {shown['who']} · due {shown['due']}")
    table = Table("processor", "operation", "state", "counts", "note")
    for s in shown["steps"]:
        table.add_row(
            s["processor"],
            s["operation"],
            s["verdict"] or f"{s['outcome'] or ''} {s['status']}",
            str(s["counts"]),
            s["problem"] or s["note"],
        )
    Console().print(table)
    for line in shown.get("plan", []):
        click.echo(f"  {dry_run.Held(**line)}")


def _clocks(desk: Desk, request: requests.SubjectRequest) -> dict[str, Any]:
    """The hard date and the one with suspension while proof was awaited; the earlier one is acted by."""
    shown = deadlines.to_json(clocks.of(desk.policy, request.row))
    return {name: shown[name] for name in ("due", "suspended_due", "waiting_since", "act_by", "acknowledge_by")}


@dsr.command("open")
@click.argument("address")
@click.argument("right")
@click.option(
    "--regime", type=click.Choice(get_args(Regime)), default="gdpr", show_default=True, help="Whose deadlines."
)
@click.option("--received", default="", help="Day (2026-11-20) or moment of receipt, if it was before now.")
@click.option("--as", "agent", default="operator", help="Who opens it.")
@explained
def dsr_open(address: str, right: str, regime: str, received: str, agent: str) -> None:
    """Open a request for ADDRESS; proof is asked from that person by mail."""
    desk = get_desk()
    with desk.db.write() as conn:
        click.echo(opening.open_by_agent(desk, conn, agent, address, right, regime, received))


@dsr.command("rectify")
@click.argument("reference")
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.option("--as", "agent", default="operator", help="Who acts.")
@explained
def dsr_rectify(reference: str, changes: tuple[str, ...], agent: str) -> None:
    """Enter what a proved person wants corrected, e.g. name="Maria Ionescu"; every processor is told."""
    if not all("=" in change for change in changes):
        raise click.UsageError('give each change as FIELD=VALUE, e.g. name="Maria Ionescu"')
    desk, known = get_desk(), requests.normalise_reference(reference)
    with desk.db.write() as conn:
        commands.rectify(desk, conn, agent, known, dict(change.split("=", 1) for change in changes))
    click.echo(f"{known}: being corrected at every processor")


def _agent_command(verb: str) -> None:
    @dsr.command(verb, help=f"{verb.capitalize()} a request.")
    @click.argument("reference")
    @click.option("--as", "agent", default="operator", help="Who acts.")
    @explained
    def act(reference: str, agent: str) -> None:
        desk = get_desk()
        with desk.db.write() as conn:
            known = requests.normalise_reference(reference)
            if verb == "approve":
                click.echo(commands.approve(desk, conn, agent, known))
            else:
                commands.withdraw(desk, conn, f"agent:{agent}", known, "withdrawn on the command line")
                click.echo(f"{known} is withdrawn")


_agent_command("approve")
_agent_command("withdraw")
