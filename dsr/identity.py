"""Proof of control of an address, by a code typed where it was asked for (threats.md, fact 1).

The code goes to the claimed address before any look-up. Only its keyed hash is kept; it is bound to one conversation
(or one request's page), its address and its rights; tries and mails are counted in the database, so that parallel
guesses in many processes compare exactly `TRIES` codes.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from dsr import codes
from dsr.conversation import CodeChecked
from dsr.desk import Desk
from dsr.store.tables import challenges

LIFETIME = timedelta(minutes=10)
TRIES = 5
PER_HOUR = 3  # and as many again of the reserved ones
PER_DAY = 10


@dataclass(frozen=True)
class Issued:
    """A fresh challenge; the code itself is only here and in the mail."""

    challenge_id: str
    code: str


def issue(
    desk: Desk,
    conn: sa.Connection,
    address_hash: str,
    purpose: Sequence[str],
    *,
    conversation_id: str | None = None,
    reference: str | None = None,
    reserved: bool = False,
) -> Issued | None:
    """A new code; earlier ones of the same conversation or page are void. None: the address has had too many.

    Args:
        purpose: the rights that it proves; it counts for no other.
        reserved: asked for where no stranger can ask: by an author whom the channel vouches for under this address,
            on a page whose link was mailed to it, by an agent, or by the company's own site with its key to the API.
            These have a count of their own, as large as that of everybody's: who asks in a victim's name uses up only
            the latter, and cannot shut the victim out.
    """
    now = desk.now()
    if not _may_be_written_to(desk, conn, address_hash, reserved):
        return None
    void(desk, conn, conversation_id=conversation_id, reference=reference)
    issued = Issued(secrets.token_hex(16), codes.new_code())
    conn.execute(
        challenges.insert().values(
            id=issued.challenge_id,
            conversation_id=conversation_id,
            reference=reference,
            address_hash=address_hash,
            purpose=",".join(sorted(purpose)),
            code_hash=_hash(desk, issued.challenge_id, codes.normalise(issued.code)),
            created_at=now,
            expires_at=now + LIFETIME,
            reserved=reserved,
        )
    )
    return issued


def one_at_a_time(desk: Desk, conn: sa.Connection, address_hash: str) -> None:
    """Until the transaction's end nobody else counts the mails of this address."""
    if not desk.db.sqlite:  # SQLite's writers already queue up; here we make those of one address do so
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(int(address_hash[:15], 16))))


def count_mail(desk: Desk, conn: sa.Connection, address_hash: str, purpose: str) -> bool:
    """Count a mail without a code that any stranger can cause, as if it had one: a mailbox gets no more of both.

    Returns:
        False if the address has had too many.
    """
    if not _may_be_written_to(desk, conn, address_hash, reserved=False):
        return False
    now = desk.now()
    counted = {"id": secrets.token_hex(16), "address_hash": address_hash, "purpose": purpose, "code_hash": ""}
    conn.execute(challenges.insert(), {**counted, "created_at": now, "expires_at": now, "voided_at": now})
    return True


def _may_be_written_to(desk: Desk, conn: sa.Connection, address_hash: str, reserved: bool) -> bool:
    c, now = challenges.c, desk.now()
    one_at_a_time(desk, conn, address_hash)
    recent = sa.select(sa.func.count(), sa.func.count(sa.case((c.created_at > now - timedelta(hours=1), 1)))).where(
        c.address_hash == address_hash, c.reserved == reserved, c.created_at > now - timedelta(days=1)
    )
    day, hour = conn.execute(recent).one()
    return bool(hour < PER_HOUR and day < PER_DAY)


def check(
    desk: Desk,
    conn: sa.Connection,
    typed: Sequence[str],
    purpose: Sequence[str],
    address_hash: str,
    *,
    conversation_id: str | None = None,
    reference: str | None = None,
) -> CodeChecked:
    """Compare what was typed with the living challenge of this conversation or page; each comparison is one try."""
    c, now = challenges.c, desk.now()
    row = conn.execute(
        sa.select(challenges)
        .where(_bound(conversation_id, reference), c.used_at.is_(None), c.voided_at.is_(None))
        .order_by(c.created_at.desc())
        .limit(1)
        .with_for_update()
    ).first()
    if row is None or row.tries >= TRIES:
        return CodeChecked("void")
    if row.expires_at <= now:
        return CodeChecked("expired")
    right = False
    tries = row.tries
    for code in typed:
        if right or tries >= TRIES:
            break
        tries += 1
        right = hmac.compare_digest(row.code_hash, _hash(desk, row.id, codes.normalise(code)))
    fits = row.purpose == ",".join(sorted(purpose)) and row.address_hash == address_hash
    proved = right and fits
    conn.execute(challenges.update().where(c.id == row.id).values(tries=tries, used_at=now if proved else None))
    if proved:
        return CodeChecked("right")
    return CodeChecked("wrong", TRIES - tries) if tries < TRIES else CodeChecked("void")


def void(desk: Desk, conn: sa.Connection, *, conversation_id: str | None = None, reference: str | None = None) -> None:
    """Nothing typed from now on proves anything here."""
    c = challenges.c
    conn.execute(
        challenges.update()
        .where(_bound(conversation_id, reference), c.used_at.is_(None), c.voided_at.is_(None))
        .values(voided_at=desk.now())
    )


def _bound(conversation_id: str | None, reference: str | None) -> sa.ColumnElement[bool]:
    c = challenges.c
    return (
        c.conversation_id == conversation_id
        if conversation_id
        else sa.and_(c.reference == reference, c.conversation_id.is_(None))
    )


def _hash(desk: Desk, challenge_id: str, code: str) -> str:
    return desk.vault.hash("code", f"{challenge_id}\0{code}")
