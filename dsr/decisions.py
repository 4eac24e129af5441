"""Four eyes: what one agent proposes, another one decides. The details stay encrypted with the person's key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from dsr import audit, requests
from dsr.desk import Desk
from dsr.errors import TransitionNotAllowed
from dsr.store.tables import decisions

d = decisions.c


def propose(
    desk: Desk, conn: sa.Connection, agent: str, reference: str, kind: str, details: Mapping[str, Any], why: str
) -> None:
    """Note what an agent wants decided; a new proposal of the same kind takes the place of the one before.

    Args:
        kind: `refusal`, `child`.
        details: what the decision needs, reasons typed by the agent included.
        why: for the audit: codes alone, nothing that an agent typed.
    """
    request, who = requests.get(desk, conn, reference, lock=True), f"agent:{agent}"
    conn.execute(decisions.delete().where(d.reference == reference, d.kind == kind))
    conn.execute(
        decisions.insert().values(
            reference=reference,
            kind=kind,
            key_id=request.row.key_id,
            details_enc=desk.vault.seal(conn, request.row.key_id, dict(details)),
            proposed_by=who,
            proposed_at=desk.now(),
        )
    )
    audit.record(desk, conn, who=who, what=f"{kind}.proposed", reference=reference, why=why)


def waiting(desk: Desk, conn: sa.Connection, reference: str, kind: str) -> tuple[str, Mapping[str, Any]] | None:
    """Who proposed something that nobody has decided yet, and what; None if nothing waits."""
    row = conn.execute(
        sa.select(decisions).where(d.reference == reference, d.kind == kind, d.decided_at.is_(None))
    ).first()
    return (row.proposed_by, desk.vault.open(conn, row.key_id, row.details_enc)) if row else None


def decide(desk: Desk, conn: sa.Connection, agent: str, reference: str, kind: str) -> Mapping[str, Any]:
    """A second agent agrees; returns the details of the proposal.

    Raises:
        TransitionNotAllowed: nothing waits, or the same agent proposed it.
    """
    requests.get(desk, conn, reference, lock=True)
    found = waiting(desk, conn, reference, kind)
    if found is None:
        raise TransitionNotAllowed(f"no {kind} of {reference} waits for a second agent")
    proposed_by, details = found
    if proposed_by == f"agent:{agent}":
        raise TransitionNotAllowed(f"who proposed a {kind} cannot decide it alone (four eyes)")
    conn.execute(
        decisions.update()
        .where(d.reference == reference, d.kind == kind)
        .values(decided_by=f"agent:{agent}", decided_at=desk.now())
    )
    return details
