"""Holds: records that an erasure leaves alone on a legal ground, until a day. Then it resumes by itself.

A hold is of a processor, or of one kind of record there. It has a ground (`grounds.toml`), an owner and an end, and the
person is told (Art. 12(4)). A processor that cannot spare one kind gets a task: a person erases everything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import audit, grounds, outgoing, requests
from dsr.desk import Desk
from dsr.errors import RequestError, TransitionNotAllowed
from dsr.fulfilment import OWN_DATABASE
from dsr.letters import catalogue, mails
from dsr.model import Findings, Residue, Right
from dsr.requests import SubjectRequest
from dsr.store.tables import holds, receipts
from dsr.store.tables import requests as requests_table

EVERYTHING = "everything that it holds"
# A hold is for a case: a claim, a transaction. What is to be kept longer than limitation and tax law ask of a case is a
# rule of retention and stands in the policy, for everybody; a hold without a foreseeable end would be a refusal by one
# agent alone (GDPR Art. 5(1)(e), 17(3)).
LONGEST = timedelta(days=3653)
_KIND = re.compile(r"[a-z][a-z0-9_ ]{0,39}")
h, r = holds.c, receipts.c


def place(
    desk: Desk,
    conn: sa.Connection,
    agent: str,
    reference: str,
    processor: str,
    ground_id: str,
    until: date,
    *,
    kind: str = "",
    note: str = "",
) -> str:
    """Exempt records from an erasure, at once; the person is told in the same transaction.

    Args:
        processor: name as in the policy, or `own_database`.
        until: the last day of the hold, in the controller's time zone.
        kind: kind of record as the plan names it (`flask dsr show REF --plan`); empty: everything there.
        note: the facts, for the person; kept in the mail alone.

    Returns:
        what happened, for the agent.

    Raises:
        RequestError: no such processor or kind, or an end that is past or beyond `LONGEST`.
        TransitionNotAllowed: no ground for it, no proved erasure, it is erased there already or being erased now.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if until > (desk.now() + LONGEST).date():
        raise RequestError("a hold has an end that can be foreseen: at most ten years from now")
    zone = ZoneInfo(desk.policy.controller.timezone)
    found = grounds.ground(ground_id, request.right, "hold", request.row.received_at.astimezone(zone).date())
    end = datetime.combine(until, time(23, 59, 59), zone)
    _check(desk, request, processor, kind, end)
    _check_receipt(desk, conn, reference, processor, kind)
    who = f"agent:{agent}"
    conn.execute(holds.delete().where(h.reference == reference, h.processor == processor, h.kind == kind))
    conn.execute(
        holds.insert().values(
            reference=reference, processor=processor, kind=kind, ground=found.id, owner=who, since=desk.now(), until=end
        )
    )
    audit.record(
        desk,
        conn,
        who=who,
        what="hold.placed",
        reference=reference,
        why=f"{found.id} ({found.article}): {kind or 'everything'} at {processor}",
        details={"until": until.isoformat()},
    )
    _tell(desk, conn, request, found, processor, kind, end, note)
    if kind:  # a task that says "erase it all" is written anew, with the exemption
        by_hand = (r.status == "in_progress", r.outcome == "manual")
        anew = {"status": "pending", "outcome": None, "note": "", "problem": None, "attempts": 0}
        conn.execute(receipts.update().where(*_erasure(reference, processor), *by_hand).values(**anew))
    apply(desk, conn, reference)
    desk.tasks.advance(conn, reference)
    return f"{kind or 'everything'} at {processor} is kept until {until.isoformat()}; the person is told"


def _check(desk: Desk, request: SubjectRequest, processor: str, kind: str, end: datetime) -> None:
    if processor not in {OWN_DATABASE, *(p.name for p in desk.policy.processors)}:
        raise RequestError("no such processor; take its name from `dsr show`")
    if kind and processor == OWN_DATABASE:  # it spares the kind itself: one that it does not know would spare nothing
        there = [table.name for table in desk.policy.own_database.tables if table.erasure != "keep"]
        if kind not in there:
            raise RequestError(f"no such kind of record is erased there; there are {', '.join(there)}")
    elif kind and not _KIND.fullmatch(kind):
        raise RequestError("a kind of record is named as the plan names it, e.g. campaigns")
    if end <= desk.now():
        raise RequestError("a hold needs an end that is still to come")
    if request.status in requests.ENDED or not request.verified or not request.address:
        raise TransitionNotAllowed("only records of a proved erasure that is still open can be held")


def _check_receipt(desk: Desk, conn: sa.Connection, reference: str, processor: str, kind: str) -> None:
    """A letter must not say that something is kept that is being erased, or is erased already."""
    query = sa.select(receipts).where(*_erasure(reference, processor))
    row = conn.execute(query.with_for_update()).first()  # nobody leases it until this hold is written
    if row is None:
        return
    if row.status in ("pending", "in_progress"):
        called = bool(row.leased_until and row.leased_until > desk.now())
        if called or (row.status == "in_progress" and row.outcome not in ("held", "manual")):  # or its job runs there
            raise TransitionNotAllowed(f"{processor} is erasing at this moment")
        return
    held = kinds(desk, conn, reference, processor)
    if row.verdict is not None:  # looked at again since: of what was held, this was there
        held = {known: x for known, x in held.items() if known in {x["what"] for x in json.loads(row.residue)}}
    if kind not in held:
        there = f"; only {', '.join(sorted(held))} can be held on" if held else ""
        raise TransitionNotAllowed(f"{processor} has erased already; nothing is left to hold{there}")


def _tell(
    desk: Desk,
    conn: sa.Connection,
    request: SubjectRequest,
    found: grounds.Ground,
    processor: str,
    kind: str,
    end: datetime,
    note: str,
) -> None:
    language = request.row.language
    labels = {OWN_DATABASE: desk.policy.own_database.label, **{p.name: p.label for p in desk.policy.processors}}
    what = kind or catalogue.phrase(EVERYTHING, language)[0]
    mail = mails.partly_refused_mail(
        request.address,
        language,
        reference=request.reference,
        right=Right(request.row.right),
        kept=f"{labels[processor]}{catalogue.colon(language)} {what}",
        reason="\n".join(filter(None, (found.sentence(language), note.strip()))),
        until=end,
        company=desk.company,
    )
    key = f"held:{request.reference}:{processor}:{kind}:{end.date().isoformat()}"
    outgoing.mail(desk, conn, request.row.key_id, mail, key, request.reference)


def release(desk: Desk, conn: sa.Connection, agent: str, reference: str, processor: str) -> str:
    """Lift every hold at a processor before its end; the erasure goes on there.

    Raises:
        TransitionNotAllowed: nothing is held there.
    """
    requests.get(desk, conn, reference, lock=True)
    if not _end(desk, conn, reference, f"agent:{agent}", h.processor == processor):
        raise TransitionNotAllowed(f"nothing is held at {processor}")
    apply(desk, conn, reference)
    desk.tasks.advance(conn, reference)
    return f"the hold at {processor} is lifted; the erasure goes on there"


def over(desk: Desk, conn: sa.Connection) -> Sequence[str]:
    """References of requests with a hold whose end has come."""
    q = requests_table.c
    due = (
        sa.select(h.reference)
        .distinct()
        .join(requests_table, q.reference == h.reference)
        .where(h.ended_at.is_(None), h.until < desk.now(), q.status.in_(["in_progress", "partially_completed"]))
    )
    return conn.execute(due).scalars().all()


def active(desk: Desk, conn: sa.Connection, reference: str) -> Sequence[sa.Row[Any]]:
    """The holds of a request that stand now."""
    return conn.execute(
        sa.select(holds).where(h.reference == reference, h.ended_at.is_(None), h.until >= desk.now()).order_by(h.id)
    ).all()


def kinds(desk: Desk, conn: sa.Connection, reference: str, processor: str) -> dict[str, Residue]:
    """Kinds of record that are held at a processor, and what a certificate says of each."""
    return {x.kind: _residue(desk, x) for x in active(desk, conn, reference) if x.processor == processor and x.kind}


def without(findings: Findings, kept: Mapping[str, Residue]) -> Findings:
    """What a second look found, with what is held counted as kept and not as left behind."""
    there = tuple(residue for kind, residue in kept.items() if findings.held.get(kind))
    held = {kind: n for kind, n in findings.held.items() if kind not in kept}
    return replace(findings, held=held, residue=(*findings.residue, *there))


def apply(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """Bring the receipts in line: what is held does not run, what is held no more runs again."""
    _end(desk, conn, reference, "desk", h.until < desk.now())
    whole: dict[str, list[Residue]] = {}
    for hold in active(desk, conn, reference):
        if not hold.kind:
            whole.setdefault(hold.processor, []).append(_residue(desk, hold))
    now = desk.now()
    for processor, residue in whole.items():
        conn.execute(
            receipts.update()
            .where(
                *_erasure(reference, processor),
                sa.or_(r.leased_until.is_(None), r.leased_until <= now),
                sa.or_(r.status == "pending", sa.and_(r.status == "in_progress", r.outcome == "manual")),
            )
            .values(
                status="in_progress",
                outcome="held",
                verdict="kept",
                residue=json.dumps([asdict(x) for x in residue]),
                note="",
                problem=None,
                next_at=None,
                finished_at=now,
            )
        )


def _end(desk: Desk, conn: sa.Connection, reference: str, who: str, which: sa.ColumnElement[bool]) -> int:
    """End holds, and let the erasure resume where nothing else is held."""
    ended = conn.execute(
        holds.update()
        .where(h.reference == reference, h.ended_at.is_(None), which)
        .values(ended_at=desk.now(), ended_by=who)
        .returning(h.processor, h.kind, h.ground)
    ).all()
    for row in ended:
        why = f"{row.ground}: {row.kind or 'everything'} at {row.processor}"
        audit.record(desk, conn, who=who, what="hold.ended", reference=reference, why=why)
    for processor in {row.processor for row in ended}:
        conn.execute(
            receipts.update()
            .where(*_erasure(reference, processor), r.status.in_(["in_progress", "completed"]))
            .values(
                status="pending",
                outcome=None,
                verdict=None,
                residue="[]",
                note="",
                looks=0,
                attempts=0,
                next_at=None,
                looked_at=None,
                finished_at=None,
                problem=None,
            )
        )
    return len(ended)


def _erasure(reference: str, processor: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (r.reference == reference, r.processor == processor, r.operation == "erase")


def _residue(desk: Desk, hold: sa.Row[Any]) -> Residue:
    found = next(g for g in grounds.all_grounds() if g.id == hold.ground)
    until = hold.until.astimezone(ZoneInfo(desk.policy.controller.timezone)).date().isoformat()
    return Residue(hold.kind or EVERYTHING, f"{found.phrase} ({found.article})", until, kept_by_law=True)
