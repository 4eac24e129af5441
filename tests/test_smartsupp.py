"""Smartsupp as a channel: recorded events, and conversations at the twin over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dsr.errors import CredentialsRejected, NotFound, PayloadNotUnderstood, VendorAnswerUnexpected, VendorError
from dsr.errors import VendorRefused as Refused
from dsr.messages import ContactChanged, ConversationRef, Evidence, InboundMessage, Reply
from dsr.model import Identity
from integrations.smartsupp import VENDOR
from integrations.smartsupp.channel import SmartsuppChannel
from integrations.smartsupp.settings import SmartsuppSettings
from integrations.smartsupp.twin import SmartsuppTwin
from integrations.twin import FAULTS
from tests.contracts import ChannelContract, impatient
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving

ENV = {
    "SMARTSUPP_API_TOKEN": "smartsupp-token-1",
    "SMARTSUPP_APP_ID": "privacy-desk",
    "SMARTSUPP_APP_SECRET": "smartsupp-test-secret",
}
FIXTURES = Path(__file__).parent / "fixtures" / "smartsupp"


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


class TestSmartsuppChannel(ChannelContract):
    vendor, env, path = VENDOR, ENV, "smartsupp"
    genuine = recorded("contact_replied")
    own = tuple(recorded(n) for n in ("bot_replied", "agent_replied", "bot_in_customer_event", "file_only"))
    signature_headers = ("x-smartsupp-hmac",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        secret = ENV["SMARTSUPP_APP_SECRET"].encode()
        return {"X-Smartsupp-Hmac": hmac.new(secret, body, hashlib.sha256).hexdigest()}


# ---- what is read -------------------------------------------------------------------------------------------------


@pytest.fixture
def offline() -> SmartsuppChannel:
    settings = SmartsuppSettings.from_env(ENV)
    assert settings is not None
    return SmartsuppChannel(settings)


def only(found: Any) -> InboundMessage:
    (message,) = found
    assert isinstance(message, InboundMessage)
    return message


def changed(**message: Any) -> bytes:
    event = json.loads(recorded("contact_replied"))
    event["data"]["message"].update(message)
    return json.dumps(event).encode()


def test_the_computed_signature_of_the_vendor_note_is_accepted(offline: SmartsuppChannel) -> None:
    body = b'{"type":"event_callback","event":"conversation.contact_replied"}'
    signature = "91ef9d08382de8c0f086342fb7b6d59aff999a58e531608f480dd1116fea9280"
    offline.verify(delivery(body, {"X-Smartsupp-Hmac": signature}))


def test_a_message_gives_its_words_time_and_contact(offline: SmartsuppChannel) -> None:
    assert only(offline.parse(delivery(recorded("contact_replied")))) == InboundMessage(
        event_id="coXU9u5VscuzW:msCfnmmaEDXAs",
        conversation=ConversationRef("smartsupp", "coXU9u5VscuzW", "ctW5HHbqaRKv"),
        text="Please delete my data",
        sent_at=datetime(2026, 9, 21, 14, 13, 20, 336000, UTC),
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain words", "plain words"),
        ({"type": "text", "text": "words", "html": "<p>words</p>"}, "words"),
        ({"type": "text", "html": "<p>words</p>"}, "<p>words</p>"),
    ],
)
def test_content_has_three_shapes(offline: SmartsuppChannel, content: Any, text: str) -> None:
    assert only(offline.parse(delivery(changed(content=content)))).text == text


def test_a_time_without_zone_is_utc(offline: SmartsuppChannel) -> None:
    message = only(offline.parse(delivery(changed(created_at="2026-09-21T14:13:20"))))
    assert message.sent_at == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def test_without_a_message_id_the_time_tells_events_apart(offline: SmartsuppChannel) -> None:
    one, two = (
        only(offline.parse(delivery(changed(id=None, created_at=at)))).event_id
        for at in ("2026-09-21T14:13:20Z", "2026-09-21T14:13:21Z")
    )
    assert one != two


def test_an_event_of_another_app_is_not_understood(offline: SmartsuppChannel) -> None:
    event = {**json.loads(recorded("contact_replied")), "app_id": "another"}
    with pytest.raises(PayloadNotUnderstood):
        offline.parse(delivery(json.dumps(event).encode()))


def test_an_address_in_the_event_is_a_claim(offline: SmartsuppChannel) -> None:
    event = json.loads(recorded("contact_replied"))
    event["data"]["contact"] = {"id": "ctW5HHbqaRKv", "email": MARIA, "name": "Maria Pop"}
    message = only(offline.parse(delivery(json.dumps(event).encode())))
    assert (message.address, message.evidence, message.author_name) == (MARIA, Evidence.CLAIM, "Maria Pop")


def test_a_new_contact_is_reported(offline: SmartsuppChannel) -> None:
    (report,) = offline.parse(delivery(recorded("contact_created")))
    assert isinstance(report, ContactChanged)
    assert (report.address, report.identity) == (MARIA, Identity("smartsupp.contact", "ctW5HHbqaRKv"))


# ---- with the twin ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(SmartsuppTwin, env=ENV, app_url=app.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch)
    shared_world.twin(SmartsuppTwin).reset()
    app.deliveries.clear()
    app.status = 200
    return shared_world


@pytest.fixture
def channel(world: Served) -> SmartsuppChannel:
    return SmartsuppChannel(world.settings(SmartsuppSettings))


def conversation_with(world: Served, text: str = "Hello") -> ConversationRef:
    said = world.say("smartsupp", email=MARIA, text=text).json()
    return ConversationRef("smartsupp", said["conversation"], said["contact"])


def messages_of(world: Served, ref: ConversationRef) -> list[dict[str, Any]]:
    (found,) = [c for c in world.state("smartsupp")["conversations"] if c["id"] == ref.id]
    return list(found["messages"])


def test_what_the_twin_sends_is_accepted_and_understood(world: Served, app: Inbox, channel: SmartsuppChannel) -> None:
    begun = world.say("smartsupp", email=MARIA, text="Delete my data\nMaria", deliver=True)
    assert begun.status_code == 200
    conversation = begun.json()["conversation"]
    world.say("smartsupp", conversation=conversation, email=MARIA, text="Hello?", deliver=True)
    for arrived in app.deliveries:
        assert arrived.path == "/webhooks/smartsupp"
        channel.verify(arrived)
    first, second = (only(channel.parse(d)) for d in app.deliveries)
    assert (first.text, second.text) == ("Delete my data\nMaria", "Hello?")
    assert first.conversation == second.conversation
    assert first.event_id != second.event_id
    assert abs(first.sent_at.timestamp() - time.time()) < 60
    completed = channel.complete(first)
    assert (completed.address, completed.evidence) == (MARIA, Evidence.CLAIM)
    assert channel.identities(first.conversation) == (Identity("smartsupp.contact", first.conversation.person),)


def test_say_fails_when_the_app_refuses(world: Served, app: Inbox) -> None:
    app.status = 401
    assert world.say("smartsupp", email=MARIA, text="x", deliver=True).status_code == 502


@pytest.mark.parametrize("email", ["", "no address", "x@@y"])
def test_say_takes_empty_and_malformed_addresses(
    world: Served, app: Inbox, channel: SmartsuppChannel, email: str
) -> None:
    said = world.say("smartsupp", email=email, text="hi", conversation="co999", deliver=True)
    assert said.status_code == 200
    message = channel.complete(only(channel.parse(app.deliveries[0])))
    assert (message.conversation.id, message.address) == ("co999", email)


def test_another_address_in_a_conversation_is_another_contact(world: Served) -> None:
    begun = world.say("smartsupp", email=MARIA, text="x").json()
    other = world.say("smartsupp", conversation=begun["conversation"], email="mallory@example.net", text="y").json()
    assert other["conversation"] == begun["conversation"]
    assert other["contact"] != begun["contact"]


def test_a_contact_that_nobody_knows_leaves_the_message_as_it_is(channel: SmartsuppChannel) -> None:
    message = InboundMessage("e", ConversationRef("smartsupp", "co1", "ct404"), "text", datetime.now(UTC))
    assert channel.complete(message) == message


def test_replies_arrive_are_known_to_have_been_said_and_their_echo_is_ignored(
    world: Served, app: Inbox, channel: SmartsuppChannel
) -> None:
    ref, text = conversation_with(world), "We sent a code <to> you & me.\n\nType it here."
    assert not channel.said(ref, text, idempotency_key="k")
    channel.reply(ref, Reply(text), idempotency_key="k")
    assert channel.said(ref, text, idempotency_key="k")
    _, reply = messages_of(world, ref)
    assert (reply["sub_type"], reply["text"], reply["bot_name"]) == ("bot", text, "Privacy assistant")
    (echo,) = app.deliveries
    channel.verify(echo)
    assert list(channel.parse(echo)) == []


def test_the_same_words_before_the_last_message_were_not_said_now(world: Served, channel: SmartsuppChannel) -> None:
    ref = conversation_with(world)
    channel.reply(ref, Reply("We sent a code."), idempotency_key="1")
    world.say("smartsupp", conversation=ref.id, email=MARIA, text="send again")
    assert not channel.said(ref, "We sent a code.", idempotency_key="2")


def test_a_reply_into_a_deleted_conversation_fails_clearly(channel: SmartsuppChannel) -> None:
    gone = ConversationRef("smartsupp", "co424242")
    with pytest.raises(NotFound):
        channel.reply(gone, Reply("x"), idempotency_key="k")
    assert not channel.said(gone, "x", idempotency_key="k")


def test_an_id_from_outside_cannot_lead_to_another_path(world: Served, channel: SmartsuppChannel) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        channel.reply(ConversationRef("smartsupp", "../contacts/1"), Reply("x"), idempotency_key="k")
    assert world.calls("smartsupp") == []


def test_a_note_for_agents_is_refused(channel: SmartsuppChannel) -> None:
    with pytest.raises(Refused):
        channel.note(ConversationRef("smartsupp", "co1"), "x", idempotency_key="k")


def test_check_notices_a_wrong_token(world: Served, channel: SmartsuppChannel) -> None:
    channel.check()
    with pytest.raises(CredentialsRejected):
        SmartsuppChannel(world.settings(SmartsuppSettings, SMARTSUPP_API_TOKEN="wrong")).check()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "timeout"])
def test_a_reply_that_did_not_arrive_is_never_taken_for_said(
    world: Served, channel: SmartsuppChannel, fault: str
) -> None:
    ref = conversation_with(world)
    world.fault("smartsupp", fault, 10)
    with pytest.raises(VendorError):
        channel.reply(ref, Reply("We sent a code."), idempotency_key="k")
    world.twin(SmartsuppTwin).faults.clear()
    assert not channel.said(ref, "We sent a code.", idempotency_key="k")
    assert len(messages_of(world, ref)) == 1


def test_a_reply_whose_answer_came_too_late_is_known_to_have_been_said(
    world: Served, channel: SmartsuppChannel
) -> None:
    ref = conversation_with(world)
    world.fault("smartsupp", "timeout")
    with pytest.raises(VendorError):
        channel.reply(ref, Reply("We sent a code."), idempotency_key="k")
    time.sleep(0.5)
    assert channel.said(ref, "We sent a code.", idempotency_key="k")
    assert len(messages_of(world, ref)) == 2
