"""Sentry as a source of events, over real HTTP to the twin."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import (
    DeliveryRejected,
)
from dsr.model import Identities, Instruction, Operation, Outcome, Receipt, ReceiptStatus, Right
from integrations.channel import Channel
from integrations.sentry import VENDOR
from integrations.sentry.events import SentryEvents
from integrations.sentry.processor import SentryProcessor
from integrations.sentry.settings import SentrySettings
from integrations.sentry.twin import SentryTwin
from tests.contracts import ChannelContract, impatient
from tests.twins import MARIA, STRANGER, Inbox, Served, receiving, serving

ENV = {
    "SENTRY_AUTH_TOKEN": "sentry-test-token",
    "SENTRY_ORG": "intellimails",
    "SENTRY_PROJECTS": "web,api",
    "SENTRY_CLIENT_SECRET": "sentry-test-secret",
}
MARIAS = Identities.of_email(MARIA)
ION = Identities.of_email("ion.ionescu@example.com")
USER = {"id": "acc-maria", "email": MARIA, "username": None, "ip_address": "192.0.2.7"}


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(SentryTwin, env=ENV, app_url=app.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch)
    shared_world.twin(SentryTwin).reset()
    app.deliveries.clear()
    return shared_world


@pytest.fixture
def twin(world: Served) -> SentryTwin:
    return world.twin(SentryTwin)


@pytest.fixture
def processor(world: Served) -> SentryProcessor:
    return SentryProcessor(world.settings(SentrySettings))


def instruction(operation: Operation, subject: Identities = MARIAS) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, subject, "key")


def settled(processor: SentryProcessor, receipt: Receipt) -> Receipt:
    """Poll as the engine does: with note, residue and handle alone."""
    for _ in range(100):
        if receipt.status is not ReceiptStatus.IN_PROGRESS or receipt.outcome is Outcome.MANUAL:
            return receipt
        time.sleep(0.005)
        receipt = processor.status(Receipt(receipt.status, note=receipt.note, handle=receipt.handle))
    raise AssertionError("the jobs do not end")


def shared_issue(twin: SentryTwin) -> dict[str, Any]:
    (found,) = [i for i in twin.records["issues"].values() if i["title"].startswith("TimeoutError")]
    return dict(found)


def live(twin: SentryTwin) -> set[str]:
    return {i["id"] for i in twin.records["issues"].values() if not i["deleted_at"]}


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
