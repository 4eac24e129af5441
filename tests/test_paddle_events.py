"""Paddle's events: recorded ones, and those that the twin sends."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsr.errors import (
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorRefused,
)
from dsr.messages import ContactChanged, ConversationRef, Delivery, Reply
from dsr.model import Identities, Identity, Instruction, Operation, Right
from integrations.channel import Channel
from integrations.paddle import VENDOR
from integrations.paddle.events import PaddleEvents
from integrations.paddle.processor import PaddleProcessor
from integrations.paddle.settings import PaddleSettings
from integrations.paddle.twin import PaddleTwin
from tests.contracts import ChannelContract
from tests.twins import MARIA, delivery, receiving, serving

ENV = {
    "PADDLE_API_KEY": "pdl_sdbx_apikey_01gtgztp8f4kek3yd4g1wrksa3",
    "PADDLE_WEBHOOK_SECRET": "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
}
FIXTURES = Path(__file__).parent / "fixtures" / "paddle"
MARIAS = Identities.of_email(MARIA)


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes().strip()


def signature(body: bytes, at: float | None = None) -> dict[str, str]:
    ts = str(int(time.time() if at is None else at))
    digest = hmac.new(ENV["PADDLE_WEBHOOK_SECRET"].encode(), f"{ts}:".encode() + body, hashlib.sha256).hexdigest()
    return {"Paddle-Signature": f"ts={ts};h1={digest}"}


def instruction(operation: Operation, subject: Identities, right: Right = Right.ERASURE, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key", changes)


class TestPaddleEvents(ChannelContract):
    vendor, env, path = VENDOR, ENV, "paddle"
    genuine = recorded("customer_updated")
    own = (recorded("transaction_completed"),)
    signature_headers = ("paddle-signature",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        return signature(body)

    def stale(self, body: bytes) -> Delivery:
        return delivery(body, signature(body, time.time() - 400), path="/webhooks/paddle")

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        """Nobody writes at Paddle, so what comes is news of a customer."""
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        assert list(channel.parse(genuine)) == [
            ContactChanged(
                "evt_01hv8xq5cs1ntm3xs9nh0tk6d6",
                "paddle",
                MARIA,
                Identity("paddle.customer", "ctm_01hv6y1jedq4p1n0yqn5ba3ky4"),
            )
        ]
        assert channel.respond(genuine).status == 200


@pytest.fixture
def events() -> PaddleEvents:
    settings = PaddleSettings.from_env(ENV)
    assert settings is not None
    return PaddleEvents(settings)


def test_the_signature_of_paddles_own_tests_is_accepted(events: PaddleEvents) -> None:
    header = "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02"
    sent = delivery(b"hello-world", {"Paddle-Signature": header})
    then = datetime.fromtimestamp(1696195954, UTC)
    events.verify(dataclasses.replace(sent, received_at=then))
    with pytest.raises(DeliveryRejected):
        events.verify(sent)


def test_while_a_secret_is_replaced_both_are_good_and_without_one_none_is() -> None:
    body = recorded("customer_updated")
    both = PaddleSettings.from_env({**ENV, "PADDLE_WEBHOOK_SECRET": f"new-secret, {ENV['PADDLE_WEBHOOK_SECRET']}"})
    none = PaddleSettings.from_env({"PADDLE_API_KEY": ENV["PADDLE_API_KEY"]})
    assert both is not None
    assert none is not None
    PaddleEvents(both).verify(delivery(body, signature(body)))
    empty = {"Paddle-Signature": f"ts={int(time.time())};h1={hmac.new(b'', body, hashlib.sha256).hexdigest()}"}
    for headers in (signature(body), empty):
        with pytest.raises(DeliveryRejected):
            PaddleEvents(none).verify(delivery(body, headers))


def test_the_customer_whom_we_have_erased_is_no_news(events: PaddleEvents) -> None:
    event = json.loads(recorded("customer_updated"))
    event["data"]["email"] = "pr-test01-1@erased.invalid"
    assert events.parse(delivery(json.dumps(event).encode())) == []
    event["data"]["email"] = "not an address"
    with pytest.raises(PayloadNotUnderstood):
        events.parse(delivery(json.dumps(event).encode()))


def test_there_is_nowhere_to_answer(events: PaddleEvents) -> None:
    nowhere = ConversationRef("paddle", "x")
    with pytest.raises(VendorRefused):
        events.reply(nowhere, Reply("x"), idempotency_key="k")
    with pytest.raises(VendorRefused):
        events.note(nowhere, "x", idempotency_key="k")


def test_what_the_twin_sends_is_accepted_and_understood() -> None:
    with receiving() as inbox, serving(PaddleTwin, env=ENV, app_url=inbox.url) as world:
        channel = PaddleEvents(world.settings(PaddleSettings))
        inbox.accept = channel.verify
        world._control("POST", "paddle", "checkout", {"email": "new.buyer@example.net", "name": "New Buyer"})
        (bought,) = inbox.deliveries
        (news,) = channel.parse(bought)
        assert isinstance(news, ContactChanged)
        assert news.address == "new.buyer@example.net"
        PaddleProcessor(world.settings(PaddleSettings)).erase(instruction(Operation.ERASE, MARIAS))
        later = inbox.deliveries[1:]
        assert later
        assert [found for d in later for found in channel.parse(d)] == []
