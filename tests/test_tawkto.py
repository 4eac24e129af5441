"""tawk.to: signed events by the twin over real HTTP, recorded ones, and the tasks for people."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsr.errors import PayloadNotUnderstood, VendorRefused
from dsr.messages import ConversationRef, Evidence, InboundMessage, Reply
from dsr.model import Operation, Support
from integrations.manual import ManualProcessor
from integrations.tawkto import VENDOR
from integrations.tawkto.channel import TawktoChannel
from integrations.tawkto.settings import TawktoSettings
from integrations.tawkto.twin import TawktoTwin
from tests.contracts import ChannelContract, twin_class
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving

ENV = {"TAWKTO_WEBHOOK_SECRET": "tawk-test-secret"}
FIXTURES = Path(__file__).parent / "fixtures" / "tawkto"
CHAT = "70fe3290-99ad-11ef-a30a-6ab3d3ef1aa1"


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


class TestTawktoChannel(ChannelContract):
    vendor, env, path = VENDOR, ENV, "tawkto"
    genuine = recorded("chat_start")
    own = (recorded("agent_start"), recorded("chat_end"))
    signature_headers = ("x-tawk-signature",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        digest = hmac.new(ENV["TAWKTO_WEBHOOK_SECRET"].encode(), body, hashlib.sha1).hexdigest()
        return {"X-Tawk-Signature": digest, "X-Hook-Event-Id": "1"}


class TestTawktoTicket(TestTawktoChannel):
    """The contract again with a ticket, whose shape is another one."""

    genuine = recorded("ticket")


@pytest.fixture
def channel() -> TawktoChannel:
    settings = TawktoSettings.from_env(ENV)
    assert settings is not None
    return TawktoChannel(settings)


def read(channel: TawktoChannel, body: bytes) -> list[InboundMessage]:
    return [m for m in channel.parse(delivery(body)) if isinstance(m, InboundMessage)]


def test_the_computed_signature_of_the_vendor_note_is_accepted(channel: TawktoChannel) -> None:
    body = b'{"event":"chat:start","chatId":"c1"}'
    channel.verify(delivery(body, {"X-Tawk-Signature": "8241f1594dd73b9ffdb16766deddba5c2aa783f3"}))


def test_the_first_message_of_a_chat_is_read_with_its_time_and_a_claimed_address(channel: TawktoChannel) -> None:
    (message,) = read(channel, recorded("chat_start"))
    assert message.conversation == ConversationRef("tawkto", CHAT)
    assert message.text == "Please delete my data"
    assert message.sent_at == datetime(2026, 9, 21, 14, 13, 20, 123000, UTC)
    assert (message.address, message.evidence, message.author_name) == (MARIA, Evidence.CLAIM, "Maria Pop")


def test_a_transcript_gives_the_visitors_words_alone_and_each_once(channel: TawktoChannel) -> None:
    messages = read(channel, recorded("transcript"))
    assert [m.text for m in messages] == ["Please delete  my data", "Yes, and stop the newsletter"]
    assert {m.conversation.id for m in messages} == {CHAT}
    assert {m.evidence for m in messages} == {Evidence.CLAIM}


def test_the_transcript_repeats_the_first_message_under_the_same_event_id(channel: TawktoChannel) -> None:
    (first,) = read(channel, recorded("chat_start"))
    again, other = read(channel, recorded("transcript"))
    assert first.event_id == again.event_id != other.event_id
    assert "delete" not in first.event_id


def test_the_same_words_in_another_chat_are_another_event(channel: TawktoChannel) -> None:
    event = json.loads(recorded("chat_start"))
    (other,) = read(channel, json.dumps({**event, "chatId": "another"}).encode())
    assert other.event_id != read(channel, recorded("chat_start"))[0].event_id


def test_an_unsigned_event_id_makes_no_second_event(channel: TawktoChannel) -> None:
    body = recorded("chat_start")
    one, two = (list(channel.parse(delivery(body, {"X-Hook-Event-Id": id}))) for id in ("1", "2"))
    assert one == two


def test_the_older_name_of_the_transcript_is_understood(channel: TawktoChannel) -> None:
    event = {**json.loads(recorded("transcript")), "event": "chat:transcript"}
    assert len(read(channel, json.dumps(event).encode())) == 2


def test_an_anonymous_visitor_has_no_evidence(channel: TawktoChannel) -> None:
    event = json.loads(recorded("chat_start"))
    event["visitor"]["email"] = None
    (message,) = read(channel, json.dumps(event).encode())
    assert (message.address, message.evidence) == ("", Evidence.NONE)


def test_a_ticket_is_a_message_with_a_subject(channel: TawktoChannel) -> None:
    (message,) = read(channel, recorded("ticket"))
    assert (message.text, message.subject, message.address) == ("Send me my data", "Privacy", MARIA)
    assert message.event_id == "ticket:66ee9c0a4d2b3c0001ffffff"


@pytest.mark.parametrize("time", ["", "yesterday", "0001-01-01T00:00:00+23:00"])
def test_a_message_without_its_time_is_not_understood(channel: TawktoChannel, time: str) -> None:
    event = {**json.loads(recorded("chat_start")), "time": time}
    with pytest.raises(PayloadNotUnderstood):
        channel.parse(delivery(json.dumps(event).encode()))


def test_an_unknown_event_is_not_understood(channel: TawktoChannel) -> None:
    with pytest.raises(PayloadNotUnderstood):
        channel.parse(delivery(b'{"event": "chat:rated"}'))


def test_nothing_can_be_said_in_a_chat(channel: TawktoChannel) -> None:
    ref = ConversationRef("tawkto", CHAT)
    with pytest.raises(VendorRefused, match="by mail") as refused:
        channel.reply(ref, Reply("Hello"), idempotency_key="k")
    assert not refused.value.retry
    with pytest.raises(VendorRefused):
        channel.note(ref, "Hello", idempotency_key="k")
    assert not channel.said(ref, "Hello", idempotency_key="k")
    channel.check()


def test_every_step_is_a_task_with_instructions() -> None:
    assert VENDOR.processor is None
    assert set(VENDOR.supports) == set(VENDOR.instructions) == set(Operation)
    assert set(VENDOR.supports.values()) == {Support.MANUAL}
    by_hand = ManualProcessor("tawkto", VENDOR.label, VENDOR.instructions, VENDOR.supports)
    assert all(len(by_hand.instructions[op]) > 60 for op in Operation)


# ---- the twin -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(TawktoTwin, env=ENV, app_url=app.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox) -> Served:
    shared_world.twin(TawktoTwin).reset()
    app.deliveries.clear()
    app.status = 200
    return shared_world


def test_what_the_twin_sends_is_accepted_and_understood_once(world: Served, app: Inbox, channel: TawktoChannel) -> None:
    begun = world.say("tawkto", email=MARIA, text="Delete my data", deliver=True)
    assert begun.status_code == 200
    conversation = begun.json()["conversation"]
    assert world.say("tawkto", conversation=conversation, text="Hello?", deliver=True).json()["delivered"] == 200
    assert [json.loads(d.body)["event"] for d in app.deliveries] == [
        "chat:start",
        "chat:end",
        "chat:transcript_created",
    ]
    said: dict[str, str] = {}
    for arrived in app.deliveries:
        assert arrived.path == "/webhooks/tawkto"
        channel.verify(arrived)
        said |= {m.event_id: m.text for m in channel.parse(arrived) if isinstance(m, InboundMessage)}
    assert list(said.values()) == ["Delete my data", "Hello?"]
    (chat,) = [c for c in world.state("tawkto")["conversations"] if c["id"] == conversation]
    assert [m["text"] for m in chat["messages"]] == ["Delete my data", "Hello?"]


def test_a_ticket_of_the_twin_is_understood(world: Served, app: Inbox, channel: TawktoChannel) -> None:
    world.say("tawkto", email=MARIA, text="Export", event="ticket:create", deliver=True)
    channel.verify(app.deliveries[0])
    (message,) = channel.parse(app.deliveries[0])
    assert isinstance(message, InboundMessage)
    assert (message.text, message.address) == ("Export", MARIA)


def test_say_fails_when_the_app_refuses(world: Served, app: Inbox) -> None:
    app.status = 401
    answer = world.say("tawkto", email=MARIA, text="x", deliver=True)
    assert (answer.status_code, answer.json()["delivered"]) == (502, 401)


@pytest.mark.parametrize("email", ["", "no address", "x@@y"])
def test_say_takes_empty_and_malformed_addresses(world: Served, app: Inbox, channel: TawktoChannel, email: str) -> None:
    said = world.say("tawkto", email=email, text="hi", conversation="chat-1", deliver=True)
    assert (said.status_code, said.json()["conversation"]) == (200, "chat-1")
    (message,) = channel.parse(app.deliveries[0])
    assert isinstance(message, InboundMessage)
    assert message.address == email


def test_an_address_that_changes_in_the_chat_comes_with_the_transcript(
    world: Served, app: Inbox, channel: TawktoChannel
) -> None:
    conversation = world.say("tawkto", email=MARIA, text="Hi").json()["conversation"]
    world.say("tawkto", conversation=conversation, email="mallory@example.net", text="delete it", deliver=True)
    messages = list(channel.parse(app.deliveries[-1]))
    assert {m.address for m in messages if isinstance(m, InboundMessage)} == {"mallory@example.net"}


def test_the_twin_holds_the_seeded_people(world: Served) -> None:
    state = world.state("tawkto")
    assert twin_class(VENDOR) is TawktoTwin
    assert len([c for c in state["conversations"] if c["visitor"]["email"] == MARIA]) == 4
    assert [t["requester"]["email"] for t in state["tickets"]] == [MARIA]
    assert len(state["contacts"]) == 5


def test_a_person_deletes_in_the_dashboard(world: Served) -> None:
    assert world._control("POST", "tawkto", "delete", {"email": MARIA}) == {"deleted": 6}
    assert f'"{MARIA}"' not in json.dumps(world.state("tawkto"))
