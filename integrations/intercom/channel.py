"""Intercom as a channel: conversations in the Messenger, and e-mail and social messages that land in the inbox.

Topics and fields: https://developers.intercom.com/docs/webhooks/webhook-notifications
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from dsr.errors import PayloadNotUnderstood, VendorAnswerUnexpected
from dsr.messages import (
    ContactChanged,
    ConversationRef,
    Delivery,
    Evidence,
    Inbound,
    InboundMessage,
    Reply,
    SuppressionReported,
)
from dsr.model import Identity
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.intercom.api import Api, Object, path_id
from integrations.intercom.settings import IntercomSettings

# topic -> where its message stands in `data.item`
MESSAGES = {"conversation.user.created": "source", "conversation.user.replied": "conversation_parts"}
UNSUBSCRIBED = frozenset({"contact.unsubscribed"})
CHANGED = frozenset(
    {"contact.created", "contact.user.created", "contact.lead.created", "contact.email.updated"}
)  # an erased or suppressed person may have come back
CUSTOMERS = frozenset({"user", "lead", "contact"})  # never bot, admin, team: that would answer ourselves


class IntercomChannel(Channel):
    """Reads signed notifications, answers as the desk's own teammate."""

    name: ClassVar[str] = "intercom"
    label: ClassVar[str] = "Intercom"
    vendor: ClassVar[str] = "intercom"

    def __init__(self, settings: IntercomSettings) -> None:
        self._secret = settings.client_secret.get_secret_value().encode()
        self._enforced = settings.identity_enforced
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """`X-Hub-Signature: sha1=<hex>` of the raw body with the app's client secret. It signs no time."""
        wanted = b"sha1=" + hmac.new(self._secret, delivery.body, hashlib.sha1).hexdigest().encode()
        signatures.check("intercom", [delivery.headers.get("x-hub-signature", "")], [wanted])

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        event = payloads.read("intercom", delivery.body)
        topic, event_id, item = _text(event, "topic"), _text(event, "id"), _at(event, "data", "item")
        if not topic or not event_id or not isinstance(item, dict):
            raise PayloadNotUnderstood("intercom: no notification with topic, id and item")
        if topic in MESSAGES:
            return self._message(event_id, item, MESSAGES[topic])
        address = (_text(item, "email")).strip()
        if topic in UNSUBSCRIBED and address:
            return [SuppressionReported(event_id, "intercom", address)]
        if topic in CHANGED:
            id = _text(item, "id")
            return [ContactChanged(event_id, "intercom", address, Identity("intercom.contact", id) if id else None)]
        return []

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Ask for the author's address when the notification had none. It stays a claim: leads type it themselves."""
        person = message.conversation.person
        if message.address or not person:
            return message
        contact = self._api.contact(person)
        address = _text(contact, "email").strip()
        if contact is None or str(contact.get("id")) != person or not address:  # a merged one may be somebody else
            return message
        return dataclasses.replace(
            message,
            address=address,
            evidence=message.evidence if message.evidence is Evidence.SIGNED else Evidence.CLAIM,
            author_name=message.author_name or _text(contact, "name"),
        )

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        self._say(conversation, "comment", message.text)

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        self._say(conversation, "note", text)

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """Whether we said it after the customer's last message (Intercom keeps no key of ours with a part)."""
        found = self._api.conversation(conversation.id)
        if found is None:
            return False
        for part in reversed(_parts(found)):
            author = _at(part, "author")
            if _text(author, "type") in CUSTOMERS and part.get("part_type") != "note":
                return False
            ours = _text(author, "type") == "admin" and str(_at(author, "id")) == self._api.admin_id
            if ours and _words(_text(part, "body")) == _words(text):
                return True
        return False

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        return (Identity("intercom.contact", conversation.person),) if conversation.person else ()

    def check(self) -> None:
        """The token is good, and the teammate in whose name we answer exists."""
        self._api.call("GET", "me", "admin")
        self._api.call("GET", f"admins/{path_id(self._api.admin_id)}", "admin")

    def _say(self, conversation: ConversationRef, kind: str, text: str) -> None:
        said = self._api.call(
            "POST",
            f"conversations/{path_id(conversation.id)}/reply",
            "conversation",
            json={"message_type": kind, "type": "admin", "admin_id": self._api.admin_id, "body": as_html(text)},
        )
        if str(said.get("id")) != conversation.id:
            raise VendorAnswerUnexpected("intercom", "answered for another conversation")

    def _message(self, event_id: str, item: Object, where: str) -> list[Inbound]:
        """The new message alone: the source of a new conversation, else the newest part by a customer."""
        source = item.get("source")
        written = [source] if where == "source" else _parts(item)
        theirs = [part for part in written if isinstance(part, dict) and _is_customers(part)]
        if not theirs:
            return []
        part = max(enumerate(theirs), key=lambda n: (_seconds(n[1], item), n[0]))[1]
        conversation, author = _id(item), part["author"]
        if not conversation:
            raise PayloadNotUnderstood("intercom: a message without a conversation")
        address, person = _text(author, "email").strip(), _id(author)
        external = _external_id(item, person) if _text(author, "type") == "user" else ""
        return [
            InboundMessage(
                event_id=event_id,
                conversation=ConversationRef("intercom", conversation, person),
                text=_text(part, "body"),
                sent_at=_when(_seconds(part, item)),
                address=address,
                evidence=self._evidence(address, external, source, part),
                author_name=_text(author, "name"),
                external_id=external,
                subject=_text(source, "subject") if where == "source" else "",
            )
        ]

    def _evidence(self, address: str, external_id: str, source: Any, part: Object) -> Evidence:
        """SIGNED only for a signed-in user in the Messenger itself.

        Intercom attaches an e-mail to a user by its From address, which anybody can write: a message that came by
        e-mail proves nothing, whoever Intercom says wrote it.
        """
        in_messenger = _text(source, "type") == "conversation" and not part.get("email_message_metadata")
        if self._enforced and address and external_id and in_messenger:
            return Evidence.SIGNED
        return Evidence.CLAIM if address else Evidence.NONE


def as_html(text: str) -> str:
    """A reply as Intercom wants it: one `<p>` a paragraph. Our words are never markup."""
    paragraphs = [p.strip() for p in re.split(r"\n{2,}", text.strip())]
    return "".join(f"<p>{'<br>'.join(html.escape(p, quote=False).split(chr(10)))}</p>" for p in paragraphs)


def _words(text: str) -> list[str]:
    return re.sub(r"<[^>]*>", " ", text).split()


def _is_customers(part: Object) -> bool:
    author = _at(part, "author")
    by_a_person = _text(author, "type") in CUSTOMERS and _at(author, "from_ai_agent") is not True
    return by_a_person and part.get("part_type") != "note" and bool(_text(part, "body").strip())


def _parts(conversation: Object) -> list[Object]:
    """The parts, oldest first."""
    parts = _at(conversation, "conversation_parts", "conversation_parts")
    found = [p for p in parts if isinstance(p, dict)] if isinstance(parts, list) else []
    return sorted(found, key=lambda part: _seconds(part, {}))


def _external_id(item: Object, person: str) -> str:
    contacts = _at(item, "contacts", "contacts")
    mine = [c for c in contacts if _id(c) == person] if isinstance(contacts, list) and person else []
    return _text(mine[0], "external_id") if mine else ""


def _seconds(part: Object, item: Object) -> int:
    """`created_at` of the part (the source has none of its own in some versions: then of the conversation)."""
    for value in (part.get("created_at"), item.get("created_at")):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0


def _when(seconds: int) -> datetime:
    if not 0 < seconds < 2**33:  # the legal clock starts here: no guess
        raise PayloadNotUnderstood("intercom: a message without its time")
    return datetime.fromtimestamp(seconds, UTC)


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any, *path: str) -> str:
    found = _at(value, *path)
    return found if isinstance(found, str) else ""


def _id(value: Any) -> str:
    found = _at(value, "id")
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""
