"""Warnings to the agents' channel and the DPO, as `rules.toml` has them: before a request is due, when it is overdue,
and where the law wants receipt confirmed and nothing has reached the person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import clocks, deadlines, extension, holds, outgoing, receipts, requests
from dsr.deadlines import Regime
from dsr.desk import Desk
from dsr.letters import catalogue
from dsr.messages import Mail
from dsr.model import RequestStatus, Right
from dsr.rules import rule
from dsr.store.tables import outgoing as outgoing_table
from dsr.store.tables import requests as requests_table

q, o = requests_table.c, outgoing_table.c
# 11 CCR § 7021(a): requests to delete, to correct and to know; an opt-out is honoured, not confirmed.
CONFIRMED = frozenset({Right.ERASURE, Right.RECTIFICATION, Right.EXPORT, Right.ACCESS})
CONFIRM_EARLY = timedelta(days=3)  # a weekend leaves one day
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
        due, confirm = _moments(row, now, zone), _confirm_by(desk, row)
        early = [confirm - CONFIRM_EARLY] if confirm else []
        passed, unconfirmed = ([at for at in all_ if row.warn_at <= at <= now] for all_ in (due, early))
        requests.update(conn, reference, warn_at=min(at for at in (*due, *early) if at > now))
        silent = bool(unconfirmed) and not _confirmed(conn, reference)
        near = bool(passed) and not _only_held(desk, conn, row)
        if confirm and silent:
            day = catalogue.due(confirm, "en", str(zone))
            text = f"{reference}: nothing has reached the person yet; receipt is to be confirmed by {day}."
            _send(desk, conn, row, text, f"{reference}: receipt is not confirmed", f"warning:{reference}:confirm")
        if near:
            _tell(desk, conn, row, passed[-1])
        return silent or near


def _moments(row: sa.Row[Any], now: datetime, zone: ZoneInfo) -> list[datetime]:
    """When to warn that a request is due, and from then on that it is overdue; the last one is still to come."""
    week = timedelta(days=rule(f"{row.regime}-overdue", row.received_at.astimezone(zone).date()).days)
    late = max(0, (now - row.due_at) // week + 1)
    before = deadlines.warnings(cast(Regime, row.regime), row.received_at, row.due_at, zone)
    return [*before, *(row.due_at + n * week for n in range(late + 1))]


def _confirm_by(desk: Desk, row: sa.Row[Any]) -> datetime | None:
    """Until when the law wants receipt confirmed; None where that is a house rule, or the right needs none."""
    limit = clocks.of(desk.policy, row)
    law = not rule(f"{row.regime}-acknowledge", limit.receipt_day).house
    return limit.acknowledge_by if law and row.right in CONFIRMED else None


def _confirmed(conn: sa.Connection, reference: str) -> bool:
    """Has anything about the request reached the person? A mailed code says that it was received."""
    ours = sa.or_(o.key.like("warning:%"), o.key.like("controller:%"))
    sent = sa.select(o.id).where(o.reference == reference, o.kind.in_(["mail", "reply"]), o.sent_at.is_not(None), ~ours)
    return conn.execute(sent.limit(1)).first() is not None


def _only_held(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> bool:
    """Was the person answered, and only a hold is left? Then no deadline runs any more."""
    steps = receipts.steps(desk, conn, row.reference)
    held = bool(holds.active(desk, conn, row.reference))
    return held and bool(steps) and all(step.settled and not step.by_hand for step in steps)


def _tell(desk: Desk, conn: sa.Connection, row: sa.Row[Any], at: datetime) -> None:
    day = catalogue.due(row.due_at, "en", desk.policy.controller.timezone)
    state = f"{row.right} · {row.status}".replace("_", " ")
    left, period = row.due_at - desk.now(), row.due_at - row.received_at
    if left > timedelta():
        said = f"is due on {day}"
        text = f"{row.reference} {said}, in {_span(left, period)}: {state}."
    else:
        said = f"was due on {day}"
        text = f"{row.reference} {said} and is overdue: {state}. Answer it, and tell the person why it is late."
    if extension.possible(desk, row):
        text += f" An extension needs its notice before that: `/privacy extend {row.reference} complexity|number`."
    key = f"warning:{row.reference}:{row.due_at.date().isoformat()}:{at.astimezone(UTC):%Y-%m-%dT%H}"
    _send(desk, conn, row, text, f"{row.reference} {said}", key)


def _send(desk: Desk, conn: sa.Connection, row: sa.Row[Any], text: str, subject: str, key: str) -> None:
    outgoing.tell_agents(desk, conn, row.key_id, f":hourglass: {text}", key, row.reference)
    mail = Mail(desk.policy.dpo.email, f"Privacy Desk: {subject}", text, f"<p>{escape(text)}</p>", "warning")
    outgoing.mail(desk, conn, row.key_id, mail, f"{key}:mail", row.reference)


def _span(left: timedelta, period: timedelta) -> str:
    """Days, or hours of a period of a few days; what has begun counts as whole."""
    unit = "hour" if period < timedelta(days=3) else "day"
    number = -(-left // timedelta(**{f"{unit}s": 1}))
    return f"{number} {unit}{'' if number == 1 else 's'}"
