"""Somebody acts for another, or lost the mailbox that the records carry: other proofs, four eyes, never by itself.

One agent looks at the evidence and records what kinds were checked (no document is stored anywhere); another approves,
after the waiting time of `proof.toml`. Whoever acts proves their own address with a code; package and certificate go
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from dsr import addresses, decisions, requests
from dsr.desk import Desk
from dsr.errors import RequestError, TransitionNotAllowed, UnsupportedRequest
from dsr.model import RequestStatus
from dsr.proof import Standin
from dsr.requests import SubjectRequest
from dsr.store.tables import challenges
from dsr.store.tables import decisions as decisions_table

KIND = "acting"
d = decisions_table.c


@dataclass(frozen=True)
class Representation:
    """Who acts for the person of a request.

    Args:
        who: a kind of `proof.toml`; `owner` is the person, whose mailbox is lost.
        address: their own, normalised.
        not_before: earliest moment of an approval.
        approved: a second agent has agreed.
    """

    who: str
    address: str
    not_before: datetime
    approved: bool

    @property
    def proof(self) -> str:
        """What a request that begins so says of its proof."""
        return f"{self.who}+code"


def of(desk: Desk, conn: sa.Connection, reference: str) -> Representation | None:
    """Who acts in this request; None if the person does."""
    row = conn.execute(sa.select(decisions_table).where(d.reference == reference, d.kind == KIND)).first()
    if row is None or not row.details_enc:  # its text is gone with the person's data
        return None
    kept = desk.vault.open(conn, row.key_id, row.details_enc)
    not_before = datetime.fromisoformat(kept["not_before"])
    return Representation(kept["who"], kept["address"], not_before, row.decided_at is not None)


def check(
    desk: Desk, conn: sa.Connection, agent: str, reference: str, who: str, address: str, evidence: Sequence[str]
) -> Representation:
    """An agent has looked at the evidence: only its kinds are kept.

    Raises:
        TransitionNotAllowed: the request does not wait for proof.
        UnsupportedRequest: no such kind of representative or evidence, or too little of it.
        RequestError: the address cannot be used.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if request.status is not RequestStatus.IDENTITY_PENDING:
        raise TransitionNotAllowed(f"the request waits for no proof ({request.status})")
    rule = _rule(desk, who)
    given = list(dict.fromkeys(evidence))
    if strange := [kind for kind in given if kind not in rule.evidence]:
        raise UnsupportedRequest(f"no such evidence: {', '.join(strange)}; known: {', '.join(rule.evidence)}")
    if len(given) < rule.needed:
        raise UnsupportedRequest(f"{rule.needed} of these are needed: {', '.join(rule.evidence)} ({rule.article})")
    own = addresses.normalise(address)
    if not own or own == request.address:
        raise RequestError("give the address of whoever acts; it is another one than that on the records")
    found = Representation(who, own, desk.now() + timedelta(days=rule.wait_days), approved=False)
    details = {"who": who, "address": own, "not_before": found.not_before.isoformat(), "evidence": given}
    why = f"{who}: {', '.join(given)} checked; nothing stored ({rule.article})"
    decisions.propose(desk, conn, agent, reference, KIND, details, why)
    wake = found.not_before + timedelta(seconds=desk.settings.identity_expiry)
    requests.update(conn, reference, wake_at=wake)
    return found


def _rule(desk: Desk, who: str) -> Standin:
    known = {s.who: s for s in desk.proof.standins}
    for name, rule in known.items():
        if name == who:
            return rule
    raise UnsupportedRequest(f"nobody acts as {who}; known: {', '.join(known)}")


def approve(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """A second agent agrees.

    Returns:
        the proof by which the request can begin; empty while whoever acts has not proved their address.

    Raises:
        TransitionNotAllowed: nobody acts here, the waiting time is not over, or the same agent checked the evidence.
    """
    found = of(desk, conn, reference)
    if found is None or found.approved:
        raise TransitionNotAllowed("the person is not proved yet; approval cannot replace proof (GDPR Art. 12(6))")
    if desk.now() < found.not_before:
        day = found.not_before.date().isoformat()
        raise TransitionNotAllowed(f"the address on the records has been told and may object until {day}")
    decisions.decide(desk, conn, agent, reference, KIND)
    return found.proof if _proved(desk, conn, reference, found) else ""


def _proved(desk: Desk, conn: sa.Connection, reference: str, found: Representation) -> bool:
    """Has whoever acts typed the code that was mailed to their own address?"""
    c = challenges.c
    used = sa.select(c.id).where(
        c.reference == reference,
        c.address_hash == desk.vault.hash("address", found.address),
        c.used_at.is_not(None),
    )
    return conn.execute(used.limit(1)).first() is not None


def drop(conn: sa.Connection, reference: str) -> None:
    """The owner of the address says no: nobody acts for them any more."""
    conn.execute(decisions_table.delete().where(d.reference == reference, d.kind == KIND))


def asked(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> str:
    """The address that has to be proved: of whoever acts, else of the person."""
    found = of(desk, conn, request.reference)
    return found.address if found else request.address


def recipient(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> str:
    """Where package and certificate go: to whoever acts if a second agent approved it, else to the person."""
    found = of(desk, conn, request.reference)
    acts = found is not None and found.approved and request.row.verified_by == found.proof
    return found.address if found and acts else request.address
