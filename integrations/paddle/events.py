"""Paddle's notifications: a customer was created or changed, so an erased person may have come back.

https://developer.paddle.com/webhooks/overview

| `event_type` | here |
|---|---|
| `customer.created`, `customer.updated`, `customer.imported` | ContactChanged with `data.email` and `data.id` |
| the same about a customer whom we have erased | nothing: the address is our placeholder |
| all others, also unknown ones | nothing |
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from dsr.addresses import normalise
from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Delivery, Inbound, Reply
from dsr.model import Identity
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.paddle.api import Api
from integrations.paddle.lookup import CUSTOMER, Lookup
from integrations.paddle.settings import PaddleSettings

# Seconds that the signed time may differ from ours. Paddle's own packages allow 5, which a clock that is not quite
# right fails; a replay within a minute is recognised by its event id.
TOLERANCE = 60.0
CHANGED = frozenset({"customer.created", "customer.updated", "customer.imported"})
_HEADER = re.compile(r"ts=([0-9]{1,12})((?:;h1=[^;]{1,200}){1,10})", re.ASCII)


class PaddleEvents(Channel):
    """A source of events without conversations: it hears, and cannot answer."""

    name: ClassVar[str] = "paddle"
    label: ClassVar[str] = "Paddle"
    vendor: ClassVar[str] = "paddle"

    def __init__(self, settings: PaddleSettings) -> None:
        self._secrets = settings.secrets
        self._api = Api(settings)
        self._lookup = Lookup(self._api, settings)

    def verify(self, delivery: Delivery) -> None:
        """`Paddle-Signature: ts=<unix>;h1=<hex>[;h1=<hex>]`, each h1 the HMAC-SHA256 of `ts:body`; one must match."""
        form = _HEADER.fullmatch(delivery.headers.get("paddle-signature", ""))
        if not form:
            raise DeliveryRejected("paddle: the signature is missing or misshapen")
        signed = form[1].encode() + b":" + delivery.body
        wanted = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._secrets]
        signatures.check("paddle", form[2].split(";h1=")[1:], wanted)
        if abs(delivery.received_at.timestamp() - int(form[1])) > TOLERANCE:
            raise DeliveryRejected("paddle: the delivery is stale")

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The table above."""
        event = payloads.read("paddle", delivery.body)
        kind, event_id, data = _at(event, "event_type"), _at(event, "event_id"), _at(event, "data")
        if not isinstance(kind, str) or not isinstance(event_id, str) or not event_id or not isinstance(data, dict):
            raise PayloadNotUnderstood("paddle: no event with type, id and data")
        if kind not in CHANGED or self._lookup.is_placeholder(data.get("email")):
            return []
        id, email = data.get("id"), data.get("email")
        address = normalise(email) if isinstance(email, str) else ""
        if not address or not isinstance(id, str) or not id:
            raise PayloadNotUnderstood("paddle: a customer without id or address")
        return [ContactChanged(event_id, "paddle", address, Identity(CUSTOMER, id))]

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("paddle", "events are no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("paddle", "events are no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.check()


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
