"""Replies, notes and mails: written in the transaction that causes them, sent afterwards in order, once each.

A lane (a conversation, a person's mails, the agents' channel) is sent one row after the other. A row is leased
before it is sent; a row whose lease ran out may or may not have arrived, so the sender asks the channel first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from dsr import by_mail
from dsr.desk import Desk
from dsr.messages import ConversationRef, Mail, Reply
from dsr.store.tables import outgoing

LEASE = timedelta(seconds=90)  # longer than any one call may take
TRIES = 10
AGENTS_LANE = "agents"


def reply(
    desk: Desk,
    conn: sa.Connection,
    ref: ConversationRef,
    conversation_id: str,
    key_id: str,
    message: Reply,
    key: str,
    reference: str | None = None,
) -> None:
    """Say something to the customer; where the channel is answered by mail, by a mail in the thread.

    Args:
        key: idempotency key, the same whenever the same cause is handled again.
    """
    if ref.channel in desk.by_mail:
        # Without an address nobody can be answered.
        if ref.person and (known := by_mail.allowed_key(desk, conn, ref, conversation_id, key)):
            letter = by_mail.answer(desk, ref, conversation_id, message.text, message.language)
            mail(desk, conn, key_id, letter, known, reference)
        return
    body = {"ref": asdict(ref), **asdict(message)}
    _put(desk, conn, f"conversation:{conversation_id}", "reply", ref.channel, key_id, body, key, reference)


def note(
    desk: Desk, conn: sa.Connection, ref: ConversationRef, conversation_id: str, key_id: str, text: str, key: str
) -> None:
    """Tell the agents something inside the conversation."""
    if ref.channel in desk.by_mail:
        mail(desk, conn, key_id, by_mail.note(desk, ref, text), key)
        return
    body = {"ref": asdict(ref), "text": text}
    _put(desk, conn, f"conversation:{conversation_id}", "note", ref.channel, key_id, body, key, None)


def mail(desk: Desk, conn: sa.Connection, key_id: str, message: Mail, key: str, reference: str | None = None) -> None:
    _put(desk, conn, by_mail.lane(desk, message.to), "mail", "mail", key_id, asdict(message), key, reference)


def tell_agents(desk: Desk, conn: sa.Connection, key_id: str, text: str, key: str, reference: str | None) -> None:
    """Post in the agents' channel, if there is one; without personal data."""
    if "slack" in desk.channels:
        _put(desk, conn, AGENTS_LANE, "agents", "slack", key_id, {"text": text}, key, reference)


def respond(desk: Desk, conn: sa.Connection, key_id: str, url: str, text: str, key: str) -> None:
    """Answer an agent's command at the response URL that came with it."""
    _put(desk, conn, f"respond:{key}"[:80], "respond", "slack", key_id, {"url": url, "text": text}, key, None)


def is_new(conn: sa.Connection, key: str) -> bool:
    """Has nothing been written under this key yet?"""
    return conn.execute(sa.select(outgoing.c.id).where(outgoing.c.key == key)).first() is None


def _put(
    desk: Desk,
    conn: sa.Connection,
    lane: str,
    kind: str,
    channel: str,
    key_id: str,
    body: Mapping[str, Any],
    key: str,
    reference: str | None,
) -> None:
    if not is_new(conn, key):
        return  # the cause is handled a second time
    now = desk.now()
    conn.execute(
        outgoing.insert().values(
            key=key,
            lane=lane,
            kind=kind,
            channel=channel,
            key_id=key_id,
            body_enc=desk.vault.seal(conn, key_id, body),
            reference=reference,
            created_at=now,
            next_at=now,
        )
    )
    desk.tasks.deliver(conn, lane)


@dataclass(frozen=True)
class Leased:
    """A row that this worker may send now.

    Args:
        again: an earlier try may have arrived: look first.
    """

    id: int
    key: str
    kind: str
    channel: str
    body: dict[str, Any]
    reference: str | None
    attempts: int
    again: bool


def lease_next(desk: Desk, worker: str, lane: str) -> Leased | float | None:
    """The oldest unsent row of a lane, leased; or the seconds until it may be tried; or None: nothing, or busy."""
    o = outgoing.c
    with desk.db.write() as conn:
        now = desk.now()
        row = conn.execute(
            sa.select(outgoing)
            .where(o.lane == lane, o.sent_at.is_(None), o.failed_at.is_(None))
            .order_by(o.id)
            .limit(1)
            .with_for_update()
        ).first()
        if row is None or (row.leased_until and row.leased_until > now):
            return None
        if row.next_at > now:
            return float((row.next_at - now).total_seconds())
        conn.execute(
            outgoing.update()
            .where(o.id == row.id)
            .values(leased_until=now + LEASE, leased_by=worker, attempts=row.attempts + 1)
        )
        body = desk.vault.open(conn, row.key_id, row.body_enc)
        # `leased_by` is cleared after a clean failure; if it still stands, the fate of that try is unknown.
        return Leased(
            row.id, row.key, row.kind, row.channel, body, row.reference, row.attempts + 1, bool(row.leased_by)
        )


def sent(desk: Desk, row: Leased) -> None:
    with desk.db.write() as conn:
        conn.execute(
            outgoing.update()
            .where(outgoing.c.id == row.id)
            .values(sent_at=desk.now(), leased_until=None, leased_by=None, problem=None)
        )
        if row.reference:
            desk.tasks.advance(conn, row.reference)  # a farewell that has gone out lets the last erasure begin


def not_sent(desk: Desk, row: Leased, problem: str, *, retry: bool, unknown: bool, wait: float | None) -> float | None:
    """Remember a failure; returns the seconds until the next try, None if there is none.

    Args:
        problem: what happened, without personal data.
        unknown: the message may have arrived all the same.
    """
    again = retry and row.attempts < TRIES
    pause = max(wait or 0.0, min(desk.settings.retry_base * 2 ** (row.attempts - 1), 900.0))
    with desk.db.write() as conn:
        now = desk.now()
        conn.execute(
            outgoing.update()
            .where(outgoing.c.id == row.id)
            .values(
                leased_until=None,
                leased_by="unknown" if unknown else None,
                problem=problem,
                next_at=now + timedelta(seconds=pause),
                failed_at=None if again else now,
            )
        )
        if not again and row.reference:
            desk.tasks.advance(conn, row.reference)
    return pause if again else None


def release(desk: Desk, worker: str) -> list[str]:
    """After a restart of a worker: its leases end, and its lanes are returned to be sent."""
    with desk.db.write() as conn:
        o = outgoing.c
        conn.execute(
            outgoing.update()
            .where(o.leased_by == worker, o.sent_at.is_(None))
            .values(leased_until=None, leased_by="unknown")
        )
    return waiting_lanes(desk)


def waiting_lanes(desk: Desk) -> list[str]:
    """Lanes in which something is due."""
    o = outgoing.c
    with desk.db.read() as conn:
        now = desk.now()
        rows = conn.execute(
            sa.select(o.lane)
            .distinct()
            .where(
                o.sent_at.is_(None),
                o.failed_at.is_(None),
                o.next_at <= now,
                sa.or_(o.leased_until.is_(None), o.leased_until < now),
            )
        )
        return [row.lane for row in rows]
