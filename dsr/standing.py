"""A restriction or objection that stands is asked after again on a schedule (Art. 18, 21, 25).

It goes on after its request is completed, so what is needed to find the person goes on too: address and identifiers
stay, encrypted with the person's key, until the restriction is lifted or the person erased. Only of a proved request;
of one that is not, the suppression stands as a keyed hash alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import alarm, audit, receipts
from dsr.desk import Desk
from dsr.model import Operation, RequestStatus, Right
from dsr.requests import SubjectRequest
from dsr.rules import rule
from dsr.store.tables import receipts as receipts_table
from dsr.store.tables import requests

RULE = "gdpr-standing"
RIGHTS = (Right.OBJECTION, Right.RESTRICTION)
STATUSES = (RequestStatus.COMPLETED, RequestStatus.PARTIALLY_COMPLETED)
OPERATIONS = (str(Operation.RESTRICT), str(Operation.SUPPRESS))
AGAIN = timedelta(days=1)  # where somebody did not answer, and should a look be lost
CHUNK = 500
q, r = requests.c, receipts_table.c


def next_look(now: datetime) -> datetime:
    return now + timedelta(days=rule(RULE, now.date()).days)


def begins(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> bool:
    """From now on it is asked after, if it is of that kind; True if the person must stay known for that."""
    if request.right not in RIGHTS or not request.verified or not request.address:
        return False
    first = next_look(desk.now())
    look_at = sa.func.coalesce(q.look_at, sa.bindparam("first", first, type_=q.look_at.type))
    conn.execute(requests.update().where(q.reference == request.reference).values(look_at=look_at))
    return True


def end(desk: Desk, conn: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """It stands no longer (lifted, or the person is erased): what was kept for it goes with the next settling."""
    conn.execute(requests.update().where(which, q.look_at.is_not(None)).values(look_at=None, wake_at=desk.now()))


def claim(desk: Desk, conn: sa.Connection) -> Sequence[str]:
    """References whose look is due; each is claimed for a day, so that nobody else takes it."""
    due = sa.select(q.reference).where(q.look_at <= desk.now(), q.status.in_([str(s) for s in STATUSES]))
    claimed = requests.update().where(q.reference.in_(due.order_by(q.look_at).limit(CHUNK)))
    return conn.execute(claimed.values(look_at=desk.now() + AGAIN).returning(q.reference)).scalars().all()


def steps(conn: sa.Connection, reference: str) -> list[sa.Row[Any]]:
    """What was restricted or suppressed and is not with a person at the moment."""
    return [x for x in receipts.rows(conn, reference) if x.operation in OPERATIONS and x.status == "completed"]


def looked(desk: Desk, reference: str, seen: dict[str, int], *, all_answered: bool) -> None:
    """Write down a look.

    Args:
        seen: how many processors: `stands`, `fell`, `cannot be asked`, `did not answer`.
    """
    now = desk.now()
    with desk.db.write() as conn:
        if all_answered:
            still = (q.reference == reference, q.look_at.is_not(None))
            conn.execute(requests.update().where(*still).values(look_at=next_look(now)))
        audit.record(desk, conn, who="desk", what="standing.asked", reference=reference, why="", details=seen)


def fell(desk: Desk, reference: str, row: sa.Row[Any], label: str, now_: str, instructions: str = "") -> None:
    """What stood does not: DPO and agents are told, and it is a task where a person must set it again.

    Args:
        now_: what became of it: `set again`, `with a person`, or `not yet`.
        instructions: for `with a person`: what is to be done.
    """
    what = {"restrict": "The restriction", "suppress": "The suppression"}[row.operation]
    task = f"{reference} {row.processor} {row.operation}"
    became = {
        "set again": "It was set again.",
        "with a person": f"A person must set it again, then say `/privacy done {task}`.",
        "not yet": "It could not be set again yet; the desk tries again tomorrow.",
    }[now_]
    cause = f"fell:{reference}:{row.processor}:{row.operation}:{desk.now().date().isoformat()}"
    with desk.db.write() as conn:
        if instructions:
            values = {"status": "in_progress", "outcome": "manual", "verdict": None, "note": instructions}
            one = (r.reference == reference, r.processor == row.processor, r.operation == row.operation)
            conn.execute(receipts_table.update().where(*one).values(**values))
        why = f"{row.operation} at {row.processor} no longer stood: {now_}"
        audit.record(desk, conn, who="desk", what="standing.fell", reference=reference, why=why)
        alarm.sound(desk, conn, f"{reference}: {what} no longer stood at {label}. {became}", cause, reference)
