"""Sentry's webhooks: authenticated, and nothing comes of them: no event of Sentry's is a privacy request.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import ClassVar

from dsr.errors import DeliveryRejected, PayloadNotUnderstood, VendorRefused
from dsr.messages import ConversationRef, Delivery, Inbound, Reply
from integrations import payloads, signatures
from integrations.channel import Channel
from integrations.sentry.api import Api
from integrations.sentry.settings import SentrySettings


class SentryEvents(Channel):
    """Answers an integration's webhooks within Sentry's second, so that Sentry does not unsubscribe it."""

    name: ClassVar[str] = "sentry"
    label: ClassVar[str] = "Sentry"
    vendor: ClassVar[str] = "sentry"

    def __init__(self, settings: SentrySettings) -> None:
        self._secret = settings.client_secret
        self._api = Api(settings)

    def verify(self, delivery: Delivery) -> None:
        """`Sentry-Hook-Signature`: hex HMAC-SHA256 of the raw body. `Sentry-Hook-Timestamp` is not signed."""
        if self._secret is None:
            raise DeliveryRejected("sentry: SENTRY_CLIENT_SECRET is not set")
        wanted = hmac.new(self._secret.get_secret_value().encode(), delivery.body, hashlib.sha256).hexdigest()
        signatures.check("sentry", [delivery.headers.get("sentry-hook-signature", "")], [wanted.encode()])

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        """Nothing: an issue tells of its first event alone, and an erased person's new events are found by a look."""
        event = payloads.read("sentry", delivery.body)
        if not isinstance(event, dict) or not isinstance(event.get("action"), str):
            raise PayloadNotUnderstood("sentry: no event with an action")
        return []

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        raise VendorRefused("sentry", "events are no conversation: there is nowhere to answer")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        raise VendorRefused("sentry", "events are no conversation: there is nowhere to leave a note")

    def check(self) -> None:
        self._api.check()
