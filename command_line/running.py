"""`flask db|keys|deadline|check|worker|demo|replay`: what keeps an installation running."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path
from typing import get_args

import click
import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from command_line.common import as_json, get_desk
from dsr import deadlines, inbox
from dsr import policy as policies
from dsr.errors import VendorError
from dsr.messages import Delivery
from dsr.store.migrate import upgrade
from dsr.store.tables import quarantine
from integrations.registry import unknown_processors, unnamed_vendors
from integrations.webhooks import read_form

db = AppGroup("db", help="The database.")


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the present shape; safe to run again."""
    upgrade(get_desk().db.engine)
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
        "API_TOKENS": secrets.token_urlsafe(48),
    }
    click.echo(json.dumps(fresh) if json_ else "\n".join(f"{name}={value}" for name, value in fresh.items()))


@click.command("deadline")
@with_appcontext
@click.argument("received")
@click.option("--country", default=None, help="ISO 3166-1 alpha-2; default: the controller's.")
@click.option("--regime", type=click.Choice(get_args(deadlines.Regime)), default="gdpr", show_default=True)
@click.option("--identity-asked", default="", metavar="MOMENT", help="When proof of identity was asked for.")
@click.option("--identity-proved", default="", metavar="MOMENT", help="When it was given.")
@as_json
def deadline_(
    received: str,
    country: str | None,
    regime: deadlines.Regime,
    identity_asked: str,
    identity_proved: str,
    json_: bool,
) -> None:
    """Show when a request RECEIVED at this moment (ISO 8601) is due, and why."""
    controller = policies.load(Path(current_app.root_path) / "policy.toml").controller
    try:
        moment = deadlines.parse_received(received, controller.timezone)
        asked, proved = (
            deadlines.parse_received(m, controller.timezone) if m else None for m in (identity_asked, identity_proved)
        )
        found = deadlines.deadline(
            moment,
            country=country or controller.country,
            timezone=controller.timezone,
            regime=regime,
            identity_requested_at=asked,
            identity_proved_at=proved,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    shown = deadlines.to_json(found)
    if json_:
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"received {shown['received']}")
    click.echo(f"due      {shown['due']}")
    if found.suspended_due:
        click.echo(f"         {shown['suspended_due']} if waiting for proof suspends the period (disputed)")
        click.echo(f"act by   {shown['act_by']}")
    click.echo(f"extended {shown['extended_due']} (only with notice inside the first period)")
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
        problems += [
            f"policy.toml names the processor {name}, and no connector stands for it (integrations/{name}): "
            "nobody has said what can be done there"
            for name in unknown_processors(desk.policy)
        ]
        notes += [
            f"policy.toml does not name {name}: its connector is never used" for name in unnamed_vendors(desk.policy)
        ]
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

    desk = get_desk()
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
    desk = get_desk()
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
    with desk.db.read() as conn:
        row = conn.execute(sa.select(quarantine).where(quarantine.c.id == quarantined)).first()
        if row is None:
            raise click.ClickException(f"no quarantined delivery {quarantined}")
        content_type, body = inbox.from_quarantine(desk, conn, row)
    channel = current_app.extensions["channels"][row.channel]
    try:
        headers, form = {"content-type": content_type}, read_form(body, content_type)
        happened = channel.parse(Delivery("POST", "", headers, {}, body, form, row.received_at))
    except Exception as error:
        raise click.ClickException(f"still not understood ({type(error).__name__})") from None
    new = inbox.store(desk, row.channel, happened)
    with desk.db.write() as conn:
        conn.execute(quarantine.delete().where(quarantine.c.id == quarantined))
    click.echo(f"{new} new event(s)")
