"""Smartsupp as a channel: chats of the widget and of Facebook Messenger.

Events and fields: https://docs.smartsupp.com/rest-api/webhooks
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from dsr.errors import NotFound, PayloadNotUnderstood, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply
from dsr.model import Identity
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.smartsupp.api import Api, content_text
from integrations.smartsupp.settings import SmartsuppSettings

MESSAGES = frozenset({"conversation.contact_replied"})
CHANGED = frozenset({"contact.created", "contact.updated", "contact.acquired"})  # an erased person may have come back
CUSTOMER = "contact"  # `sub_type`; never agent, bot, trigger, system: that would answer ourselves


class SmartsuppChannel(Channel):
    """Reads signed events, answers as a bot."""

    name: ClassVar[str] = "smartsupp"
    label: ClassVar[str] = "Smartsupp"
    vendor: ClassVar[str] = "smartsupp"

    def __init__(self, settings: SmartsuppSettings) -> None:
        self._secret = settings.app_secret.get_secret_value().encode()
        self._settings = settings
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """`X-Smartsupp-Hmac` is the hex HMAC-SHA256 of the raw body with the app's secret. It signs no time.

        The older hook that support can set up is not signed, and is refused.
        """
        wanted = hmac.new(self._secret, delivery.body, hashlib.sha256).hexdigest().encode()
        signatures.check("smartsupp", [delivery.headers.get("x-smartsupp-hmac", "")], [wanted])

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        event = payloads.read("smartsupp", delivery.body)
        kind, data = _text(event, "event"), _at(event, "data")
        if _text(event, "type") != "event_callback" or not kind or not isinstance(data, dict):
            raise PayloadNotUnderstood("smartsupp: no event with its data")
        if str(event.get("app_id")) != self._settings.app_id:
            raise PayloadNotUnderstood("smartsupp: an event of another app")
        if kind in MESSAGES:
            return self._message(event, data)
        if kind in CHANGED:
            contact = data["contact"] if isinstance(data.get("contact"), dict) else data
            id, address = _text(contact, "id"), _text(contact, "email").strip()
            event_id = f"{kind}:{id}:{_text(event, 'timestamp')}"
            return [ContactChanged(event_id, "smartsupp", address, Identity("smartsupp.contact", id))] if id else []
        return []

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Ask for the author's address. It is a claim: the page or the visitor wrote it, nobody signed it."""
        person = message.conversation.person
        if message.address or not person:
            return message
        contact = self._api.contact(person)
        address = _text(contact, "email").strip()
        if not address:
            return message
        name = message.author_name or _text(contact, "name")
        return dataclasses.replace(message, address=address, evidence=Evidence.CLAIM, author_name=name)

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        self._api.say(conversation.id, message.text, self._settings.bot_id, self._settings.bot_name)

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("smartsupp", "Smartsupp documents no call for internal notes")

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """Whether a bot said these words after the customer's last message (Smartsupp keeps no key of ours)."""
        try:
            for message in self._api.messages(conversation.id):
                if message.get("sub_type") == CUSTOMER:
                    return False
                if message.get("sub_type") == "bot" and content_text(message).split() == text.split():
                    return True
        except NotFound:
            pass
        return False

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        return (Identity("smartsupp.contact", conversation.person),) if conversation.person else ()

    def check(self) -> None:
        self._api.check()

    def _message(self, event: Any, data: dict[str, Any]) -> list[Inbound]:
        """The one new message. Events have no id of their own, so the message's id is the event's."""
        message, conversation = _at(data, "message"), _at(data, "conversation")
        if _text(message, "sub_type") != CUSTOMER:
            return []
        id = _text(conversation, "id") or _text(message, "conversation_id")
        if not id:
            raise PayloadNotUnderstood("smartsupp: a message without a conversation")
        text = content_text(message)
        if not text.strip():
            return []  # a file alone
        sent = _text(message, "created_at") or _text(event, "timestamp")
        contact = _text(conversation, "contact_id") or _text(message, "contact_id")
        address = _text(data, "contact", "email").strip()
        return [
            InboundMessage(
                event_id=f"{id}:{_text(message, 'id') or sent}",
                conversation=ConversationRef("smartsupp", id, contact),
                text=text,
                sent_at=_when(sent),
                address=address,
                evidence=Evidence.CLAIM if address else Evidence.NONE,
                author_name=_text(data, "contact", "name"),
            )
        ]


def _when(text: str) -> datetime:
    """ISO 8601; some of Smartsupp's dates come without their zone, which is UTC. The legal clock starts here."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PayloadNotUnderstood("smartsupp: a message without its time") from None


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any, *path: str) -> str:
    found = _at(value, *path)
    return found if isinstance(found, str) else ""
