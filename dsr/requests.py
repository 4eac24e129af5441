"""The life of a request: one table of lawful moves, and the only functions that write a request's status."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from dsr import addresses, audit, deadlines
from dsr.codes import ALPHABET
from dsr.desk import Desk
from dsr.errors import RequestNotFound, TransitionNotAllowed
from dsr.model import Identities, Identity, RequestStatus, Right
from dsr.store.tables import requests, subjects

S = RequestStatus

# From where to where, and the rule that a refused move breaks.
MOVES: Mapping[RequestStatus, frozenset[RequestStatus]] = {
    S.IDENTITY_PENDING: frozenset(
        {S.COOLING_OFF, S.IN_PROGRESS, S.WAITING_FOR_AGENT, S.WITHDRAWN, S.EXPIRED, S.FROZEN}
    ),
    S.COOLING_OFF: frozenset({S.IN_PROGRESS, S.WITHDRAWN, S.FROZEN, S.REFUSED, S.WAITING_FOR_AGENT}),
    S.WAITING_FOR_AGENT: frozenset({S.COOLING_OFF, S.IN_PROGRESS, S.COMPLETED, S.WITHDRAWN, S.REFUSED, S.FROZEN}),
    S.IN_PROGRESS: frozenset({S.PARTIALLY_COMPLETED, S.COMPLETED, S.WAITING_FOR_AGENT, S.FROZEN, S.REFUSED}),
    S.PARTIALLY_COMPLETED: frozenset({S.COMPLETED, S.IN_PROGRESS, S.FROZEN, S.REFUSED}),
    S.FROZEN: frozenset({S.WITHDRAWN, S.IDENTITY_PENDING, S.REFUSED}),  # it goes on by a fresh proof alone
    # Refused: an objection alone, weighed after its restriction (Art. 21(1), 18(1)(d)). Frozen: what still restricts.
    S.COMPLETED: frozenset({S.REFUSED, S.FROZEN}),
    S.REFUSED: frozenset(),
    S.WITHDRAWN: frozenset(),
    S.EXPIRED: frozenset(),
}
RESUBSCRIPTION = "resubscribe"  # channel of a request that asks for no right: `dsr.resubscription`
ENDED = frozenset({S.COMPLETED, S.REFUSED, S.WITHDRAWN, S.EXPIRED})
OPEN = frozenset(s for s in MOVES if s not in ENDED and s is not S.PARTIALLY_COMPLETED)
GOING_ON = OPEN - {
    S.FROZEN
}  # who asks again has what they asked for; a frozen request is nobody's until it is looked at
# What has begun is refused no more, but for an objection: it restricts first, and is weighed meanwhile.
BEGUN = frozenset({S.IN_PROGRESS, S.PARTIALLY_COMPLETED, S.COMPLETED})
WITHDRAWABLE = frozenset(s for s, to in MOVES.items() if S.WITHDRAWN in to)


@dataclass(frozen=True)
class SubjectRequest:
    """A request as the rest of the house sees it: the row, with its personal columns opened.

    Args:
        address: the claimed or proved address; empty once it is dropped.
        identities: what was resolved from it.
        details: `why` (the sentences that led to it), `changes`, `profile`, `several`.
    """

    reference: str
    right: Right
    status: RequestStatus
    row: sa.Row[Any]
    address: str
    identities: Identities
    details: Mapping[str, Any]

    @property
    def verified(self) -> bool:
        return self.row.verified_at is not None

    @property
    def several(self) -> bool:
        """Does the address lead to several accounts in the own database, so that an agent decides everywhere?"""
        return bool(self.details.get("several"))


def can_freeze(row: sa.Row[Any]) -> bool:
    """Is there anything left that "this was not me" stops? Of a completed request only a restriction that stands."""
    return S.FROZEN in MOVES[S(row.status)] and (row.status != S.COMPLETED or row.look_at is not None)


def new_reference() -> str:
    """`PR-` and 6 Crockford base-32 characters: can be read out on the telephone."""
    return "PR-" + "".join(secrets.choice(ALPHABET) for _ in range(6))


def normalise_reference(typed: str) -> str:
    """What a person typed for a reference, in its one spelling."""
    core = typed.strip().upper().removeprefix("PR").lstrip("-_ ")
    return "PR-" + core.translate(str.maketrans("OIL", "011"))


def subject_key(desk: Desk, conn: sa.Connection, address: str) -> tuple[str, str]:
    """Hash of an address and the key of the person behind it, made when first seen."""
    address_hash = desk.vault.hash("address", address)
    key_id = conn.execute(sa.select(subjects.c.key_id).where(subjects.c.address_hash == address_hash)).scalar()
    if key_id is None:
        key_id = desk.vault.new_key(conn)
        conn.execute(subjects.insert(), {"address_hash": address_hash, "key_id": key_id})
    return address_hash, key_id


def open_request(
    desk: Desk,
    conn: sa.Connection,
    right: Right,
    address: str,
    *,
    received_at: datetime,
    channel: str,
    status: RequestStatus,
    opened_by: str,
    conversation_id: str | None = None,
    language: str = "en",
    details: Mapping[str, Any] | None = None,
    regime: deadlines.Regime = "gdpr",
) -> str:
    """Open a request; returns its reference.

    Args:
        address: normalised; empty if the person is not known yet.
        received_at: the channel's own time of the message: the legal clock starts there (GDPR 12(3)).
        opened_by: `customer` or `agent:<id>`.
        regime: the law whose deadlines count.
    """
    reference = new_reference()
    address_hash, key_id = subject_key(desk, conn, address) if address else (None, desk.vault.new_key(conn))
    controller = desk.policy.controller
    limit = deadlines.deadline(received_at, country=controller.country, timezone=controller.timezone, regime=regime)
    if right is Right.UNSUBSCRIBE and channel != RESUBSCRIPTION:  # GDPR Art. 21(3) and 11 CCR § 7026(f) know no month
        limit = deadlines.opt_out(limit)
    now = desk.now()
    seal = desk.vault.seal
    conn.execute(
        requests.insert(),
        {
            "reference": reference,
            "right": right,
            "status": status,
            "channel": channel,
            "vendor": desk.channels.get(channel, ""),
            "conversation_id": conversation_id,
            "language": language,
            "address_hash": address_hash,
            "key_id": key_id,
            "address_enc": seal(conn, key_id, address) if address else None,
            "address_masked": addresses.mask(address),
            "details_enc": seal(conn, key_id, dict(details or {})),
            "received_at": received_at,
            "regime": regime,
            "due_at": limit.due,
            "extended_due_at": limit.extended_due,
            "warn_at": received_at,
            "derivation": json.dumps(deadlines.to_json(limit)),
            "proof_asked_at": now if status is S.IDENTITY_PENDING else None,
            "opened_by": opened_by,
            "wake_at": now + timedelta(seconds=desk.settings.identity_expiry) if status is S.IDENTITY_PENDING else now,
        },
    )
    audit.record(
        desk,
        conn,
        who=opened_by,
        what="request.opened",
        reference=reference,
        why=f"{right} asked for in {channel}",
        details={"received": received_at.isoformat(), "due": limit.due.isoformat(), "status": status},
    )
    return reference


def get(desk: Desk, conn: sa.Connection, reference: str, *, lock: bool = False) -> SubjectRequest:
    """The request with this reference.

    Raises:
        RequestNotFound: there is none.
    """
    query = sa.select(requests).where(requests.c.reference == reference)
    row = conn.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise RequestNotFound(f"there is no request {reference}")
    return _opened(desk, conn, row)


def _opened(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> SubjectRequest:
    open_ = desk.vault.open
    identities = open_(conn, row.key_id, row.identities_enc)
    address = open_(conn, row.key_id, row.address_enc) or ""
    known = Identities(tuple(Identity(t, v) for t, v in identities)) if identities else Identities()
    if address and not identities:
        known = Identities.of_email(address)
    return SubjectRequest(
        row.reference,
        Right(row.right),
        S(row.status),
        row,
        address,
        known,
        open_(conn, row.key_id, row.details_enc) or {},
    )


def move(
    desk: Desk, conn: sa.Connection, reference: str, to: RequestStatus, *, who: str, why: str, **values: Any
) -> SubjectRequest:
    """Change the status, if that is lawful, and write why.

    Raises:
        TransitionNotAllowed: names what forbids it.
    """
    request = get(desk, conn, reference, lock=True)
    if to not in MOVES[request.status]:
        raise TransitionNotAllowed(_refusal(request.status, to))
    if to is S.REFUSED and request.status in BEGUN and request.right is not Right.OBJECTION:
        raise TransitionNotAllowed(f"a request that is {request.status} cannot be refused as a whole any more")
    if to is S.FROZEN and not can_freeze(request.row):
        raise TransitionNotAllowed(_refusal(request.status, to))
    if (
        to in (S.COOLING_OFF, S.IN_PROGRESS)
        and not desk.proof.at_once(request.right)
        and not (request.verified or "verified_at" in values)
    ):
        raise TransitionNotAllowed("the person is not proved yet (GDPR Art. 12(6))")
    if to in ENDED:  # the sweep comes for what the desk itself holds (dsr.retention)
        values = {"finished_at": desk.now(), "wake_at": desk.now(), **values}
    conn.execute(requests.update().where(requests.c.reference == reference).values(status=to, **values))
    audit.record(
        desk, conn, who=who, what=f"request.{to}", reference=reference, why=why, details={"from": request.status}
    )
    return get(desk, conn, reference)


def _refusal(now: RequestStatus, to: RequestStatus) -> str:
    if now in ENDED:
        return f"the request has ended ({now}); open a new one"
    if to is S.WITHDRAWN:
        return "the request is being carried out and cannot be withdrawn any more"
    return f"a request cannot go from {now} to {to}"


def update(conn: sa.Connection, reference: str, **values: Any) -> None:
    """Change columns other than the status."""
    conn.execute(requests.update().where(requests.c.reference == reference).values(**values))


def open_duplicate(desk: Desk, conn: sa.Connection, request: SubjectRequest) -> str | None:
    """Reference of an older, verified, open request of the same right and person, or of one that holds it.

    A copy under the right of access holds what a portable one would, not the other way round.

    An unverified one never counts: joining it would let a stranger's claim ride on a proof (attack G16). Nor does one
    that its owner has frozen ("this was not me"): it does nothing, and who is proved now would wait in vain.
    """
    c = requests.c
    same = [str(r) for r in ((Right.EXPORT, Right.ACCESS) if request.right is Right.EXPORT else (request.right,))]
    return conn.execute(
        sa.select(c.reference).where(
            c.address_hash == request.row.address_hash,
            c.right.in_(same),
            c.reference != request.reference,
            c.verified_at.is_not(None),
            c.status.in_([str(s) for s in GOING_ON]),
        )
    ).scalar()


def set_address(desk: Desk, conn: sa.Connection, reference: str, address: str) -> None:
    """Attach a person to a request that was opened without one (an age report whose address came later)."""
    request = get(desk, conn, reference, lock=True)
    address_hash, key_id = subject_key(desk, conn, address)
    update(
        conn,
        reference,
        address_hash=address_hash,
        key_id=key_id,
        address_enc=desk.vault.seal(conn, key_id, address),
        address_masked=addresses.mask(address),
        details_enc=desk.vault.seal(conn, key_id, dict(request.details)),
    )
