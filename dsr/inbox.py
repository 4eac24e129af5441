"""Store once, then answer: a delivery and its workflow are committed in one transaction.

What was stored is what the sender may believe: a 200 is given after the commit and never before.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from dsr import addresses, by_mail
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
    if isinstance(event, InboundMessage) and _mail_to_ignore(desk, conn, channel, event):
        return 0
    conversation_id, key_id = None, ""
    sent_at: datetime = now
    if isinstance(event, InboundMessage):
        conversation_id, key_id = _answered(desk, conn, event) or conversation_of(
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


def _mail_to_ignore(desk: Desk, conn: sa.Connection, channel: str, event: InboundMessage) -> bool:
    """Is it a mail from one of our own mailboxes, or one that was delivered before under another event id?"""
    ref = event.conversation
    if ref.channel in desk.by_mail and ref.person in by_mail.own_mailboxes(desk):
        return True
    if not event.message_id:
        return False
    # The author is part of the key, so that nobody else's mail can take the place of theirs.
    mail = desk.vault.hash("mail", f"{event.message_id}\0{ref.person}\0{event.text}")
    insert = sqlite.insert if desk.db.sqlite else postgresql.insert
    row = insert(deliveries).values(channel=channel, event_id=f"mail:{mail}", received_at=desk.now())
    return not conn.execute(row.on_conflict_do_nothing()).rowcount


def _answered(desk: Desk, conn: sa.Connection, event: InboundMessage) -> tuple[str, str] | None:
    """Id and key of the conversation whose mail this one answers, if its author is the one whom we wrote to."""
    if event.conversation.channel not in desk.by_mail:
        return None
    c = conversations.c
    for id in by_mail.named_in(event.conversation.references):
        row = conn.execute(sa.select(c.channel, c.key_id, c.ref_enc).where(c.id == id)).first()
        if row and row.channel in desk.by_mail and desk.vault.alive(conn, row.key_id):
            ref = ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc))
            if ref.person and ref.person == event.conversation.person:
                return id, row.key_id
    return None


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
    if ref.channel in desk.by_mail:
        author = addresses.normalise(author) or author
        ref = replace(ref, person=addresses.normalise(author))  # where the answers go
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


def from_quarantine(desk: Desk, conn: sa.Connection, row: sa.Row[Any]) -> tuple[str, bytes]:
    """Content type and body of a row of the quarantine."""
    content_type, body = desk.vault.open(conn, row.key_id, row.body_enc)
    return content_type, b64decode(body)


def put_in_quarantine(desk: Desk, channel: str, reason: str, body: bytes, content_type: str = "") -> None:
    """Keep an authentic delivery that nobody understood, for the operator; the same body once.

    Args:
        content_type: as it came, with its parameters: a form is read again by it.
    """
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
                body_enc=desk.vault.seal(conn, key_id, [content_type, b64encode(body).decode()]),
                received_at=desk.now(),
            )
        )
