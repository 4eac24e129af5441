"""Intercom as a channel: recorded notifications, and conversations at the twin over real HTTP."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dsr.errors import CredentialsRejected, NotFound, VendorAnswerUnexpected, VendorError, VendorRefused
from dsr.messages import ContactChanged, ConversationRef, Evidence, InboundMessage, Reply, SuppressionReported
from dsr.model import Identity
from integrations.intercom import VENDOR
from integrations.intercom.channel import IntercomChannel, as_html
from integrations.intercom.processor import IntercomProcessor
from integrations.intercom.settings import IntercomSettings
from integrations.intercom.twin import IntercomTwin
from integrations.twin import FAULTS
from tests.contracts import ChannelContract, impatient
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving

ENV = {
    "INTERCOM_ACCESS_TOKEN": "dG9rOnRlc3Q",
    "INTERCOM_CLIENT_SECRET": "intercom-test-secret",
    "INTERCOM_ADMIN_ID": "7000",
}
FIXTURES = Path(__file__).parent / "fixtures" / "intercom"


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def signature(body: bytes) -> dict[str, str]:
    digest = hmac.new(ENV["INTERCOM_CLIENT_SECRET"].encode(), body, hashlib.sha1).hexdigest()
    return {"X-Hub-Signature": f"sha1={digest}"}


class TestIntercomChannel(ChannelContract):
    vendor, env, path = VENDOR, ENV, "intercom"
    genuine = recorded("user_replied")
    own = (recorded("admin_replied"), recorded("bot_in_user_topic"), recorded("attachment_only"), recorded("ping"))
    signature_headers = ("x-hub-signature",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        return signature(body)


# ---- channel: what is read ----------------------------------------------------------------------------------------


@pytest.fixture
def offline() -> IntercomChannel:
    settings = IntercomSettings.from_env({**ENV, "INTERCOM_IDENTITY_ENFORCED": "true"})
    assert settings is not None
    return IntercomChannel(settings)


def changed(name: str, **part: Any) -> bytes:
    event = json.loads(recorded(name))
    event["data"]["item"]["conversation_parts"]["conversation_parts"][0].update(part)
    return json.dumps(event).encode()


def only(found: Any) -> InboundMessage:
    (message,) = found
    assert isinstance(message, InboundMessage)
    return message


def test_the_computed_signature_of_the_vendor_note_is_accepted(offline: IntercomChannel) -> None:
    body = b'{"type":"notification_event","id":"notif_test"}'
    offline.verify(delivery(body, {"X-Hub-Signature": "sha1=627f43c656eb7cb8c743120467bf4321830dcccc"}))


def test_a_reply_gives_the_new_message_alone(offline: IntercomChannel) -> None:
    message = only(offline.parse(delivery(recorded("user_replied"))))
    assert message == InboundMessage(
        event_id="notif_4d0e7f3c-0000-4000-8000-000000000001",
        conversation=ConversationRef("intercom", "503", "6762f1261bb69f9f2193bba7"),
        text="Please delete my data",
        sent_at=datetime.fromtimestamp(1790000000, UTC),
        address=MARIA,
        evidence=Evidence.SIGNED,
        author_name="Maria Pop",
        external_id="acc-maria",
    )


def test_a_new_conversation_gives_its_source_and_its_own_time(offline: IntercomChannel) -> None:
    message = only(offline.parse(delivery(recorded("user_created"))))
    assert message.text == "Hello, a question about my plan"
    assert message.sent_at == datetime.fromtimestamp(1789990000, UTC)


def test_of_several_parts_the_newest_by_a_customer_counts(offline: IntercomChannel) -> None:
    event = json.loads(recorded("user_replied"))
    parts = event["data"]["item"]["conversation_parts"]["conversation_parts"]
    parts.insert(0, {**parts[0], "body": "newest", "created_at": 1790000500})
    parts.append({**parts[1], "body": "of an agent", "created_at": 1790000900, "author": {"type": "admin", "id": "1"}})
    assert only(offline.parse(delivery(json.dumps(event).encode()))).text == "newest"


def test_a_reply_that_reopens_is_a_message(offline: IntercomChannel) -> None:
    assert only(offline.parse(delivery(changed("user_replied", part_type="open")))).text == "Please delete my data"


@pytest.mark.parametrize(
    "why",
    [
        {"author": {"type": "lead", "id": "6762f1261bb69f9f2193bba7", "email": MARIA}},
        {"author": {"type": "user", "id": "another-contact", "email": MARIA}},
        {"email_message_metadata": {"subject": "Re:", "email_address_headers": []}},
    ],
    ids=["a lead", "no external id", "came by e-mail"],
)
def test_what_anybody_can_write_is_a_claim_even_with_enforced_identity(
    offline: IntercomChannel, why: dict[str, Any]
) -> None:
    assert only(offline.parse(delivery(changed("user_replied", **why)))).evidence is Evidence.CLAIM


def test_an_email_conversation_proves_nothing(offline: IntercomChannel) -> None:
    event = json.loads(recorded("user_replied"))
    event["data"]["item"]["source"]["type"] = "email"
    assert only(offline.parse(delivery(json.dumps(event).encode()))).evidence is Evidence.CLAIM


def test_without_enforced_identity_everything_is_a_claim() -> None:
    settings = IntercomSettings.from_env(ENV)
    assert settings is not None
    channel = IntercomChannel(settings)
    assert only(channel.parse(delivery(recorded("user_replied")))).evidence is Evidence.CLAIM


def test_a_writer_without_address_has_no_evidence(offline: IntercomChannel) -> None:
    author = {"type": "lead", "id": "abc", "email": None}
    message = only(offline.parse(delivery(changed("user_replied", author=author))))
    assert (message.address, message.evidence) == ("", Evidence.NONE)


def test_unsubscribing_at_intercom_is_reported(offline: IntercomChannel) -> None:
    (report,) = offline.parse(delivery(recorded("contact_unsubscribed")))
    assert isinstance(report, SuppressionReported)
    assert (report.vendor, report.address, report.reason) == ("intercom", MARIA, "unsubscribe")


def test_a_new_contact_is_reported(offline: IntercomChannel) -> None:
    (report,) = offline.parse(delivery(recorded("contact_lead_created")))
    assert isinstance(report, ContactChanged)
    assert report.identity == Identity("intercom.contact", "6762f0cd1bb69f9f2193bb7c")


def test_our_words_are_never_markup() -> None:
    assert as_html("Hello <b>\nyou & I\n\n\nBye") == "<p>Hello &lt;b&gt;<br>you &amp; I</p><p>Bye</p>"


# ---- with the twin ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(app: Inbox) -> Iterator[Served]:
    with serving(IntercomTwin, env=ENV, app_url=app.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, app: Inbox) -> Served:
    shared_world.twin(IntercomTwin).reset()
    app.deliveries.clear()
    app.status = 200
    return shared_world


@pytest.fixture
def channel(world: Served) -> IntercomChannel:
    return IntercomChannel(world.settings(IntercomSettings))


def conversation_with(world: Served, text: str = "Hello") -> ConversationRef:
    said = world.say("intercom", email=MARIA, text=text).json()
    return ConversationRef("intercom", said["conversation"], said["contact"])


def messages_of(world: Served, ref: ConversationRef) -> list[dict[str, Any]]:
    (found,) = [c for c in world.state("intercom")["conversations"] if c["id"] == ref.id]
    return list(found["messages"])


def test_what_the_twin_sends_is_accepted_and_understood(world: Served, app: Inbox, channel: IntercomChannel) -> None:
    begun = world.say("intercom", email=MARIA, text="Delete my data, please\nMaria", deliver=True)
    assert begun.status_code == 200
    conversation = begun.json()["conversation"]
    again = world.say("intercom", conversation=conversation, email=MARIA, text="Hello?", deliver=True).json()
    assert again["conversation"] == conversation
    first, second = app.deliveries
    for arrived in (first, second):
        channel.verify(arrived)
    assert only(channel.parse(first)).text == "Delete my data, please\nMaria"
    message = only(channel.parse(second))
    assert (message.text, message.address) == ("Hello?", MARIA)
    assert message.conversation.id == conversation
    assert abs(message.sent_at.timestamp() - time.time()) < 60


def test_say_fails_when_the_app_refuses(world: Served, app: Inbox) -> None:
    app.status = 401
    assert world.say("intercom", email=MARIA, text="x", deliver=True).status_code == 502


def test_another_address_in_a_conversation_is_another_participant(world: Served) -> None:
    conversation = world.say("intercom", email=MARIA, text="x").json()["conversation"]
    world.say("intercom", conversation=conversation, email="mallory@example.net", text="y")
    (found,) = [c for c in world.state("intercom")["conversations"] if c["id"] == conversation]
    assert len(found["contacts"]) == 2
    assert [m["author"]["email"] for m in found["messages"]] == [MARIA, "mallory@example.net"]


@pytest.mark.parametrize("email", ["", "no address", "x@@y"])
def test_say_takes_empty_and_malformed_addresses(
    world: Served, app: Inbox, channel: IntercomChannel, email: str
) -> None:
    assert world.say("intercom", email=email, text="hi", conversation="999123", deliver=True).status_code == 200
    assert only(channel.parse(app.deliveries[0])).conversation.id == "999123"


def test_an_unverified_visitor_is_a_lead_when_identity_is_enforced(app: Inbox) -> None:
    env = {**ENV, "INTERCOM_IDENTITY_ENFORCED": "true"}
    with serving(IntercomTwin, env=env, app_url=app.url) as world:
        channel = IntercomChannel(world.settings(IntercomSettings))
        app.deliveries.clear()
        world.say("intercom", email="ion.ionescu@example.com", text="x", role="user", deliver=True)
        world.say("intercom", email="ion.ionescu@example.com", text="x", verified=True, deliver=True)
        claimed, signed = (only(channel.parse(d)) for d in app.deliveries)
        assert (claimed.evidence, signed.evidence) == (Evidence.CLAIM, Evidence.SIGNED)
        assert signed.external_id == "acc-ion"


def test_replies_and_notes_arrive_and_are_known_to_have_been_said(world: Served, channel: IntercomChannel) -> None:
    ref, text = conversation_with(world), "We sent a code <to> you & me.\nSecond line.\n\nType it here."
    assert not channel.said(ref, text, idempotency_key="k")
    channel.reply(ref, Reply(text), idempotency_key="k")
    channel.note(ref, "PR-ABC123 is verified", idempotency_key="n")
    assert channel.said(ref, text, idempotency_key="k")
    assert channel.said(ref, "PR-ABC123 is verified", idempotency_key="n")
    _, reply, note = messages_of(world, ref)
    assert (reply["part_type"], note["part_type"]) == ("comment", "note")
    assert reply["body"] == "We sent a code <to> you & me.\nSecond line.\nType it here."
    assert reply["author"]["id"] == "7000"


def test_the_same_words_before_the_last_message_were_not_said_now(world: Served, channel: IntercomChannel) -> None:
    ref = conversation_with(world)
    channel.reply(ref, Reply("We sent a code."), idempotency_key="1")
    world.say("intercom", conversation=ref.id, email=MARIA, text="send again")
    assert not channel.said(ref, "We sent a code.", idempotency_key="2")


def test_a_reply_into_a_deleted_conversation_fails_clearly(channel: IntercomChannel) -> None:
    gone = ConversationRef("intercom", "424242")
    with pytest.raises(NotFound):
        channel.reply(gone, Reply("x"), idempotency_key="k")
    assert not channel.said(gone, "x", idempotency_key="k")


def test_an_id_from_outside_cannot_lead_to_another_path(world: Served, channel: IntercomChannel) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        channel.reply(ConversationRef("intercom", "../contacts/1"), Reply("x"), idempotency_key="k")
    assert world.calls("intercom") == []


def test_a_missing_address_is_asked_for_and_stays_a_claim(world: Served, app: Inbox, channel: IntercomChannel) -> None:
    ref = conversation_with(world)
    bare = InboundMessage("e", ref, "text", datetime.now(UTC))
    assert channel.complete(bare).address == MARIA
    assert channel.complete(bare).evidence is Evidence.CLAIM
    unknown = dataclasses.replace(bare, conversation=ConversationRef("intercom", "1", "0123456789abcdef01234567"))
    assert channel.complete(unknown) == unknown


def test_check_notices_a_wrong_teammate_and_a_wrong_token(world: Served) -> None:
    IntercomChannel(world.settings(IntercomSettings)).check()
    with pytest.raises(VendorRefused):
        IntercomChannel(world.settings(IntercomSettings, INTERCOM_ADMIN_ID="9")).check()
    with pytest.raises(CredentialsRejected):
        IntercomProcessor(world.settings(IntercomSettings, INTERCOM_ACCESS_TOKEN="wrong")).check()


def test_a_person_who_unsubscribes_there_is_told_to_the_app(
    world: Served, app: Inbox, channel: IntercomChannel
) -> None:
    world._control("POST", "intercom", "unsubscribe", {"email": "lena.berg@example.com"})
    channel.verify(app.deliveries[0])
    (report,) = channel.parse(app.deliveries[0])
    assert isinstance(report, SuppressionReported)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "timeout"])
def test_a_reply_that_did_not_arrive_is_never_taken_for_said(
    world: Served, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    impatient(monkeypatch)
    channel = IntercomChannel(world.settings(IntercomSettings))
    ref = conversation_with(world)
    world.fault("intercom", fault, 10)
    with pytest.raises(VendorError):
        channel.reply(ref, Reply("We sent a code."), idempotency_key="k")
    world.twin(IntercomTwin).faults.clear()
    assert not channel.said(ref, "We sent a code.", idempotency_key="k")
    assert len(messages_of(world, ref)) == 1


def test_a_reply_whose_answer_came_too_late_is_known_to_have_been_said(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    channel = IntercomChannel(world.settings(IntercomSettings))
    ref = conversation_with(world)
    world.fault("intercom", "timeout")
    with pytest.raises(VendorError):
        channel.reply(ref, Reply("We sent a code."), idempotency_key="k")
    time.sleep(0.5)
    assert channel.said(ref, "We sent a code.", idempotency_key="k")
    assert len(messages_of(world, ref)) == 2
