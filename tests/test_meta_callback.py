"""Meta's data deletion callback."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest

from dsr.errors import DeliveryRejected, VendorRefused
from dsr.messages import ConversationRef, DeletionAsked, Delivery, Reply
from dsr.model import Identity
from integrations.channel import Channel
from integrations.meta import VENDOR
from integrations.meta.channel import MetaDataDeletion
from integrations.meta.settings import MetaSettings
from integrations.meta.twin import MetaTwin
from tests.contracts import ChannelContract
from tests.twins import delivery, receiving, serving

ENV = {
    "META_ACCESS_TOKEN": "EAAsystemusertoken",
    "META_APP_SECRET": "meta-test-secret",
    "META_AD_ACCOUNT_IDS": "1001",
}
PAYLOAD = {"algorithm": "HMAC-SHA256", "issued_at": 1790000000, "user_id": "218471"}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(body: bytes, secret: str = ENV["META_APP_SECRET"]) -> bytes:
    payload = encoded(body)
    signature = encoded(hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest())
    return urlencode({"signed_request": f"{signature}.{payload}"}).encode()


def posted(body: bytes) -> Delivery:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return delivery(body, headers, path="/webhooks/meta/data-deletion")


class TestMetaDataDeletion(ChannelContract):
    vendor, env, path = VENDOR, ENV, "meta/data-deletion"
    genuine = json.dumps(PAYLOAD).encode()
    is_json: ClassVar[bool] = False

    def sent(self, body: bytes) -> Delivery:
        """The signature stands inside the form."""
        return posted(signed(body))

    def forgeries(self, genuine: Delivery) -> Iterator[tuple[str, Delivery]]:
        value = genuine.body.removeprefix(b"signed_request=")
        signature, _, payload = value.partition(b".")
        for bad in (
            b"",
            b".",
            signature,
            b"." + payload,
            signature + b".",
            payload + b"." + signature,
            b"A" + signature[1:] + b"." + payload,
            signature[:20] + b"." + payload,
            b"%E2%98%83." + payload,
            b"\xff\xfe." + payload,
            b"a" * 100_000,
            value + b"&signed_request=" + value,
        ):
            yield repr(bad[:30]), dataclasses.replace(genuine, body=b"signed_request=" + bad)
        yield "no form", dataclasses.replace(genuine, body=b"{}")
        yield "many fields", dataclasses.replace(genuine, body=b"a=1&" * 50 + genuine.body)

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        """Not a message: an event about a user id."""
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (event,) = channel.parse(genuine)
        assert isinstance(event, DeletionAsked)
        assert (event.vendor, event.identity) == ("meta", Identity("meta.user", "218471"))
        assert event.sent_at.timestamp() <= genuine.received_at.timestamp()
        assert "218471" not in event.event_id


@pytest.fixture
def callback() -> MetaDataDeletion:
    settings = MetaSettings.from_env({**ENV, "META_STATUS_URL": "https://privacy.example.com/status/"})
    assert settings is not None
    return MetaDataDeletion(settings)


def test_a_signature_made_by_openssl_is_accepted(callback: MetaDataDeletion) -> None:
    """printf PAYLOAD | openssl dgst -sha256 -hmac meta-test-secret -binary | base64 | tr '+/' '-_'"""
    payload = "eyJhbGdvcml0aG0iOiJITUFDLVNIQTI1NiIsImlzc3VlZF9hdCI6MTc5MDAwMDAwMCwidXNlcl9pZCI6IjIxODQ3MSJ9"
    callback.verify(posted(f"signed_request=rnfjKfPQe199zeBlnXfPYB30hfK_EwBc0aRuTVISaTI.{payload}".encode()))


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "HMAC-SHA1"},
        {"algorithm": None},
        {"user_id": None},
        {"user_id": ""},
        {"user_id": 218471.5},
        {"user_id": "../1"},
        {"user_id": ["1"]},
    ],
)
def test_a_signed_request_without_user_or_with_another_algorithm_is_rejected(
    callback: MetaDataDeletion, change: dict[str, Any]
) -> None:
    with pytest.raises(DeliveryRejected):
        callback.verify(posted(signed(json.dumps({**PAYLOAD, **change}).encode())))


def test_meta_is_answered_with_a_page_and_a_code_that_stays_the_same(callback: MetaDataDeletion) -> None:
    first, again = (callback.respond(posted(signed(json.dumps(PAYLOAD).encode()))) for _ in range(2))
    answer = json.loads(first.body)
    code = answer["confirmation_code"]
    assert answer == {"url": f"https://privacy.example.com/status/{code}", "confirmation_code": code}
    assert code.isalnum()
    assert len(code) == 32
    assert (first.status, first.content_type.split(";")[0]) == (200, "application/json")
    assert again == first
    (event,) = callback.parse(posted(signed(json.dumps(PAYLOAD).encode())))
    assert event.event_id == code
    later = callback.respond(posted(signed(json.dumps({**PAYLOAD, "issued_at": 1790000001}).encode())))
    assert json.loads(later.body)["confirmation_code"] != code


def test_without_a_status_page_the_address_is_the_root() -> None:
    settings = MetaSettings.from_env(ENV)
    assert settings is not None
    answer = MetaDataDeletion(settings).respond(posted(signed(json.dumps(PAYLOAD).encode())))
    assert json.loads(answer.body)["url"] == "/"


def test_a_user_id_is_no_conversation(callback: MetaDataDeletion) -> None:
    ref = ConversationRef("meta/data-deletion", "1")
    with pytest.raises(VendorRefused):
        callback.reply(ref, Reply("x"), idempotency_key="k")
    with pytest.raises(VendorRefused):
        callback.note(ref, "x", idempotency_key="k")


def test_what_the_twin_sends_is_accepted_and_understood(callback: MetaDataDeletion) -> None:
    with receiving() as app, serving(MetaTwin, env=ENV, app_url=app.url) as world:
        app.accept = callback.verify
        assert world._control("POST", "meta", "data-deletion", {"user_id": "777"}) == {"delivered": 200}
        (event,) = callback.parse(app.deliveries[0])
        assert isinstance(event, DeletionAsked)
        assert event.identity == Identity("meta.user", "777")
        MetaDataDeletion(world.settings(MetaSettings)).check()
