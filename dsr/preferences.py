"""Promotional mail: what a recipient wants, said with an unsubscribe link. No proof is asked: it is the safe direction.

All take the caller's transaction except `unsubscribe`, which is one of its own.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dsr import addresses, audit, identity, outgoing, receipts, requests, resubscription, suppression
from dsr.desk import Desk
from dsr.fulfilment import Step
from dsr.letters import mails
from dsr.model import RequestStatus, Right
from dsr.store.tables import requests as requests_table

RECENT = timedelta(days=1)  # what was spread longer ago and is said again: a sender may have taken the person up again


def recipient(desk: Desk, token: str) -> str | None:
    """The address of an unsubscribe link, or None: not one of ours."""
    found = suppression.read_token(desk, token)
    return addresses.normalise(found[0]) or None if found else None


def unsubscribed(desk: Desk, conn: sa.Connection, address: str) -> bool:
    """Has the person said no to all promotional mail?"""
    return suppression.ALL in suppression.topics(desk, conn, address)


def just_told(desk: Desk, conn: sa.Connection, address: str, at: datetime) -> bool:
    """Are the senders being told that the person wants no mail, or were they within the last day?"""
    c = requests_table.c
    mine = (c.address_hash == desk.vault.hash("address", address), c.right == str(Right.UNSUBSCRIBE))
    fresh = sa.or_(c.status == str(RequestStatus.IN_PROGRESS), c.received_at > at - RECENT)
    query = sa.select(c.reference).where(*mine, c.channel != resubscription.CHANNEL, fresh).limit(1)
    return conn.execute(query).first() is not None


def unsubscribe(desk: Desk, address: str, language: str, *, channel: str = "unsubscribe") -> str | None:
    """Stop all promotional mail at once; the processors follow. Repeating it is harmless.

    Within a day, or while the senders are being told, a repetition opens nothing new. Later they are told again: who
    gets mail in spite of the first word was taken up again by one of them.

    Also a link of one list stops everything: the processors know no topics, and less would be a promise unkept.

    Returns:
        the reference of the request; None if the senders are being told or have just been.
    """
    try:
        return _unsubscribe(desk, address, language, channel)
    except IntegrityError:  # another request of a person who is new here, at the same moment, on PostgreSQL
        return _unsubscribe(desk, address, language, channel)


def _unsubscribe(desk: Desk, address: str, language: str, channel: str) -> str | None:
    with desk.db.write() as conn:
        identity.one_at_a_time(desk, conn, desk.vault.hash("address", address))
        now = desk.now()
        if not suppression.add(desk, conn, address, source=channel) and just_told(desk, conn, address, now):
            return None
        reference = requests.open_request(
            desk,
            conn,
            Right.UNSUBSCRIBE,
            address,
            received_at=now,
            channel=channel,
            status=RequestStatus.IN_PROGRESS,
            opened_by="api" if channel == "api" else "customer",
            language=language,
        )
        resubscription.give_way(desk, conn, reference)
        desk.tasks.advance(conn, reference)
        return reference


def mail_link(desk: Desk, conn: sa.Connection, address: str, language: str) -> None:
    """Mail the link of the unsubscribe page to an address that somebody typed.

    Nothing is looked up, so that nobody learns whether we know the address; after too many mails nothing is sent.
    The key is of this mail alone: it tells nothing about a person either.

    Args:
        address: normalised.
    """
    if not identity.count_mail(desk, conn, desk.vault.hash("address", address), "unsubscribe_link"):
        return
    mail = mails.unsubscribe_link_mail(address, language, link=suppression.link(desk, address), company=desk.company)
    outgoing.mail(desk, conn, desk.vault.new_key(conn), mail, f"unsubscribe-link:{secrets.token_hex(16)}")


def choose_topics(desk: Desk, conn: sa.Connection, address: str, wanted: set[str]) -> None:
    """Suppress the policy's topics that are not wanted, lift those that are."""
    for topic in desk.policy.topics:
        if topic.id in wanted:
            suppression.lift(desk, conn, address, topic=topic.id)
        else:
            suppression.add(desk, conn, address, source="unsubscribe", topic=topic.id)
    audit.record(desk, conn, who="customer", what="suppression.topics", why="chosen on the page")


def carried_out(
    desk: Desk, conn: sa.Connection, address: str, *, again: bool = False
) -> tuple[datetime, list[Step]] | None:
    """How far the person's latest word is at each processor, and when it is due; None if there was none.

    Args:
        again: the word that is asked for is a subscribing again, not an unsubscribing.
    """
    c = requests_table.c
    query = sa.select(c.reference, c.due_at, c.channel).where(
        c.address_hash == desk.vault.hash("address", address), c.right == str(Right.UNSUBSCRIBE)
    )
    row = conn.execute(query.order_by(c.received_at.desc()).limit(1)).first()
    fits = row is not None and (row.channel == resubscription.CHANNEL) is again
    return (row.due_at, receipts.steps(desk, conn, row.reference)) if row and fits else None


def language_of(desk: Desk, conn: sa.Connection, address: str) -> str:
    """The language of the person's latest request; empty if there was none."""
    c = requests_table.c
    query = sa.select(c.language).where(c.address_hash == desk.vault.hash("address", address))
    return conn.execute(query.order_by(c.received_at.desc()).limit(1)).scalar() or ""
