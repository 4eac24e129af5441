"""Mailgun's event webhooks: a person unsubscribed or complained there, and the other senders must know.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads

| `event-data.event` | here |
|---|---|
| `unsubscribed` | SuppressionReported, reason `unsubscribe` |
| `complained` | SuppressionReported, reason `complaint` |
| all others (`delivered`, `opened`, `failed`…) | nothing |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dsr.addresses import normalise
from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ConversationRef, Delivery, Inbound, Reply, SuppressionReported
from integrations.channel import Channel
from integrations.mailgun import signature
from integrations.mailgun.api import Api
from integrations.mailgun.settings import MailgunSettings

REASONS: Mapping[str, str] = {"unsubscribed": "unsubscribe", "complained": "complaint"}


class MailgunEvents(Channel):
    """A source of events without conversations: it hears, and cannot answer."""

    name: ClassVar[str] = "mailgun"
    label: ClassVar[str] = ""  # agents never see a conversation from here
    vendor: ClassVar[str] = "mailgun"

    def __init__(self, settings: MailgunSettings) -> None:
        self._key = settings.webhook_signing_key
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """The signature stands inside the JSON body, in `signature`."""
        try:
            signed = _object(_object(_json(delivery.body)).get("signature"))
        except PayloadNotUnderstood:
            raise DeliveryRejected("mailgun: the body holds no signature") from None
        now = delivery.received_at
        signature.check(self._key, signed.get("timestamp"), signed.get("token"), signed.get("signature"), now)

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The token is the event's id here, not `event-data.id`: taking it once is what protects the body."""
        body = _object(_json(delivery.body))
        signed, event = _object(body.get("signature")), _object(body.get("event-data"))
        name, token = event.get("event"), signed.get("token")
        if not isinstance(name, str) or not isinstance(token, str) or not token:
            raise PayloadNotUnderstood("mailgun: an event without a name or a token")
        if name not in REASONS:
            return []
        recipient = event.get("recipient")
        address = normalise(recipient) if isinstance(recipient, str) else ""
        if not address:
            raise PayloadNotUnderstood("mailgun: an event without a recipient")
        return [SuppressionReported(token, "mailgun", address, REASONS[name])]

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("mailgun", "events are no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("mailgun", "events are no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.check()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadNotUnderstood("mailgun: the body is not JSON") from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PayloadNotUnderstood("mailgun: the body has another shape than an event's")
    return value
