"""Sentry as a source of events, over real HTTP to the twin."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

import pytest

from dsr.errors import (
    DeliveryRejected,
)
from dsr.model import Identities
from integrations.channel import Channel
from integrations.sentry import VENDOR
from integrations.sentry.events import SentryEvents
from integrations.sentry.processor import SentryProcessor
from integrations.sentry.settings import SentrySettings
from tests import sentry
from tests.contracts import ChannelContract
from tests.sentry import ENV
from tests.twins import STRANGER, Inbox, Served

app, shared_world, world = sentry.app, sentry.shared_world, sentry.world  # fixtures
processor = sentry.processor


def event(action: str = "created") -> bytes:
    issue = {"id": "5501", "shortId": "WEB-5501", "title": "TypeError"}
    return json.dumps({"action": action, "installation": {"uuid": "u"}, "data": {"issue": issue}, "actor": {}}).encode()


class TestSentryEvents(ChannelContract):
    vendor, env, path = VENDOR, ENV, "sentry"
    genuine = event()
    own = (event(), event("resolved"))
    signature_headers = ("sentry-hook-signature",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        digest = hmac.new(ENV["SENTRY_CLIENT_SECRET"].encode(), body, hashlib.sha256).hexdigest()
        return {"Sentry-Hook-Signature": digest, "Sentry-Hook-Resource": "issue"}

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        """Understood as nothing for us."""
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        assert list(channel.parse(genuine)) == []
        assert channel.respond(genuine).status == 200


def test_without_a_client_secret_every_webhook_is_rejected() -> None:
    settings = SentrySettings.from_env({k: v for k, v in ENV.items() if k != "SENTRY_CLIENT_SECRET"})
    assert settings is not None
    with pytest.raises(DeliveryRejected):
        SentryEvents(settings).verify(TestSentryEvents().sent(event()))


def test_what_the_twin_sends_is_accepted_and_ignored(world: Served, app: Inbox, processor: SentryProcessor) -> None:
    channel = SentryEvents(world.settings(SentrySettings))
    world._control("POST", "sentry", "crash", {"email": STRANGER, "id": "acc-new"})
    (arrived,) = app.deliveries
    channel.verify(arrived)
    assert list(channel.parse(arrived)) == []
    assert processor.find(Identities.of_email(STRANGER)).held == {"issues": 1}
