"""What the controller can show of how requests were answered (GDPR Art. 5(2), 12(3), 24): numbers, never a person.

The period counts requests by their day of receipt in the controller's time zone. What is open or overdue is of now.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import resubscription
from dsr.desk import Desk
from dsr.model import RequestStatus
from dsr.requests import ENDED
from dsr.store.tables import audit, holds, receipts, requests

S = RequestStatus
# An answer in the sense of Art. 12(3) and (4); who withdrew or never proved themselves was not waiting for one.
ANSWERED = frozenset({S.COMPLETED, S.REFUSED})
_DAY = timedelta(days=1)
q, r, a, h = requests.c, receipts.c, audit.c, holds.c


@dataclass(frozen=True)
class Tasks:
    """Open tasks of people at one processor."""

    open: int
    overdue: int


@dataclass(frozen=True)
class Report:
    """Args:
    first, last: ISO dates, both included.
    made: ISO moment for which `open`, `overdue` and `tasks` hold.
    outcomes: by the present status; what is not ended is on its way.
    on_time, late: ended or answered by the due date or after it; what is neither is late once its due date has
        passed, and before that in neither number. Answered is also where only records remain that a hold keeps.
    on_time_share, extension_rate: 0 to 1; None where there is nothing to divide by.
    days: from receipt to the answer (completed, refused, or all but what is held): `median`, `p90` (nearest rank),
        `count`.
    refusals: refusals of whole requests by ground; holds: records kept by ground.
    open: not ended, those with a hold included; overdue: of these neither answered nor in time.
    """

    first: str
    last: str
    timezone: str
    made: str
    received: int
    months: Mapping[str, int]
    rights: Mapping[str, int]
    channels: Mapping[str, int]
    outcomes: Mapping[str, int]
    regimes: Mapping[str, int]
    on_time: int
    late: int
    on_time_share: float | None
    extended: int
    extension_rate: float | None
    days: Mapping[str, float | None]
    refusals: Mapping[str, int]
    holds: Mapping[str, int]
    open: int
    overdue: int
    tasks: Mapping[str, Tasks]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def report(desk: Desk, first: date, last: date) -> Report:
    """Count the requests received from `first` to `last`, both included.

    Raises:
        ValueError: `last` is before `first`.
    """
    if last < first:
        raise ValueError("the last day is before the first")
    zone, now = ZoneInfo(desk.policy.controller.timezone), desk.now()
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + _DAY))
    with desk.db.read() as conn:
        rows = conn.execute(
            sa.select(requests)
            .where(
                q.received_at >= start, q.received_at < end, q.channel != resubscription.CHANNEL
            )  # asks for no right
            .order_by(q.received_at)
        ).all()
        living = sa.select(q.due_at, q.answered_at).where(q.status.not_in([str(s) for s in ENDED]))
        open_ = conn.execute(living).all()
        of_period = sa.select(q.reference).where(q.received_at >= start, q.received_at < end)
        refused = conn.execute(
            sa.select(a.why).where(a.what == "request.refused", a.reference.in_(of_period))
        ).scalars()
        held = conn.execute(sa.select(h.ground).where(h.reference.in_(of_period))).scalars()
        refusals, kept = _counted(why.partition(" ")[0] for why in refused), _counted(held)
        tasks = _tasks(conn, now)
    on_time = sum(_on_time(row, now) is True for row in rows)
    late = sum(_on_time(row, now) is False for row in rows)
    extended = sum(row.extended_at is not None for row in rows)
    return Report(
        first=first.isoformat(),
        last=last.isoformat(),
        timezone=str(zone),
        made=now.astimezone(zone).isoformat(timespec="seconds"),
        received=len(rows),
        months=_months(first, last, [row.received_at.astimezone(zone).date() for row in rows]),
        rights=_counted(row.right for row in rows),
        channels=_counted(row.channel for row in rows),
        outcomes=_counted(row.status for row in rows),
        regimes=_counted(row.regime for row in rows),
        on_time=on_time,
        late=late,
        on_time_share=on_time / (on_time + late) if on_time + late else None,
        extended=extended,
        extension_rate=extended / len(rows) if rows else None,
        days=_days(
            [(_over(row) - row.received_at) / _DAY for row in rows if row.status in ANSWERED or row.answered_at]
        ),
        refusals=refusals,
        holds=kept,
        open=len(open_),
        overdue=sum(row.due_at < now and row.answered_at is None for row in open_),
        tasks=tasks,
    )


def _on_time(row: Any, now: datetime) -> bool | None:
    """Was it answered or ended by its due date? None while that is still to be seen."""
    if row.status in ENDED or row.answered_at:
        return bool(_over(row) <= row.due_at)
    return False if row.due_at < now else None


def _over(row: Any) -> datetime:
    """When the person no longer waited: a hold that ends later, and the erasure after it, change nothing of that."""
    return cast(datetime, row.answered_at or row.finished_at)


def _tasks(conn: sa.Connection, now: datetime) -> dict[str, Tasks]:
    late = sa.func.sum(sa.case((r.due_at < now, 1), else_=0))
    found = conn.execute(
        sa.select(r.processor, sa.func.count(), late)
        .where(r.status == "in_progress", r.outcome == "manual")
        .group_by(r.processor)
        .order_by(sa.func.count().desc(), r.processor)
    )
    return {processor: Tasks(number, int(overdue)) for processor, number, overdue in found}


def _counted(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _months(first: date, last: date, days: Sequence[date]) -> dict[str, int]:
    """Every month of the period, also one in which nothing came."""
    number = (last.year - first.year) * 12 + last.month - first.month + 1
    months = (divmod(first.year * 12 + first.month - 1 + n, 12) for n in range(number))
    found = Counter(f"{day:%Y-%m}" for day in days)
    return {name: found[name] for name in (f"{year}-{month + 1:02}" for year, month in months)}


def _days(lengths: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(lengths)
    ninetieth = ordered[math.ceil(0.9 * len(ordered)) - 1] if ordered else None
    return {
        "count": len(ordered),
        "median": round(median(ordered), 2) if ordered else None,
        "p90": None if ninetieth is None else round(ninetieth, 2),
    }
