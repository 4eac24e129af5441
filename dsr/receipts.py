"""The receipts of a request: what remembers which processor has done what. Leased before a call, written after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import audit, requests
from dsr.desk import Desk
from dsr.errors import Throttled, VendorError, VendorRateLimited
from dsr.fulfilment import LOOKS, Step, back_off
from dsr.model import Findings, Identity, Operation, Outcome, Receipt, ReceiptStatus, Residue, Verdict
from dsr.store.tables import receipts

LEASE = timedelta(minutes=10)  # longer than the longest operation; a worker that restarts ends its own at once
r = receipts.c


def plan(
    desk: Desk,
    conn: sa.Connection,
    reference: str,
    steps: Sequence[tuple[str, Operation, int]],
    due: datetime | None,
    *,
    stop_by: datetime | None = None,
) -> None:
    """Insert the receipts that are not there yet.

    Args:
        stop_by: when promotional mail has stopped, if that is before all else is due (GDPR Art. 21(3)).
    """
    there = {
        (row.processor, row.operation)
        for row in conn.execute(sa.select(r.processor, r.operation).where(r.reference == reference))
    }
    new = [
        {
            "reference": reference,
            "processor": p,
            "operation": str(op),
            "stage": stage,
            "status": "pending",
            "due_at": stop_by or due if op is Operation.SUPPRESS else due,
        }
        for p, op, stage in steps
        if (p, str(op)) not in there
    ]
    if new:
        conn.execute(receipts.insert(), new)


def rows(conn: sa.Connection, reference: str) -> Sequence[sa.Row[Any]]:
    return conn.execute(sa.select(receipts).where(r.reference == reference).order_by(r.stage, r.processor)).all()


def steps(desk: Desk, conn: sa.Connection, reference: str) -> list[Step]:
    now = desk.now()
    return [
        Step(
            row.processor,
            Operation(row.operation),
            row.stage,
            ReceiptStatus(row.status),
            Outcome(row.outcome) if row.outcome else None,
            row.next_at,
            bool(row.leased_until and row.leased_until > now),
            Verdict(row.verdict) if row.verdict else None,
            row.looks,
            row.attempts,
            row.owner or "",
        )
        for row in rows(conn, reference)
    ]


def lease(desk: Desk, worker: str, reference: str, step: Step) -> sa.Row[Any] | None:
    """Take a step for this worker; None if somebody else has it or it has moved on."""
    now = desk.now()
    with desk.db.write() as conn:
        row = conn.execute(
            receipts.update()
            .where(
                *_one(reference, step),
                r.status == str(step.status),
                sa.or_(r.leased_until.is_(None), r.leased_until <= now),
            )
            .values(
                leased_until=now + LEASE,
                leased_by=worker,
                attempts=r.attempts + 1,
                started_at=sa.func.coalesce(r.started_at, sa.bindparam("started", now, type_=r.started_at.type)),
            )
            .returning(receipts)
        ).first()
        return row


def save(desk: Desk, reference: str, step: Step, receipt: Receipt, before: Findings | None = None) -> None:
    """Write what a processor did."""
    now = desk.now()
    ready = now + timedelta(seconds=receipt.ready_after_days * desk.settings.vendor_day)
    with desk.db.write() as conn:
        key_id = requests.get(desk, conn, reference).row.key_id
        seen = before.identities if before and not before.ambiguous else ()  # else they may be somebody else's
        touched = [(i.type, i.value) for i in dict.fromkeys((*seen, *receipt.identities))]
        values: dict[str, Any] = {
            "status": str(receipt.status),
            "outcome": str(receipt.outcome) if receipt.outcome else None,
            "counts": json.dumps(dict(receipt.counts)),
            "residue": json.dumps([asdict(x) for x in receipt.residue]),
            "note": receipt.note,
            "handle": receipt.handle,
            "attempts": 0,
            "next_at": ready,
            "finished_at": now if receipt.status is ReceiptStatus.COMPLETED else None,
            "leased_until": None,
            "leased_by": None,
            "problem": None,
            "owner": None,
        }
        if touched:
            values["identities_enc"] = desk.vault.seal(conn, key_id, touched)
        if before is not None:
            values["held_before"] = json.dumps(dict(before.held))
        if step.looks:
            values |= _with_earlier(conn, reference, step, receipt)
        mine = [*_one(reference, step)]
        if receipt.status is not ReceiptStatus.COMPLETED:  # one that was cancelled meanwhile is no task for a person
            mine.append(r.status != "cancelled")
        conn.execute(receipts.update().where(*mine).values(**values))
        audit.record(
            desk,
            conn,
            who=f"processor:{step.processor}",
            what=f"{step.operation}.{receipt.status}",
            reference=reference,
            why=str(receipt.outcome or ""),
            details={"counts": dict(receipt.counts)},
        )


def _with_earlier(conn: sa.Connection, reference: str, step: Step, receipt: Receipt) -> dict[str, Any]:
    """An erasure after a look that still found something adds to the earlier ones: what they left stays left."""
    row = conn.execute(sa.select(r.residue, r.counts).where(*_one(reference, step))).one()
    merged = _merged(row.residue, receipt.residue)
    values: dict[str, Any] = {"residue": merged}
    earlier = json.loads(row.counts)
    if receipt.outcome is Outcome.NO_MATCH and (earlier or json.loads(merged)):
        values["outcome"] = str(Outcome.DONE)
        values["counts"] = row.counts
    if values.get("outcome", receipt.outcome) == Outcome.DONE and json.loads(merged):
        values["outcome"] = str(Outcome.PARTIAL)
    return values


def _merged(known: str, more: Sequence[Residue]) -> str:
    return json.dumps(list({x["what"]: x for x in [*json.loads(known), *map(asdict, more)]}.values()))


def _later(desk: Desk, attempts: int, error: VendorError) -> dict[str, Any] | None:
    """When to try again; None when it is to be given up."""
    asked = error.retry_after if isinstance(error, VendorRateLimited) else None
    if isinstance(error, Throttled):  # no try was made, so none is counted
        pause = timedelta(seconds=asked or 1.0)
        return {"attempts": attempts - 1, "next_at": desk.now() + pause, "problem": None}
    if error.retry and attempts < desk.settings.processor_tries:
        return {"next_at": desk.now() + back_off(attempts, desk.settings.retry_base, asked), "problem": error.what}
    return None


def failed(desk: Desk, reference: str, step: Step, attempts: int, error: VendorError, instructions: str) -> None:
    """A processor did not do it: try again later, or hand it to a person. Never a false "done"."""
    again = _later(desk, attempts, error)
    values = {"leased_until": None, "leased_by": None} | (again or _task(instructions, error.what))
    with desk.db.write() as conn:  # one that was cancelled meanwhile is no task for a person
        conn.execute(receipts.update().where(*_one(reference, step), r.status != "cancelled").values(**values))
        audit.record(
            desk,
            conn,
            who=f"processor:{step.processor}",
            what=f"{step.operation}.{'retry' if again else 'manual'}",
            reference=reference,
            why=error.what,
            details={"attempt": attempts},
        )


def _task(instructions: str, problem: str) -> dict[str, Any]:
    return {
        "status": "in_progress",
        "outcome": "manual",
        "note": instructions,
        "next_at": None,
        "problem": problem,
    }


def looked(desk: Desk, reference: str, step: Step, findings: Findings, instructions: str) -> None:
    """The second look: what is true after asking again.

    What a person did by hand is not done again by the desk: perhaps they chose among several people's records.
    """
    now = desk.now()
    values: dict[str, Any] = {"leased_until": None, "leased_by": None, "looked_at": now, "attempts": 0, "problem": None}
    if findings.unknowable:
        values["verdict"] = "accepted"
    elif findings.nothing:
        kept = any(x.kept_by_law for x in findings.residue)
        values["verdict"] = "kept" if kept else "gone"
    elif step.owner:
        held = ", ".join(f"{n} {kind}" for kind, n in findings.held.items() if n)
        again = f"Asked after it was done by hand, the connector still finds {held}. If that is right, say done again. "
        values |= _task(again, "still held after it was done by hand")
    elif step.looks + 1 >= LOOKS:
        values |= _task(instructions, "still held after three erasures") | {"looks": step.looks + 1}
    else:
        values |= {
            "status": "pending",
            "outcome": None,
            "looks": step.looks + 1,
            "finished_at": None,
            "next_at": now + back_off(step.looks + 1, desk.settings.retry_base),
        }
    with desk.db.write() as conn:
        known = conn.execute(sa.select(r.residue, r.note).where(*_one(reference, step))).one()
        if findings.residue:
            values["residue"] = _merged(known.residue, findings.residue)
        if step.owner and "note" in values:
            values["note"] += known.note  # what exactly was to be done, not the general way
        conn.execute(receipts.update().where(*_one(reference, step)).values(**values))
        audit.record(
            desk,
            conn,
            who=f"processor:{step.processor}",
            what="asked.again",
            reference=reference,
            why=values.get("verdict", "still held"),
            details={"held": dict(findings.held)},
        )


def look_failed(desk: Desk, reference: str, step: Step, attempts: int, error: VendorError, instructions: str) -> None:
    """The second look got no answer: later again, and in the end a person looks. A person's own word stands."""
    given_up = {"verdict": "accepted", "problem": error.what} if step.owner else _task(instructions, error.what)
    again = _later(desk, attempts, error)
    values = {"leased_until": None, "leased_by": None} | (again or given_up)
    with desk.db.write() as conn:
        conn.execute(receipts.update().where(*_one(reference, step), r.status != "cancelled").values(**values))
        if again is None:
            audit.record(
                desk,
                conn,
                who=f"processor:{step.processor}",
                what="asked.again",
                reference=reference,
                why=f"{'accepted' if step.owner else 'with a person'}: {error.what}",
            )


def identities(desk: Desk, conn: sa.Connection, reference: str) -> tuple[Identity, ...]:
    """Identifiers at processors that earlier looks and operations touched."""
    key_id = requests.get(desk, conn, reference).row.key_id
    found: list[Identity] = []
    for row in rows(conn, reference):
        found += [Identity(t, v) for t, v in desk.vault.open(conn, key_id, row.identities_enc) or ()]
    return tuple(dict.fromkeys(found))


def residue(row: sa.Row[Any]) -> tuple[Residue, ...]:
    return tuple(Residue(**x) for x in json.loads(row.residue))


def held_before(row: sa.Row[Any]) -> Mapping[str, int]:
    found: Mapping[str, int] = json.loads(row.held_before or "{}")
    return found


def release(desk: Desk, worker: str) -> None:
    """After a restart of a worker: its leases end, and what it was doing is done again (every call is idempotent)."""
    with desk.db.write() as conn:
        conn.execute(receipts.update().where(r.leased_by == worker).values(leased_until=None, leased_by=None))


def _one(reference: str, step: Step) -> tuple[sa.ColumnElement[bool], ...]:
    return (r.reference == reference, r.processor == step.processor, r.operation == str(step.operation))
