"""Taking a restriction back: when a request that restricted somebody's data ends unfulfilled, the processors are told.

Which ones is read from the receipts: wherever a restriction was begun, a lift follows; one not yet begun is cancelled.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from dsr import audit, receipts, requests, standing
from dsr.desk import Desk
from dsr.model import Operation, RequestStatus
from dsr.requests import SubjectRequest
from dsr.rules import rule
from dsr.store.tables import receipts as receipts_table
from dsr.store.tables import requests as requests_table

NOTICE = "gdpr-lift-notice"
q, r = requests_table.c, receipts_table.c
ENDED = (RequestStatus.WITHDRAWN, RequestStatus.REFUSED, RequestStatus.EXPIRED)  # without having been carried out


def pushed(conn: sa.Connection, reference: str) -> list[str]:
    """Processors at which a restriction of this request was begun and not taken back."""
    rows = receipts.rows(conn, reference)
    lifted = {row.processor for row in rows if row.operation == str(Operation.LIFT)}
    return [
        row.processor
        for row in rows
        if row.operation == str(Operation.RESTRICT)
        and row.processor not in lifted
        and row.status != "cancelled"
        and (row.status != "pending" or row.attempts)
    ]


def lift(
    desk: Desk,
    conn: sa.Connection,
    reference: str,
    *,
    who: str,
    not_before: datetime | None = None,
    suppressed: bool = False,
    why: str = "",
) -> list[str]:
    """Plan the lift of every restriction that this request has begun, and stop what it has not begun.

    A restriction that is under way at this moment is lifted when its lease is over: then it has ended either way.

    Args:
        not_before: when the lifts begin, if the person is told first (Art. 18(3)).
        suppressed: what stops promotional mail goes on: of an objection it is never taken back (Art. 21(3)).
        why: for the audit; without personal data.

    Returns:
        the processors that are told.
    """
    told = pushed(conn, reference)
    standing.end(desk, conn, requests_table.c.reference == reference)
    now = desk.now()
    due, key = requests_table.c.due_at, requests_table.c.reference == reference
    due_at = conn.execute(sa.select(due).where(key)).scalar_one()
    receipts.plan(desk, conn, reference, [(processor, Operation.LIFT, 1) for processor in told], due_at)
    if not_before:
        lifts_ = (r.reference == reference, r.operation == str(Operation.LIFT), r.status == "pending")
        conn.execute(receipts_table.update().where(*lifts_).values(next_at=not_before))
    leases = {
        row.processor: row.leased_until
        for row in receipts.rows(conn, reference)
        if row.operation == str(Operation.RESTRICT) and row.leased_until and row.leased_until > now
    }
    for processor, until in leases.items():
        lifts = (r.reference == reference, r.processor == processor, r.operation == str(Operation.LIFT))
        conn.execute(receipts_table.update().where(*lifts).values(next_at=max(until, not_before or until)))
    goes_on = [str(op) for op in (Operation.LIFT, *((Operation.SUPPRESS,) if suppressed else ()))]
    open_ = (r.reference == reference, r.operation.not_in(goes_on), r.status.in_(("pending", "in_progress")))
    conn.execute(receipts_table.update().where(*open_).values(status="cancelled", finished_at=now))
    if told:
        conn.execute(requests_table.update().where(key).values(wake_at=now))
        why = "; ".join(filter(None, (why, f"the restriction is taken back at {len(told)} processors")))
        audit.record(desk, conn, who=who, what="restriction.lifted", reference=reference, why=why)
        desk.tasks.advance(conn, reference)
    return told


def after_notice(desk: Desk) -> datetime:
    """When a restriction is lifted of which the person is told now (Art. 18(3))."""
    now = desk.now()
    return now + timedelta(days=rule(NOTICE, now.date()).days)


def ended(conn: sa.Connection, request: SubjectRequest) -> bool:
    """Is its restriction at an end: with the request, or lifted when the person asked (dsr.unrestricting)?"""
    lifts = sa.select(r.processor).where(r.reference == request.reference, r.operation == str(Operation.LIFT))
    return request.status in ENDED or (
        request.right in standing.RIGHTS and conn.execute(lifts.limit(1)).first() is not None
    )


def spare(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> None:
    """Cancel the lifts not begun where another request of the same person restricts: it ends there with that one."""
    stands = sa.or_(q.status.not_in([str(s) for s in requests.ENDED]), q.look_at.is_not(None))
    same = (q.address_hash == request.row.address_hash, q.reference != request.reference, stands)
    others = conn.execute(sa.select(q.reference).where(*same)).scalars().all()
    if restricted := sorted({processor for other in others for processor in pushed(conn, other)}):
        mine = (r.reference == request.reference, r.operation == str(Operation.LIFT), r.processor.in_(restricted))
        waits = (r.status == "pending", r.attempts == 0)
        conn.execute(receipts_table.update().where(*mine, *waits).values(status="cancelled", finished_at=desk.now()))


def under_way(conn: sa.Connection, reference: str) -> bool:
    """Is there a lift, or a suppression that outlives its request, still to be carried out, polled, or done by hand?"""
    query = sa.select(r.processor).where(
        r.reference == reference,
        r.operation.in_([str(Operation.LIFT), str(Operation.SUPPRESS)]),
        r.status.in_(("pending", "in_progress")),
    )
    return conn.execute(query.limit(1)).first() is not None
