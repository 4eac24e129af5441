"""HubSpot's events: who opted out of mail there, and which contacts (re)appeared.

https://developers.hubspot.com/docs/apps/developer-platform/add-features/configure-webhooks

| `subscriptionType` | more | here |
|---|---|---|
| `contact.propertyChange` | `hs_email_optout` = `true` | SuppressionReported (the address is asked for later) |
| `contact.propertyChange` | `email` | ContactChanged with the new address |
| `contact.creation`, `contact.restore` | | ContactChanged |
| `object.propertyChange`, `object.creation`, `object.restore` | `objectTypeId` = `0-1` | as above |
| all others | opting out of one type, deletion, privacy deletion, conversations | nothing |
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dsr.addresses import normalise
from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Delivery, Inbound, Reply, SuppressionReported
from dsr.model import Identity
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.hubspot.api import Api
from integrations.hubspot.lookup import CONTACT, primary_of
from integrations.hubspot.settings import HubspotSettings

TOLERANCE = 300_000  # milliseconds that the signed time may differ from ours
CONTACTS = "0-1"  # HubSpot's type of contacts


class HubspotEvents(Channel):
    """A source of events without conversations: it hears, and cannot answer."""

    name: ClassVar[str] = "hubspot"
    label: ClassVar[str] = "HubSpot"
    vendor: ClassVar[str] = "hubspot"

    def __init__(self, settings: HubspotSettings) -> None:
        self._secret = settings.client_secret
        self._base_url = settings.base_url.rstrip("/")
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """Signature v3: base64 HMAC-SHA256 of method, the address called, raw body and time in milliseconds.

        The address is the configured one and not rebuilt from headers, which a proxy changes and anybody can send.
        Versions 1 and 2 sign no time and are not accepted.
        """
        if self._secret is None or not self._base_url:
            raise DeliveryRejected("hubspot: HUBSPOT_CLIENT_SECRET or BASE_URL is not set")
        time = delivery.headers.get("x-hubspot-request-timestamp", "")
        if not re.fullmatch(r"[0-9]{1,16}", time, re.ASCII):
            raise DeliveryRejected("hubspot: the signed time is missing or misshapen")
        address = f"{delivery.method}{self._base_url}{delivery.path}"
        wanted = signature(self._secret.get_secret_value(), address.encode() + delivery.body + time.encode())
        signatures.check("hubspot", [delivery.headers.get("x-hubspot-signature-v3", "")], [wanted])
        if abs(delivery.received_at.timestamp() * 1000 - int(time)) > TOLERANCE:
            raise DeliveryRejected("hubspot: the delivery is stale")

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The table above. `eventId` is not promised to be unique, so an event is its id, subscription and moment."""
        events = payloads.read("hubspot", delivery.body)
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise PayloadNotUnderstood("hubspot: no list of events")
        return [happened for event in events for happened in _read(event)]

    def address_of(self, identity: Identity) -> str:
        """The contact's primary address, in the worker: an event names it by id alone; "" if it is gone."""
        contact = self._api.contact(identity.value) if identity.type == CONTACT else None
        return normalise(primary_of(contact)) if contact else ""

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("hubspot", "events are no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("hubspot", "events are no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.contact_properties()


def signature(secret: str, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())


def _read(event: Mapping[str, Any]) -> list[Inbound]:
    type, contact = event.get("subscriptionType"), _number(event, "objectId")
    moment = [_number(event, key) for key in ("portalId", "subscriptionId", "eventId", "occurredAt")]
    if not isinstance(type, str) or not contact or not all(moment):
        raise PayloadNotUnderstood("hubspot: an event without type, object or moment")
    kind, _, what = type.partition(".")
    if kind != "contact" and (kind, event.get("objectTypeId")) != ("object", CONTACTS):
        return []
    event_id, identity = ":".join((*moment, contact)), Identity(CONTACT, contact)
    if what in ("creation", "restore"):
        return [ContactChanged(event_id, "hubspot", "", identity)]
    name, value = event.get("propertyName"), event.get("propertyValue")
    if what == "propertyChange" and name == "email" and isinstance(value, str) and normalise(value):
        return [ContactChanged(event_id, "hubspot", normalise(value), identity)]
    if what == "propertyChange" and name == "hs_email_optout" and str(value).lower() == "true":
        return [SuppressionReported(event_id, "hubspot", "", identity=identity)]
    return []


def _number(event: Mapping[str, Any], key: str) -> str:
    """HubSpot writes ids as numbers; some clients have seen them as text."""
    value = event.get(key)
    found = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return found if re.fullmatch(r"[0-9]{1,25}", found, re.ASCII) else ""
