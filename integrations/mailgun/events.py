"""Mailgun's event webhooks: a person unsubscribed or complained there, and the other senders must know.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads

| `event-data.event` | here |
|---|---|
| `unsubscribed` | SuppressionReported, reason `unsubscribe` |
| `complained` | SuppressionReported, reason `complaint` |
| all others (`delivered`, `opened`, `failed`…) | nothing |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsr.addresses import normalise
from dsr.errors import PayloadNotUnderstood
from dsr.messages import Inbound, SuppressionReported
from integrations import payloads

REASONS: Mapping[str, str] = {"unsubscribed": "unsubscribe", "complained": "complaint"}


def signed(body: bytes) -> dict[str, Any]:
    """The three values of the signature, which stand inside the JSON body.

    Raises:
        PayloadNotUnderstood: there are none.
    """
    return _object(_object(payloads.read("mailgun", body)).get("signature"))


def parse(body: bytes) -> list[Inbound]:
    """The token is the event's id here, not `event-data.id`: taking it once is what protects the body.

    Raises:
        PayloadNotUnderstood: another shape than documented.
    """
    event, token = _object(_object(payloads.read("mailgun", body)).get("event-data")), signed(body).get("token")
    name = event.get("event")
    if not isinstance(name, str) or not isinstance(token, str) or not token:
        raise PayloadNotUnderstood("mailgun: an event without a name or a token")
    if name not in REASONS:
        return []
    recipient = event.get("recipient")
    address = normalise(recipient) if isinstance(recipient, str) else ""
    if not address:
        raise PayloadNotUnderstood("mailgun: an event without a recipient")
    return [SuppressionReported(token, "mailgun", address, REASONS[name])]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PayloadNotUnderstood("mailgun: the body has another shape than an event's")
    return value
