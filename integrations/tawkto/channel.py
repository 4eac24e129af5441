"""tawk.to as a channel that can only begin: what a visitor writes is read, everything else happens by mail.

tawk.to publishes no call that puts a message into a chat, and sends no event for each message: the first message of a
chat comes at once, the whole chat some minutes after its end.

Events and fields: https://developer.tawk.to/webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from dsr.errors import PayloadNotUnderstood, VendorRefused
from dsr.messages import ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.tawkto.settings import TawktoSettings

STARTED = frozenset({"chat:start"})
TRANSCRIPT = frozenset({"chat:transcript_created", "chat:transcript"})  # older pages use the second name
TICKET = frozenset({"ticket:create"})
SILENT = frozenset({"chat:end"})  # names the visitor, but carries no words
NO_WAY_IN = "tawk.to has no call that writes into a chat: the person is answered by mail"


class TawktoChannel(Channel):
    """Reads signed events; cannot speak."""

    name: ClassVar[str] = "tawkto"
    label: ClassVar[str] = "tawk.to"
    vendor: ClassVar[str] = "tawkto"
    answers_by_mail: ClassVar[bool] = True

    def __init__(self, settings: TawktoSettings) -> None:
        self._secret = settings.webhook_secret.get_secret_value().encode()

    def verify(self, delivery: Delivery) -> None:
        """`X-Tawk-Signature` is the hex HMAC-SHA1 of the raw body with the webhook's secret. It signs no time."""
        wanted = hmac.new(self._secret, delivery.body, hashlib.sha1).hexdigest().encode()
        signatures.check("tawkto", [delivery.headers.get("x-tawk-signature", "")], [wanted])

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The visitor's words, each once, whichever of the events brings them first.

        The address is what the visitor typed or the page said: a claim. The events do not say whether secure mode
        vouched for it.
        """
        event = payloads.read("tawkto", delivery.body)
        kind = _text(event, "event")
        if kind in STARTED:
            message = _at(event, "message")
            visitor = {"type": "msg", "sender": {"t": "v"}, "msg": _text(message, "text")}
            theirs = _text(message, "sender", "type") == "visitor" and _text(message, "type") == "msg"
            return list(self._chat(event, _text(event, "chatId"), _at(event, "visitor"), [visitor] if theirs else []))
        if kind in TRANSCRIPT:
            messages = _at(event, "chat", "messages")
            if not isinstance(messages, list):
                raise PayloadNotUnderstood("tawkto: a transcript without messages")
            return list(self._chat(event, _text(event, "chat", "id"), _at(event, "chat", "visitor"), messages))
        if kind in TICKET:
            return [self._ticket(event)]
        if kind in SILENT:
            return []
        raise PayloadNotUnderstood("tawkto: an event that we do not know")

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("tawkto", NO_WAY_IN)

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("tawkto", "tawk.to has no call for internal notes")

    def check(self) -> None:
        """There is nothing to call. A wrong secret shows when the first event is rejected."""

    def _chat(self, event: Any, id: str, visitor: Any, messages: Sequence[Any]) -> Iterator[InboundMessage]:
        """The visitor's text messages; a transcript has no times of their own, so the event's time counts."""
        if not id:
            raise PayloadNotUnderstood("tawkto: a chat without its id")
        sent_at, address = _when(event), _text(visitor, "email").strip()
        seen: set[str] = set()
        for message in messages:
            text = _text(message, "msg").strip()
            if _text(message, "sender", "t") != "v" or _text(message, "type") != "msg" or not text:
                continue
            event_id = self._event_id(id, text)
            if event_id in seen:
                continue
            seen.add(event_id)
            yield InboundMessage(
                event_id=event_id,
                conversation=ConversationRef("tawkto", id),
                text=text,
                sent_at=sent_at,
                address=address,
                evidence=Evidence.CLAIM if address else Evidence.NONE,
                author_name=_text(visitor, "name"),
            )

    def _ticket(self, event: Any) -> InboundMessage:
        id = _text(event, "ticket", "id")
        if not id:
            raise PayloadNotUnderstood("tawkto: a ticket without its id")
        address = _text(event, "requester", "email").strip()
        return InboundMessage(
            event_id=f"ticket:{id}",
            conversation=ConversationRef("tawkto", f"ticket:{id}"),
            text=_text(event, "ticket", "message"),
            sent_at=_when(event),
            address=address,
            evidence=Evidence.CLAIM if address else Evidence.NONE,
            author_name=_text(event, "requester", "name"),
            subject=_text(event, "ticket", "subject"),
        )

    def _event_id(self, chat: str, text: str) -> str:
        """The same for the same words in the same chat, so that the transcript does not repeat the chat's first event.

        `X-Hook-Event-Id` is not covered by the signature: who replays a body could choose another one. The keyed hash
        keeps the words out of the list of deliveries.
        """
        words = " ".join(text.split())
        digest = hmac.new(self._secret, f"{chat}\n{words}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        return f"{chat}:{digest[:24]}"


def _when(event: Any) -> datetime:
    """`time` of the event; the legal clock starts here, so no guess."""
    try:
        found = datetime.fromisoformat(_text(event, "time"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PayloadNotUnderstood("tawkto: an event without its time") from None


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any, *path: str) -> str:
    found = _at(value, *path)
    return found if isinstance(found, str) else ""
