"""Promotional mail is wanted again: what an unsubscribing did at the processors is taken back; the last word wins.

It is a request of right UNSUBSCRIBE that came by `CHANNEL` and has lifts alone. Only what the desk stopped itself is
taken back; where a vendor leaves that to the person, the receipt says so. All take the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from dsr import audit, identity, lifting, receipts, requests, suppression
from dsr.desk import Desk
from dsr.model import Operation, Outcome, ReceiptStatus, RequestStatus, Right
from dsr.store.tables import receipts as receipts_table
from dsr.store.tables import requests as requests_table

CHANNEL = requests.RESUBSCRIPTION
UNDER_WAY = (str(RequestStatus.IN_PROGRESS), str(RequestStatus.PARTIALLY_COMPLETED))
OPEN = (str(ReceiptStatus.PENDING), str(ReceiptStatus.IN_PROGRESS))
c, r = requests_table.c, receipts_table.c


def forbidden(desk: Desk, conn: sa.Connection, address: str) -> bool:
    """Does something else than an unsubscribing stop the mail: an objection, an age report, or a restriction?"""
    kinds = (suppression.OBJECTION, suppression.AGE)
    if suppression.look_up(desk, conn, [address], kinds=kinds).kinds:
        return True
    mine = sa.select(c.reference).where(c.address_hash == desk.vault.hash("address", address))
    return any(lifting.pushed(conn, reference) for reference in conn.execute(mine).scalars())


def begin(desk: Desk, conn: sa.Connection, address: str, language: str) -> str:
    """End what an unsubscribing has still to do, and take back what it did, at each processor that was told.

    Args:
        address: normalised; whoever holds the token of a mail that was sent there may say this, and no more than this.

    Returns:
        the reference; empty if no processor was told.
    """
    address_hash, now = desk.vault.hash("address", address), desk.now()
    told = _told(conn, address_hash)
    busy = _end(desk, conn, address_hash, c.channel != CHANNEL)
    if not told:
        return ""
    reference = requests.open_request(
        desk,
        conn,
        Right.UNSUBSCRIBE,
        address,
        received_at=now,
        channel=CHANNEL,
        status=RequestStatus.IN_PROGRESS,
        opened_by="customer",
        language=language,
        details={"why": "subscribed again on the page"},
    )
    _plan(desk, conn, reference, Operation.LIFT, told, busy)
    desk.tasks.advance(conn, reference)
    return reference


def give_way(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """A new request stops promotional mail: a subscribing again that is under way ends.

    Where it is at work at this moment, the stop follows when that is over.
    """
    address_hash = requests.get(desk, conn, reference).row.address_hash
    identity.one_at_a_time(desk, conn, address_hash)
    busy = _end(desk, conn, address_hash, c.channel == CHANNEL)
    _plan(desk, conn, reference, Operation.SUPPRESS, busy, busy)


def _told(conn: sa.Connection, address_hash: str) -> list[str]:
    """Processors where an unsubscribing of this address was begun, and was not in vain."""
    begun = sa.or_(r.status.in_(("completed", "in_progress")), r.attempts > 0)
    query = (
        sa.select(r.processor)
        .join(requests_table, c.reference == r.reference)
        .where(c.address_hash == address_hash, c.right == str(Right.UNSUBSCRIBE), begun)
        .where(r.operation == str(Operation.SUPPRESS), sa.func.coalesce(r.outcome, "") != str(Outcome.NO_MATCH))
    )
    return list(conn.execute(query.distinct().order_by(r.processor)).scalars())


def _end(desk: Desk, conn: sa.Connection, address_hash: str, whose: sa.ColumnElement[bool]) -> dict[str, datetime]:
    """End what is under way for this address; returns processor -> until when a step there may be at work.

    The address is dropped with it, so that a worker which is just planning finds nobody to plan for.
    """
    now = desk.now()
    busy: dict[str, datetime] = {}
    mine = (c.address_hash == address_hash, c.right == str(Right.UNSUBSCRIBE), c.status.in_(UNDER_WAY))
    for reference in conn.execute(sa.select(c.reference).where(*mine, whose)).scalars().all():
        rows = receipts.rows(conn, reference)
        busy |= {row.processor: row.leased_until for row in rows if row.leased_until and row.leased_until > now}
        open_ = (r.reference == reference, r.status.in_(OPEN))
        conn.execute(receipts_table.update().where(*open_).values(status="cancelled", finished_at=now))
        why = "the person has decided otherwise since"
        requests.move(desk, conn, reference, RequestStatus.COMPLETED, who="customer", why=why)
        requests.update(conn, reference, address_enc=None, identities_enc=None)
    return busy


def _plan(
    desk: Desk,
    conn: sa.Connection,
    reference: str,
    operation: Operation,
    at: Iterable[str],
    busy: Mapping[str, datetime],
) -> None:
    due = conn.execute(sa.select(c.due_at).where(c.reference == reference)).scalar_one()
    receipts.plan(desk, conn, reference, [(processor, operation, 1) for processor in at], due)
    for processor, until in busy.items():
        mine = (r.reference == reference, r.processor == processor, r.operation == str(operation))
        conn.execute(receipts_table.update().where(*mine).values(next_at=until))


def subscribe_again(desk: Desk, conn: sa.Connection, address: str, language: str) -> bool:
    """The holder of an unsubscribe link wants promotional mail again.

    Returns:
        False if something else than the unsubscribing stops the mail: then nothing is changed.
    """
    identity.one_at_a_time(desk, conn, desk.vault.hash("address", address))
    if forbidden(desk, conn, address):
        return False
    if suppression.ALL in suppression.topics(desk, conn, address):
        suppression.lift(desk, conn, address)
        audit.record(desk, conn, who="customer", what="suppression.lifted", why="subscribed again on the page")
        begin(desk, conn, address, language)
    return True
