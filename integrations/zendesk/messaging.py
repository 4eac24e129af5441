"""Zendesk messaging as a channel (Sunshine Conversations): web widget, mobile apps, social messengers.

Webhooks: https://developer.zendesk.com/api-reference/conversations/#tag/Webhooks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from dsr.errors import PayloadNotUnderstood, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply
from dsr.model import Identity
from integrations import signatures
from integrations.channel import Channel
from integrations.zendesk.api import SupportApi, path_id
from integrations.zendesk.channel import MESSAGING, said_on_ticket
from integrations.zendesk.payload import at, ident, read, text, when
from integrations.zendesk.settings import MessagingSettings
from integrations.zendesk.sunco import KEY, SuncoApi

NAME = "zendesk-messaging"
LOOK_BACK = 500  # messages that `said` reads, newest page first


class ZendeskMessagingChannel(Channel):
    """Reads webhooks of Sunshine Conversations, answers as the business."""

    name: ClassVar[str] = NAME
    label: ClassVar[str] = "Zendesk messaging"
    vendor: ClassVar[str] = "zendesk"

    def __init__(self, settings: MessagingSettings) -> None:
        self._secret = settings.webhook_secret.get_secret_value().encode()
        self._integration = settings.integration
        self._sunco = SuncoApi(settings.sunco)
        self._support = SupportApi(settings.support) if settings.support else None

    def verify(self, delivery: Delivery) -> None:
        """`X-API-Key` is the webhook's shared secret. Neither body nor time is signed: the transport must be HTTPS."""
        signatures.check("zendesk-messaging", [delivery.headers.get("x-api-key", "")], [self._secret])

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """| what | where in `events[]` |
        |---|---|
        | id, kind | `.id`, `.type` |
        | conversation, message | `.payload.conversation.id`, `.payload.message.{id,received}` |
        | author | `.payload.message.author.{type,userId,displayName,user}`; `business` is an agent, a bot, or we |
        | text | `.payload.message.content.{text,htmlText,textFallback}` |
        """
        events = read(delivery.body).get("events")
        if not isinstance(events, list) or not events:
            raise PayloadNotUnderstood("zendesk-messaging: no events")
        return [found for event in events for found in self._understand(event)]

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        self._sunco.send(conversation.id, message.text, idempotency_key)

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        """On the linked ticket, for messaging has no notes.

        Raises:
            VendorRefused: Support is not connected, or the conversation has no ticket (yet).
        """
        ticket = self._ticket(conversation)
        if self._support is None or not ticket:
            raise VendorRefused("zendesk", "no ticket is linked to the conversation, so there is no place for a note")
        self._support.comment(ticket, text, public=False)

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """A reply carries our key in its metadata; a note is looked for on the linked ticket."""
        newest = islice(self._sunco.messages(conversation.id), LOOK_BACK)
        if any(at(message, "metadata", KEY) == idempotency_key for message in newest):
            return True
        ticket = self._ticket(conversation)
        return bool(self._support and ticket and said_on_ticket(self._support, ticket, text))

    def address_on_record(self, conversation: ConversationRef) -> str:
        user = self._sunco.user(conversation.person) if conversation.person else None
        return _address(user)[0] if user else ""

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        return (Identity("zendesk.messaging_user", conversation.person),) if conversation.person else ()

    def check(self) -> None:
        self._sunco.app()

    def _ticket(self, conversation: ConversationRef) -> str:
        """The newest unsolved messaging ticket of the conversation's author; "" if there is none."""
        user = self._sunco.user(conversation.person) if self._support and conversation.person else None
        support_id = ident(user, "zendeskId")
        if self._support is None or not support_id:
            return ""
        tickets = self._support.rows(f"users/{path_id(support_id)}/tickets/requested", "tickets")
        open_ones = (
            int(ident(t, "id"))
            for t in tickets
            if t.get("status") not in ("solved", "closed") and text(t, "via", "channel").startswith(MESSAGING)
        )
        return str(max(open_ones, default=0) or "")

    def _understand(self, event: Any) -> Iterator[Inbound]:
        kind, event_id = text(event, "type"), ident(event, "id")
        if not kind or not event_id:
            raise PayloadNotUnderstood("zendesk-messaging: an event without type and id")
        if kind == "user:update":
            user = at(event, "payload", "user")
            address, id = _address(user)[0], ident(user, "id")
            if address:
                yield ContactChanged(
                    event_id, "zendesk", address, Identity("zendesk.messaging_user", id) if id else None
                )
        elif kind == "conversation:message":
            yield from self._message(event_id, at(event, "payload"))

    def _message(self, event_id: str, payload: Any) -> Iterator[InboundMessage]:
        conversation, message = ident(payload, "conversation", "id"), at(payload, "message")
        author, content = at(message, "author"), at(message, "content")
        if not conversation or not text(author, "type") or not text(content, "type"):
            raise PayloadNotUnderstood("zendesk-messaging: a message without conversation, author or content")
        words = text(content, "text") or text(content, "htmlText") or text(content, "textFallback")
        holder = text(payload, "conversation", "activeSwitchboardIntegration", "name")
        elsewhere = bool(self._integration and holder and holder != self._integration)
        if text(author, "type") != "user" or not words.strip() or elsewhere:
            return
        user = at(author, "user")
        address, evidence = _address(user)
        yield InboundMessage(
            event_id=event_id,
            conversation=ConversationRef(NAME, conversation, ident(author, "userId") or ident(user, "id")),
            text=words,
            sent_at=when(message, "received"),
            address=address,
            evidence=evidence,
            author_name=text(author, "displayName"),
            external_id=ident(user, "externalId") if at(user, "authenticated") is True else "",
        )


def _address(user: Any) -> tuple[str, Evidence]:
    """The author's address, and whether the channel vouches for it.

    SIGNED needs both: the user is signed in (JWT of the company, or Help Center), and this very address came with
    that sign-in (`verification` is `sso`). What a visitor typed (`embed`, or the profile's `email`) is a claim.
    """
    identities = at(user, "identities")
    listed = [i for i in identities if text(i, "type") == "email"] if isinstance(identities, list) else []
    addresses = [(text(i, "value").strip(), text(i, "verification")) for i in listed]
    if at(user, "authenticated") is True:
        for address, verification in addresses:
            if address and verification == "sso":
                return address, Evidence.SIGNED
    for address in (*(a for a, _ in addresses), text(user, "profile", "email").strip()):
        if address:
            return address, Evidence.CLAIM
    return "", Evidence.NONE
