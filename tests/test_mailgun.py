"""Mailgun's event webhooks, and the desk's own mail over Mailgun."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest

from dsr.errors import (
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorRefused,
)
from dsr.messages import ConversationRef, Delivery, Mail, Reply, SuppressionReported
from dsr.model import Operation, Right
from integrations.channel import Channel
from integrations.mail import make_mailer, message_id
from integrations.mailgun import VENDOR
from integrations.mailgun.api import Api, form
from integrations.mailgun.mailer import MailgunMailer
from integrations.mailgun.processor import MailgunProcessor
from integrations.mailgun.settings import MailgunSettings
from integrations.mailgun.twin import MailgunTwin
from tests.contracts import ChannelContract, impatient
from tests.mailgun import ENV, ION, instruction
from tests.twins import MARIA, Served, delivery, receiving, serving

EVENT = {
    "signature": {},
    "event-data": {
        "id": "W3X4JOhFT-OZidZGKKr9iA",
        "event": "unsubscribed",
        "timestamp": 1377213791.421473,
        "log-level": "info",
        "recipient": MARIA,
        "recipient-domain": "example.com",
        "tags": [],
        "user-variables": {},
        "message": {"headers": {"message-id": "20130822232216.13966.79700@news.example.com"}},
    },
}


@pytest.fixture(scope="module")
def twins() -> Iterator[Served]:
    with serving(MailgunTwin, env=ENV) as served:
        yield served


@pytest.fixture
def served(twins: Served) -> Served:
    twins.twin(MailgunTwin).reset()
    return twins


class TestMailgunEvents(ChannelContract):
    vendor, env, path = VENDOR, ENV, "mailgun"
    genuine = json.dumps(EVENT).encode()
    own: ClassVar[tuple[bytes, ...]] = tuple(
        json.dumps({**EVENT, "event-data": {**EVENT["event-data"], "event": name}}).encode()  # type: ignore[dict-item]
        for name in ("delivered", "opened", "clicked", "accepted", "permanent_fail", "something_new")
    )

    def sent(self, body: bytes) -> Delivery:
        """The signature stands inside the body."""
        return delivery(self.signed(body, time.time()), {"Content-Type": "application/json"}, path="/webhooks/mailgun")

    def signed(self, body: bytes, at: float) -> bytes:
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return body
        if not isinstance(payload, dict) or "signature" not in payload:
            return body
        timestamp, token = str(int(at)), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
        key = ENV["MAILGUN_WEBHOOK_SIGNING_KEY"].encode()
        hex = hmac.new(key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
        return json.dumps({**payload, "signature": {"timestamp": timestamp, "token": token, "signature": hex}}).encode()

    def stale(self, body: bytes) -> Delivery | None:
        return delivery(self.signed(body, time.time() - 301))

    def forgeries(self, genuine: Delivery) -> Iterator[tuple[str, Delivery]]:
        payload = json.loads(genuine.body)
        for part in ("timestamp", "token", "signature"):
            value = payload["signature"][part]
            for bad in (None, "", " ", 42, [], {}, True, value[:-1], value + "0", "☃" + value, "\udcff", "9" * 5000):
                forged = {**payload, "signature": {**payload["signature"], part: bad}}
                yield f"{part} is {bad!a:.30}", dataclasses.replace(genuine, body=json.dumps(forged).encode())
        for whole in (None, [], "x", {}):
            forged = {**payload, "signature": whole}
            yield f"signature is {whole!a}", dataclasses.replace(genuine, body=json.dumps(forged).encode())
        future = delivery(self.signed(self.genuine, time.time() + 400))
        yield "from the future", future
        for junk in (b"", b"{", b"\xff", b"[" * 200_000, b"signature=x&timestamp=1&token=y"):
            yield f"{junk[:10]!r}", dataclasses.replace(genuine, body=junk)

    def tampered(self, genuine: Delivery) -> Iterator[Delivery]:
        """Mailgun's signature does not cover the rest of the body: see the test of the token below."""
        payload = json.loads(genuine.body)
        token = payload["signature"]["token"]
        payload["signature"]["token"] = token[:-1] + ("1" if token[-1] == "0" else "0")
        yield dataclasses.replace(genuine, body=json.dumps(payload).encode())

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (event,) = channel.parse(genuine)
        assert isinstance(event, SuppressionReported)
        assert (event.vendor, event.address, event.reason) == ("mailgun", MARIA, "unsubscribe")
        assert channel.respond(genuine).status == 200

    def test_another_body_with_a_captured_signature_is_the_same_event(self, channel: Channel) -> None:
        """The store takes an event id once; the token is the id, because the signature vouches for it alone."""
        (first,) = channel.parse(self.sent(self.genuine))
        other = {**EVENT, "event-data": {**EVENT["event-data"], "id": "new", "recipient": "victim@example.com"}}  # type: ignore[dict-item]
        (second,) = channel.parse(self.sent(json.dumps(other).encode()))
        assert first.event_id == second.event_id

    def test_a_complaint_is_a_suppression_too(self, channel: Channel) -> None:
        payload = {**EVENT, "event-data": {**EVENT["event-data"], "event": "complained"}}  # type: ignore[dict-item]
        (event,) = channel.parse(self.sent(json.dumps(payload).encode()))
        assert isinstance(event, SuppressionReported)
        assert event.reason == "complaint"

    @pytest.mark.parametrize("recipient", ["", "nobody", "a@b@c", "a@example.com,b@example.com", 42, None])
    def test_a_recipient_that_is_no_address_goes_to_quarantine(self, channel: Channel, recipient: object) -> None:
        payload = {**EVENT, "event-data": {**EVENT["event-data"], "recipient": recipient}}  # type: ignore[dict-item]
        with pytest.raises(PayloadNotUnderstood):
            channel.parse(self.sent(json.dumps(payload).encode()))

    def test_without_a_signing_key_everything_is_rejected(self) -> None:
        env = {name: value for name, value in ENV.items() if name != "MAILGUN_WEBHOOK_SIGNING_KEY"}
        with pytest.raises(DeliveryRejected):
            self.make(env).verify(self.sent(self.genuine))

    def test_answers_are_the_mailers_business(self, channel: Channel) -> None:
        assert channel.answers_by_mail
        nowhere = ConversationRef("mailgun", "x")
        with pytest.raises(VendorRefused):
            channel.reply(nowhere, Reply("hello"), idempotency_key="k")
        with pytest.raises(VendorRefused):
            channel.note(nowhere, "hello", idempotency_key="k")


def test_the_signature_is_the_one_of_the_documentation() -> None:
    """Time and token of Mailgun's own example; the key is ours, the value computed beforehand."""
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = "a71a2e85af916790420a2badfd87977b6b5091b21f6e1635a882c80bdb7a897c"
    body = json.dumps({"signature": {"timestamp": "1529006854", "token": token, "signature": signature}}).encode()
    given = delivery(body)
    then = given.received_at.fromtimestamp(1529006854 + 60, given.received_at.tzinfo)
    settings = MailgunSettings.from_env(ENV)
    assert settings is not None
    channel = VENDOR.channels["mailgun"](settings)
    channel.verify(dataclasses.replace(given, received_at=then))
    with pytest.raises(DeliveryRejected):
        channel.verify(dataclasses.replace(given, received_at=then + timedelta(minutes=5)))


@pytest.mark.parametrize(("event", "reason"), [("unsubscribed", "unsubscribe"), ("complained", "complaint")])
def test_the_twins_webhook_is_accepted_and_understood(event: str, reason: str) -> None:
    with receiving() as inbox, serving(MailgunTwin, env=ENV, app_url=inbox.url) as served:
        channel = VENDOR.channels["mailgun"](served.settings(MailgunSettings))
        inbox.accept = channel.verify
        answer = served.say("mailgun", email=ION, event=event, deliver=True)
        assert answer.ok
        assert answer.json()["delivered"] == 200
        assert answer.json()["conversation"]
        (got,) = inbox.deliveries
        assert got.path == "/webhooks/mailgun"
        (told,) = channel.parse(got)
        assert isinstance(told, SuppressionReported)
        assert (told.address, told.reason) == (ION, reason)


def test_the_twin_says_so_when_its_webhook_is_refused() -> None:
    with receiving() as inbox, serving(MailgunTwin, env=ENV, app_url=inbox.url) as served:
        inbox.status = 401
        assert not served.say("mailgun", email=ION, event="unsubscribed", deliver=True).ok


# -- the desk's own mail ----------------------------------------------------------------------------------------------

MAIL = Mail(
    MARIA, "Your code", "7K3M-92QX\n", "<p>7K3M-92QX</p>", "code", {"List-Unsubscribe": "<https://a.example/u/1>"}
)


@pytest.fixture
def mailer(served: Served, monkeypatch: pytest.MonkeyPatch) -> MailgunMailer:
    impatient(monkeypatch)
    made = make_mailer(None, served.settings(MailgunSettings))
    assert isinstance(made, MailgunMailer)
    return made


def test_a_mail_leaves_untracked_encrypted_and_from_the_desks_own_domain(served: Served, mailer: MailgunMailer) -> None:
    mailer.check()
    mailer.send(MAIL, idempotency_key="code:1")
    (kept,) = served.state("mailgun")["messages"]
    assert {k: kept[k] for k in ("from", "to", "subject", "text", "html", "domain")} == {
        "from": "privacy@mg.example.com",
        "to": MARIA,
        "subject": MAIL.subject,
        "text": MAIL.text,
        "html": MAIL.html,
        "domain": "mg.example.com",
    }
    assert kept["headers"] == {
        "Message-Id": message_id("code:1", "mg.example.com"),
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": "<https://a.example/u/1>",
    }
    assert kept["options"] == {
        "o:tracking": "no",
        "o:tracking-clicks": "no",
        "o:tracking-opens": "no",
        "o:require-tls": "true",
    }


def test_a_privacy_mail_reaches_someone_who_stopped_all_promotion(served: Served, mailer: MailgunMailer) -> None:
    processor = MailgunProcessor(served.settings(MailgunSettings), None)  # type: ignore[arg-type]
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    mailer.send(MAIL, idempotency_key="code:1")
    assert [m["to"] for m in served.state("mailgun")["messages"]] == [MARIA]


def test_a_suppressed_recipient_is_accepted_and_then_dropped_by_the_twin(served: Served) -> None:
    """As Mailgun does; it is why the desk's own domain is never suppressed."""
    served.twin(MailgunTwin).put_row("news.example.com", "unsubscribes", MARIA, ["*"])
    api = Api(served.settings(MailgunSettings))
    fields = {"from": "news@news.example.com", "to": MARIA, "subject": "New", "text": "x"}
    assert api.http.call("POST", "v3/news.example.com/messages", files=form(fields)).status == 200
    assert not served.state("mailgun")["messages"]
    (dropped,) = api.events("news.example.com", {"recipient": MARIA, "event": "failed"})
    assert dropped["reason"] == "suppress-unsubscribe"


def test_sent_finds_an_interrupted_mail_by_its_message_id(served: Served, mailer: MailgunMailer) -> None:
    assert not mailer.sent(MAIL, idempotency_key="code:1")
    mailer.send(MAIL, idempotency_key="code:1")
    assert mailer.sent(MAIL, idempotency_key="code:1")
    assert not mailer.sent(MAIL, idempotency_key="code:2")


def test_a_call_of_unknown_fate_is_not_repeated(served: Served, mailer: MailgunMailer) -> None:
    served.fault("mailgun", "503")
    with pytest.raises(Exception, match="fault of its own"):
        mailer.send(MAIL, idempotency_key="code:1")
    assert [c for c in served.calls("mailgun") if c.startswith("POST")] == ["POST /v3/mg.example.com/messages"]


@pytest.mark.parametrize("fault", ["error_in_200", "bad_json", "401", "500", "429", "cut_body"])
def test_a_fault_of_the_mail_service_is_never_taken_for_success(
    served: Served, mailer: MailgunMailer, fault: str
) -> None:
    served.fault("mailgun", fault, times=20)
    with pytest.raises(Exception, match="mailgun") as caught:
        mailer.send(MAIL, idempotency_key="code:1")
    assert MARIA not in str(caught.value)
    assert "7K3M" not in str(caught.value)


def test_a_service_that_changes_the_message_id_is_noticed(
    mailer: MailgunMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.mailgun.mailer.message_id", lambda key, domain: "")
    with pytest.raises(VendorRefused):
        mailer.send(MAIL, idempotency_key="code:1")
