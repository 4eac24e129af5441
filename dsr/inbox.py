"""Store once, then answer: a delivery and its workflow are committed in one transaction.

What was stored is what the sender may believe: a 200 is given after the commit and never before.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from dsr import addresses
from dsr.desk import Desk
from dsr.messages import (
    AgentCommand,
    ContactChanged,
    ConversationRef,
    DeletionAsked,
    Evidence,
    Inbound,
    InboundMessage,
    SuppressionReported,
)
from dsr.model import Identity
from dsr.store.tables import conversations, deliveries, messages, quarantine

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (InboundMessage, AgentCommand, ContactChanged, SuppressionReported, DeletionAsked)
}


def store(desk: Desk, channel: str, happened: Sequence[Inbound]) -> int:
    """Keep what a delivery told and enqueue its handling.

    Returns:
        how many of the events were new; the others had been stored before.
    """
    new = 0
    for event in happened:
        try:
            with desk.db.write() as conn:
                new += _store_one(desk, conn, channel, event)
        except IntegrityError:
            continue  # the same event, delivered twice at the same moment
    return new


def _store_one(desk: Desk, conn: sa.Connection, channel: str, event: Inbound) -> int:
    event_id = event.event_id if len(event.event_id) <= 200 else hashlib.sha256(event.event_id.encode()).hexdigest()
    now = desk.now()
    insert = sqlite.insert if desk.db.sqlite else postgresql.insert
    seen = insert(deliveries).values(channel=channel, event_id=event_id, received_at=now).on_conflict_do_nothing()
    if not conn.execute(seen).rowcount:
        return 0  # delivered before
    conversation_id, key_id = None, ""
    sent_at: datetime = now
    if isinstance(event, InboundMessage):
        conversation_id, key_id = conversation_of(
            desk, conn, event.conversation, event.conversation.person or event.address, event.address
        )
        sent_at = event.sent_at
    else:
        key_id = desk.vault.new_key(conn)
    row = conn.execute(
        messages.insert()
        .values(
            channel=channel,
            event_id=event_id,
            conversation_id=conversation_id,
            kind=type(event).__name__,
            key_id=key_id,
            body_enc=desk.vault.seal(conn, key_id, asdict(event) | _moments(event)),
            sent_at=sent_at,
            received_at=now,
        )
        .returning(messages.c.id)
    ).scalar_one()
    desk.tasks.handle_message(conn, row, channel, event_id)
    return 1


def _moments(event: Inbound) -> dict[str, str]:
    sent_at = getattr(event, "sent_at", None)
    return {"sent_at": sent_at.isoformat()} if isinstance(sent_at, datetime) else {}


def load(kind: str, body: dict[str, Any]) -> Inbound:
    """The event that `store` kept."""
    body = dict(body)
    if "sent_at" in body:
        body["sent_at"] = datetime.fromisoformat(body["sent_at"])
    if "conversation" in body:
        body["conversation"] = ConversationRef(**body["conversation"])
    if "evidence" in body:
        body["evidence"] = Evidence(body["evidence"])
    if body.get("identity"):
        body["identity"] = Identity(**body["identity"])
    event: Inbound = KINDS[kind](**body)
    return event


def conversation_of(
    desk: Desk, conn: sa.Connection, ref: ConversationRef, author: str, address: str = ""
) -> tuple[str, str]:
    """Id and key of one author's part of a conversation, made at their first message.

    Each author has a state of their own: a code that another participant types proves nothing (attacks G10, G11).
    """
    external_hash = desk.vault.hash("conversation", f"{ref.channel}\0{ref.id}\0{author}")
    c = conversations.c
    row = conn.execute(
        sa.select(c.id, c.key_id).where(c.channel == ref.channel, c.external_hash == external_hash)
    ).first()
    if row:
        return row.id, row.key_id
    id, key_id = secrets.token_hex(16), desk.vault.new_key(conn)
    conn.execute(
        conversations.insert().values(
            id=id,
            channel=ref.channel,
            external_hash=external_hash,
            address_hash=desk.vault.hash("address", known) if (known := addresses.normalise(address)) else None,
            key_id=key_id,
            ref_enc=desk.vault.seal(conn, key_id, asdict(ref)),
            updated_at=desk.now(),
        )
    )
    return id, key_id


def put_in_quarantine(desk: Desk, channel: str, reason: str, body: bytes) -> None:
    """Keep an authentic delivery that nobody understood, for the operator; the same body once."""
    body_hash = desk.vault.hash("quarantine", hashlib.sha256(body).hexdigest())
    with desk.db.write() as conn:
        if conn.execute(sa.select(quarantine.c.id).where(quarantine.c.body_hash == body_hash)).first():
            return
        key_id = desk.vault.new_key(conn)
        conn.execute(
            quarantine.insert().values(
                channel=channel,
                reason=reason,
                body_hash=body_hash,
                key_id=key_id,
                body_enc=desk.vault.seal(conn, key_id, body.decode("utf-8", "replace")),
                received_at=desk.now(),
            )
        )
