"""Zendesk Support as a channel: tickets, and the mail that becomes tickets.

Events and fields: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
Signature: https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from dsr.errors import DeliveryRejected, PayloadNotUnderstood
from dsr.messages import ContactChanged, ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply
from dsr.model import Identity
from integrations import signatures
from integrations.channel import Channel
from integrations.zendesk.api import SupportApi, path_id
from integrations.zendesk.payload import at, ident, read, text, when
from integrations.zendesk.settings import ZendeskSettings

TOLERANCE = timedelta(minutes=5)  # Zendesk documents none
EVENT = "zen:event-type:"
CREATED, COMMENTED = EVENT + "ticket.created", EVENT + "ticket.comment_added"
# An erased or suppressed person may have come back. Our own tags and suspensions raise other events.
CHANGED = frozenset({EVENT + "user.created", EVENT + "user.identity_created", EVENT + "user.identity_changed"})
# Tickets that mirror a messaging conversation: the other channel answers there, comments need not reach the chat.
MESSAGING = ("native_messaging", "messaging", "sunshine_conversations", "whatsapp")


class ZendeskChannel(Channel):
    """Reads signed ticket events, answers with public comments in the name of the API token's agent."""

    name: ClassVar[str] = "zendesk"
    label: ClassVar[str] = "Zendesk tickets"
    vendor: ClassVar[str] = "zendesk"

    def __init__(self, settings: ZendeskSettings) -> None:
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._api = SupportApi(settings.support)

    def verify(self, delivery: Delivery) -> None:
        """base64(HMAC-SHA256(secret as raw text, timestamp + body)); five minutes around the signed time."""
        signed_at = delivery.headers.get("x-zendesk-webhook-signature-timestamp", "")
        given = delivery.headers.get("x-zendesk-webhook-signature", "")
        signatures.check("zendesk", [given], [signature(self._secret, signed_at, delivery.body)])
        try:
            age = abs(delivery.received_at - datetime.fromisoformat(signed_at))
        except (ValueError, TypeError, OverflowError):
            raise DeliveryRejected("zendesk: the signature's time is missing or misshapen") from None
        if age > TOLERANCE:
            raise DeliveryRejected("zendesk: the signature is stale")

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """| what | where |
        |---|---|
        | kind, id, time | `type`, `id`, `time` |
        | ticket | `detail.id`, `.subject`, `.via.channel`, `.is_public`, `.requester_id`, `.submitter_id` |
        | first message | `detail.description`, else `event.comment.body`, else `complete` asks |
        | later message | `event.comment.{body,is_public}` |
        | author | `event.comment.author.{id,is_staff,name}`, else `detail.requester_id` |
        """
        event = read(delivery.body)
        kind, event_id, detail = text(event, "type"), ident(event, "id"), event.get("detail")
        if not kind.startswith(EVENT) or not event_id or not isinstance(detail, dict):
            raise PayloadNotUnderstood("zendesk: no event with type, id and detail")
        if kind in CHANGED:
            return _contact(event_id, event)
        if kind not in (CREATED, COMMENTED) or text(detail, "via", "channel").startswith(MESSAGING):
            return []
        comment = at(event, "event", "comment")
        if kind == CREATED and not isinstance(comment, dict):
            return _opened(event_id, event, detail)
        author = at(comment, "author")
        public, staff = at(comment, "is_public"), at(author, "is_staff")
        if not isinstance(public, bool) or not isinstance(staff, bool):
            raise PayloadNotUnderstood("zendesk: a comment that does not say who may read it or who wrote it")
        if staff or not public:
            return []
        words = (text(detail, "description") if kind == CREATED else "") or text(comment, "body")
        return [_message(event_id, event, detail, words, ident(author, "id"), text(author, "name"))]

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Ask for the author's address, and for the first comment if the event did not carry it.

        The address stays a claim: the From line of a mail is forgeable, and `verified` may have been set by an agent.
        """
        person = message.conversation.person
        if not message.text:
            path = f"tickets/{path_id(message.conversation.id)}/comments"
            first = next(self._api.rows(path, "comments"), {})
            if first.get("public") is True and ident(first, "author_id") == person:
                message = dataclasses.replace(message, text=text(first, "plain_body") or text(first, "body"))
        user = self._api.look(f"users/{path_id(person)}", "user") if person else None
        if user is None:
            return message
        address = text(user, "email").strip()
        return dataclasses.replace(
            message,
            address=address,
            evidence=Evidence.CLAIM if address else Evidence.NONE,
            author_name=message.author_name or text(user, "name"),
        )

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        self._api.comment(conversation.id, message.text, public=True)

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        self._api.comment(conversation.id, text, public=False)

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """Whether we said it after the customer's last comment (Zendesk keeps no key of ours with a comment)."""
        return said_on_ticket(self._api, conversation.id, text)

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        return (Identity("zendesk.user", conversation.person),) if conversation.person else ()

    def check(self) -> None:
        self._api.me()


def signature(secret: bytes, timestamp: str, body: bytes) -> bytes:
    """The value of `X-Zendesk-Webhook-Signature`: timestamp first, then body (an older page had them swapped)."""
    signed = timestamp.encode("utf-8", "replace") + body
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())


def said_on_ticket(api: SupportApi, ticket_id: str, words: str) -> bool:
    """Whether our agent commented these words after the last comment of anybody else."""
    ours, found = ident(api.me(), "id"), False
    for comment in api.rows(f"tickets/{path_id(ticket_id)}/comments", "comments"):
        if ident(comment, "author_id") != ours:
            found = found and comment.get("public") is not True
        else:
            theirs = (text(comment, "plain_body"), text(comment, "body"))
            found = found or words.split() in [t.split() for t in theirs]
    return found


def _opened(event_id: str, event: dict[str, Any], detail: dict[str, Any]) -> list[Inbound]:
    """A new ticket whose event carries no comment. One that an agent opened for somebody is not that person's word."""
    requester, submitter = ident(detail, "requester_id"), ident(detail, "submitter_id")
    if detail.get("is_public") is False or (submitter and submitter != requester):
        return []
    return [_message(event_id, event, detail, text(detail, "description"), requester, "")]


def _message(
    event_id: str, event: dict[str, Any], detail: dict[str, Any], words: str, person: str, name: str
) -> InboundMessage:
    ticket = ident(detail, "id")
    if not ticket:
        raise PayloadNotUnderstood("zendesk: a message without a ticket")
    return InboundMessage(
        event_id=event_id,
        conversation=ConversationRef("zendesk", ticket, person),
        text=words,
        sent_at=when(event, "time"),
        author_name=name,
        subject=text(detail, "subject") if text(event, "type") == CREATED else "",
    )


def _contact(event_id: str, event: dict[str, Any]) -> list[Inbound]:
    detail = event["detail"]
    id, address = ident(detail, "id"), text(detail, "email").strip()
    identity = at(event, "event", "identity")
    if text(identity, "type") == "email":
        address = text(identity, "value").strip()
    if not address and not id:
        return []
    return [ContactChanged(event_id, "zendesk", address, Identity("zendesk.user", id) if id else None)]
