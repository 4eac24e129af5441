"""`flask …`: the operator's commands. Exit codes: 0 done, 1 refused or a problem, 2 wrong usage."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from rich.console import Console
from rich.table import Table

from dsr import commands, deadlines, inbox, receipts, requests, suppression
from dsr.desk import Desk
from dsr.errors import ConfigurationError, DsrError, VendorError
from dsr.store.migrate import upgrade
from dsr.store.tables import quarantine
from dsr.store.tables import requests as requests_table

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def register(app: Flask) -> None:
    """Add every command to the application."""
    from command_line_audit import audit

    for command in (db, dsr, unsubscribe_, worker, check, deadline_, keys, replay, demo, audit):
        app.cli.add_command(command)


def _desk() -> Desk:
    """The desk, or exit 1 with every problem of the settings."""
    if problems := current_app.extensions["problems"]:
        raise click.ClickException("\n".join(["the settings cannot work:", *problems]))
    desk: Desk = current_app.extensions["desk"]
    return desk


def _explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """An error of ours is a sentence and exit code 1, not a traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except (DsrError, ConfigurationError) as error:
            raise click.ClickException(str(error)) from None

    return run


db = AppGroup("db", help="The database.")


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the present shape; safe to run again."""
    upgrade(_desk().db.engine)
    click.echo("the database is up to date")


@click.command("keys")
@with_appcontext
@as_json
def keys(json_: bool) -> None:
    """Print fresh secrets for a new installation; nothing is written."""
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATA_KEYS": Fernet.generate_key().decode(),
        "HASH_KEY": secrets.token_urlsafe(48),
        "AUDIT_KEY": secrets.token_urlsafe(48),
    }
    click.echo(json.dumps(fresh) if json_ else "\n".join(f"{name}={value}" for name, value in fresh.items()))


@click.command("deadline")
@with_appcontext
@click.argument("received")
@click.option("--country", default=None, help="ISO 3166-1 alpha-2; default: the controller's.")
@as_json
def deadline_(received: str, country: str | None, json_: bool) -> None:
    """Show when a request RECEIVED at this moment (ISO 8601) is due, and why."""
    from dsr import policy as policies

    controller = policies.load(Path(current_app.root_path) / "policy.toml").controller
    try:
        moment = deadlines.parse_received(received, controller.timezone)
        found = deadlines.deadline(moment, country=country or controller.country, timezone=controller.timezone)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    shown = deadlines.to_json(found)
    if json_:
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"received {shown['received']}")
    click.echo(f"due      {shown['due']}")
    click.echo(f"extended {shown['extended_due']} (only with notice inside month one)")
    for step in found.derivation:
        click.echo(f"  {step.date.isoformat()}  {step.text} ({step.article})")


@click.command("check")
@with_appcontext
@click.option("--offline", is_flag=True, help="Do not try the credentials.")
@as_json
def check(offline: bool, json_: bool) -> None:
    """Name every missing or wrong setting at once, what the policy leaves open, and try each credential."""
    problems = list(current_app.extensions["problems"])
    notes: list[str] = []
    if not problems:
        connections, desk = current_app.extensions["connections"], current_app.extensions["desk"]
        notes += [f"policy.toml leaves open: {place}" for place in desk.policy.unset()]
        notes += [f"{label} is not connected: every step there is a manual task" for label in connections.off]
        if connections.mailer is None:
            problems.append("MAILGUN_API_KEY or SMTP_URL: no way to send mail; codes and certificates cannot go out")
        if not connections.channels:
            problems.append("no channel is configured: nobody can reach this desk")
        if not offline:
            for name, part in {**connections.processors, **connections.channels}.items():
                try:
                    part.check()
                except VendorError as error:
                    problems.append(f"{name}: {error.what}")
    if json_:
        click.echo(json.dumps({"problems": problems, "notes": notes}, indent=2))
    else:
        for line in [*(f"problem: {p}" for p in problems), *(f"note: {n}" for n in notes)] or ["all is well"]:
            click.echo(line)
    if problems:
        raise click.exceptions.Exit(1)


@click.command("worker")
@with_appcontext
@click.option("--id", "id_", default=None, help="Stable name of this worker; default: the host's name.")
def worker(id_: str | None) -> None:
    """Run the durable work: turns, requests, replies, mails."""
    from workflows import engine
    from workflows.context import Worker

    desk = _desk()
    running = Worker(id_ or socket.gethostname(), desk, current_app.extensions["connections"])
    engine.start(running, engine.own_engine(desk.settings))
    engine.run_forever(running)


@click.command("demo")
@with_appcontext
@click.option("--port", default=8000, show_default=True, envvar="PORT")
@click.option("--reset", is_flag=True, help="Start anew.")
def demo(port: int, reset: bool) -> None:
    """Run the playground: app, worker and a twin of every vendor on this machine."""
    from demo.run import run

    run(port=port, reset=reset)


@click.command("replay")
@with_appcontext
@click.argument("quarantined", type=int, required=False)
@as_json
def replay(quarantined: int | None, json_: bool) -> None:
    """List quarantined deliveries, or hand number QUARANTINED to its channel again (after the parser was mended)."""
    desk = _desk()
    if quarantined is None:
        with desk.db.read() as conn:
            rows = conn.execute(sa.select(quarantine).order_by(quarantine.c.id)).all()
        shown = [
            {"id": r.id, "channel": r.channel, "reason": r.reason, "received": r.received_at.isoformat()} for r in rows
        ]
        click.echo(
            json.dumps(shown, indent=2) if json_ else "\n".join(str(s) for s in shown) or "nothing in quarantine"
        )
        return
    from dsr.messages import Delivery

    with desk.db.read() as conn:
        row = conn.execute(sa.select(quarantine).where(quarantine.c.id == quarantined)).first()
        if row is None:
            raise click.ClickException(f"no quarantined delivery {quarantined}")
        body = desk.vault.open(conn, row.key_id, row.body_enc).encode()
    channel = current_app.extensions["channels"][row.channel]
    try:
        happened = channel.parse(Delivery("POST", "", {}, {}, body, {}, row.received_at))
    except Exception as error:
        raise click.ClickException(f"still not understood ({type(error).__name__})") from None
    new = inbox.store(desk, row.channel, happened)
    with desk.db.write() as conn:
        conn.execute(quarantine.delete().where(quarantine.c.id == quarantined))
    click.echo(f"{new} new event(s)")


unsubscribe_ = AppGroup("unsubscribe", help="One-click unsubscribe for the company's own mailer.")


@unsubscribe_.command("headers")
@click.argument("address")
@click.argument("list_name")
@as_json
def unsubscribe_headers(address: str, list_name: str, json_: bool) -> None:
    """Print the two headers (RFC 8058) for a mail to ADDRESS of the list LIST_NAME."""
    from dsr.addresses import normalise

    desk = _desk()
    if not (known := normalise(address)):
        raise click.UsageError("that is not an e-mail address that we can use")
    headers = suppression.list_unsubscribe_headers(desk, known, list_name)
    click.echo(json.dumps(headers, indent=2) if json_ else "\n".join(f"{k}: {v}" for k, v in headers.items()))


dsr = AppGroup("dsr", help="Requests of data subjects.")


@dsr.command("list")
@as_json
def dsr_list(json_: bool) -> None:
    """Open requests, the most urgent first."""
    desk = _desk()
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
@_explained
def dsr_show(reference: str, plan: bool, reveal: bool, json_: bool) -> None:
    """One request with its steps."""
    desk = _desk()
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
        "derivation": commands.derivation(request)["derivation"],
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
        shown["plan"] = _plan(request)
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
        click.echo(f"  {line['processor']}: {line['holds']}")


def _plan(request: requests.SubjectRequest) -> list[dict[str, Any]]:
    found = []
    for name, processor in current_app.extensions["connections"].processors.items():
        try:
            findings = processor.find(request.identities)
            holds: Any = findings.unknowable or dict(findings.held)
        except VendorError as error:
            holds = f"did not answer: {error.what}"
        found.append({"processor": name, "holds": holds})
    return found


@dsr.command("open")
@click.argument("address")
@click.argument("right")
@click.option("--as", "agent", default="operator", help="Who opens it.")
@_explained
def dsr_open(address: str, right: str, agent: str) -> None:
    """Open a request for ADDRESS; proof is asked from that person by mail."""
    desk = _desk()
    with desk.db.write() as conn:
        click.echo(commands.open_by_agent(desk, conn, agent, address, right))


@dsr.command("rectify")
@click.argument("reference")
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.option("--as", "agent", default="operator", help="Who acts.")
@_explained
def dsr_rectify(reference: str, changes: tuple[str, ...], agent: str) -> None:
    """Enter what a proved person wants corrected, e.g. name="Maria Ionescu"; every processor is told."""
    if not all("=" in change for change in changes):
        raise click.UsageError('give each change as FIELD=VALUE, e.g. name="Maria Ionescu"')
    desk, known = _desk(), requests.normalise_reference(reference)
    with desk.db.write() as conn:
        commands.rectify(desk, conn, agent, known, dict(change.split("=", 1) for change in changes))
    click.echo(f"{known}: being corrected at every processor")


def _agent_command(verb: str) -> None:
    @dsr.command(verb, help=f"{verb.capitalize()} a request.")
    @click.argument("reference")
    @click.option("--as", "agent", default="operator", help="Who acts.")
    @_explained
    def act(reference: str, agent: str) -> None:
        desk = _desk()
        with desk.db.write() as conn:
            known = requests.normalise_reference(reference)
            if verb == "approve":
                click.echo(commands.approve(desk, conn, agent, known))
            else:
                commands.withdraw(desk, conn, f"agent:{agent}", known, "withdrawn on the command line")
                click.echo(f"{known} is withdrawn")


_agent_command("approve")
_agent_command("withdraw")
