"""Warnings before a request is due, to the agents' channel and the DPO: once for each of the days in `rules.toml`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import deadlines, holds, outgoing, receipts, requests
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.letters import catalogue
from dsr.messages import Mail
from dsr.model import RequestStatus
from dsr.store.tables import requests as requests_table

q = requests_table.c
_LIVING = [str(s) for s in (*requests.OPEN, RequestStatus.PARTIALLY_COMPLETED)]


def warn(desk: Desk) -> list[str]:
    """Warn of every open request whose next moment has come; of several that have passed only the last is said.

    Returns:
        references of the requests that were warned of.
    """
    with desk.db.read() as conn:
        due = sa.select(q.reference).where(q.warn_at <= desk.now(), q.status.in_(_LIVING)).order_by(q.due_at)
        references = conn.execute(due.limit(500)).scalars().all()
    return [reference for reference in references if _warn(desk, reference)]


def _warn(desk: Desk, reference: str) -> bool:
    with desk.db.write() as conn:
        row = conn.execute(sa.select(requests_table).where(q.reference == reference).with_for_update()).one()
        now, zone = desk.now(), ZoneInfo(desk.policy.controller.timezone)
        if row.warn_at is None or row.warn_at > now or row.status not in _LIVING:
            return False
        all_ = deadlines.warnings(cast(Regime, row.regime), row.received_at, row.due_at, zone)
        passed = [at for at in all_ if row.warn_at <= at <= now]
        requests.update(conn, reference, warn_at=next((at for at in all_ if at > now), None))
        if not passed or _only_held(desk, conn, row):
            return False
        _tell(desk, conn, row, passed[-1])
        return True


def _only_held(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> bool:
    """Was the person answered, and only a hold is left? Then no deadline runs any more."""
    steps = receipts.steps(desk, conn, row.reference)
    held = bool(holds.active(desk, conn, row.reference))
    return held and bool(steps) and all(step.settled and not step.by_hand for step in steps)


def _tell(desk: Desk, conn: sa.Connection, row: sa.Row[Any], at: datetime) -> None:
    day = catalogue.due(row.due_at, "en", desk.policy.controller.timezone)
    state = f"{row.right} · {row.status}".replace("_", " ")
    text = (
        f"{row.reference} is due on {day}, in {_span(row.due_at - desk.now(), row.due_at - row.received_at)}: {state}."
    )
    if row.extended_at is None:
        text += f" An extension needs its notice before that: `/privacy extend {row.reference} complexity|number`."
    key = f"warning:{row.reference}:{row.due_at.date().isoformat()}:{at.astimezone(UTC):%Y-%m-%dT%H}"
    outgoing.tell_agents(desk, conn, row.key_id, f":hourglass: {text}", key, row.reference)
    subject = f"Privacy Desk: {row.reference} is due on {day}"
    mail = Mail(desk.policy.dpo.email, subject, text, f"<p>{escape(text)}</p>", "warning")
    outgoing.mail(desk, conn, row.key_id, mail, f"{key}:mail", row.reference)


def _span(left: timedelta, period: timedelta) -> str:
    """Days, or hours of a period of a few days; what has begun counts as whole."""
    unit = "hour" if period < timedelta(days=3) else "day"
    number = -(-left // timedelta(**{f"{unit}s": 1}))
    return f"{number} {unit}{'' if number == 1 else 's'}"
