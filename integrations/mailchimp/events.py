"""MailChimp's audience webhooks: who unsubscribed, complained or (re)appeared there.

https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/

| `type` | more | here |
|---|---|---|
| `unsubscribe` | `data[reason]` = `abuse` | SuppressionReported, reason `complaint` |
| `unsubscribe` | other | SuppressionReported, reason `unsubscribe` |
| `unsubscribe` | `data[action]` = `delete` | nothing: somebody archived or deleted the contact, also we |
| `cleaned` | `data[reason]` = `abuse` | SuppressionReported, reason `complaint` |
| `subscribe`, `profile` | | ContactChanged |
| `upemail` | | ContactChanged with `data[new_email]` |
| all others | | nothing |
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qsl

from dsr.addresses import normalise
from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Delivery, Inbound, Reply, SuppressionReported
from integrations import signatures
from integrations.channel import Channel
from integrations.mailchimp.api import Api
from integrations.mailchimp.settings import MailchimpSettings

TOLERANCE = 300.0  # seconds that the signed time may differ from ours
MAX_FIELDS = 500
CHANGED: Mapping[str, str] = {"subscribe": "data[email]", "profile": "data[email]", "upemail": "data[new_email]"}


class MailchimpEvents(Channel):
    """A source of events without conversations: it hears, and cannot answer."""

    name: ClassVar[str] = "mailchimp"
    label: ClassVar[str] = ""  # agents never see a conversation from here
    vendor: ClassVar[str] = "mailchimp"

    def __init__(self, settings: MailchimpSettings) -> None:
        self._secrets = settings.secrets
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """`X-Mailchimp-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "t.body">`, or the secret in the webhook's address.

        A signature that is there must be right. The GET by which MailChimp tries an address when a webhook is saved
        is not signed; it says nothing and gets nothing but a 200.
        """
        if delivery.method in ("GET", "HEAD"):
            return
        header = delivery.headers.get("x-mailchimp-signature")
        if header is None:
            signatures.check("mailchimp", [delivery.query.get("secret", "")], self._secrets)
            return
        form = re.fullmatch(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", header, re.ASCII)
        if not form:
            raise DeliveryRejected("mailchimp: the signature is misshapen")
        signed = form[1].encode() + b"." + delivery.body
        wanted = [hmac.new(secret, signed, hashlib.sha256).hexdigest().encode() for secret in self._secrets]
        signatures.check("mailchimp", [form[2]], wanted)
        if abs(delivery.received_at.timestamp() - int(form[1])) > TOLERANCE:
            raise DeliveryRejected("mailchimp: the delivery is stale")

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """The table above. There is no event id: an event is its type, audience, contact and moment."""
        if delivery.method in ("GET", "HEAD"):
            return []
        fields = _fields(delivery.body)
        type = fields.get("type", "")
        if not type or "data[list_id]" not in fields or "fired_at" not in fields:
            raise PayloadNotUnderstood("mailchimp: a form without type, list or time")
        parts = (type, fields["data[list_id]"], fields.get("data[id]") or fields.get("data[new_id]", ""))
        told = "\n".join((*parts, fields.get("data[email]", ""), fields["fired_at"]))
        event_id = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:40]
        if type in CHANGED:
            return [ContactChanged(event_id, "mailchimp", _address(fields, CHANGED[type]))]
        abuse = fields.get("data[reason]") == "abuse"
        if (type == "unsubscribe" and fields.get("data[action]") != "delete") or (type == "cleaned" and abuse):
            reason = "complaint" if abuse else "unsubscribe"
            return [SuppressionReported(event_id, "mailchimp", _address(fields, "data[email]"), reason)]
        return []

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("mailchimp", "events are no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("mailchimp", "events are no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.check()


def _fields(body: bytes) -> dict[str, str]:
    """The form, read from the bytes that were signed; the first value of each name."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise PayloadNotUnderstood("mailchimp: the body is not a form") from None
    return dict(reversed(pairs))


def _address(fields: Mapping[str, str], name: str) -> str:
    address = normalise(fields.get(name, ""))
    if not address:
        raise PayloadNotUnderstood("mailchimp: an event without an address")
    return address
