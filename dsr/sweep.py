"""The safety net: whatever waits without anybody coming for it is enqueued again. Everything it wakes is idempotent."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dsr import holds, lifting, outgoing, reminders, standing
from dsr.desk import Desk
from dsr.store.tables import messages, requests

FORGOTTEN = timedelta(seconds=60)


def once(desk: Desk) -> None:
    """Warn of what is due; enqueue lanes that are, messages that nobody handled, and requests whose time has come."""
    reminders.warn(desk)
    now = desk.now()
    lanes = outgoing.waiting_lanes(desk)
    with desk.db.read() as conn:
        m, q = messages.c, requests.c
        unhandled = (
            conn.execute(sa.select(m.id).where(m.handled_at.is_(None), m.received_at < now - FORGOTTEN).limit(500))
            .scalars()
            .all()
        )
        due = (
            conn.execute(
                sa.select(q.reference)
                .where(
                    q.wake_at <= now,
                    q.status.in_(
                        [
                            "identity_pending",
                            "cooling_off",
                            "in_progress",
                            "waiting_for_agent",
                            "partially_completed",
                            "completed",
                            *lifting.ENDED,  # if there is a restriction to lift
                        ]
                    ),
                )
                .order_by(q.received_at)
                .limit(500)
            )
            .scalars()
            .all()
        )
        over = holds.over(desk, conn)
    with desk.db.write() as conn:
        for reference in standing.claim(desk, conn):
            desk.tasks.look_again(conn, reference)
        for reference in over:
            desk.tasks.advance(conn, reference)
        for lane in lanes:
            desk.tasks.deliver(conn, lane)
        for message_id in unhandled:
            desk.tasks.message_again(conn, message_id)
        for reference in due:
            conn.execute(requests.update().where(q.reference == reference).values(wake_at=now + timedelta(minutes=10)))
            desk.tasks.advance(conn, reference)


def message_again(desk: Desk, message_id: int, delay: float) -> None:
    """Try a message again after `delay` seconds."""
    with desk.db.write() as conn:
        desk.tasks.message_again(conn, message_id, delay)


def forward_again(desk: Desk, reference: str, account: str, delay: float) -> None:
    """Try again after `delay` seconds to forward a request to a customer."""
    with desk.db.write() as conn:
        desk.tasks.forward(conn, reference, account, delay)
