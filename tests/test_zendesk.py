"""Zendesk Support as a channel: recorded ticket events, and tickets at the twin over real HTTP."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorError,
    VendorRefused,
    VendorUnavailable,
)
from dsr.messages import ContactChanged, ConversationRef, Delivery, Evidence, InboundMessage, Reply
from dsr.model import Identity
from integrations.twin import FAULTS
from integrations.zendesk import MESSAGING, VENDOR
from integrations.zendesk.channel import ZendeskChannel, signature
from integrations.zendesk.settings import MessagingSettings, ZendeskSettings
from integrations.zendesk.twin import ZendeskTwin
from integrations.zendesk.twin_seed import AGENT_ID, support_id
from tests.contracts import ChannelContract, impatient
from tests.house import House
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving
from tests.zendesk import ENV, MESSAGING_ENV, SUPPORT_ENV, loaded, recorded

SECRET = SUPPORT_ENV["ZENDESK_WEBHOOK_SECRET"].encode()


def signed(body: bytes, at: datetime | None = None) -> dict[str, str]:
    time = (at or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "X-Zendesk-Webhook-Signature": signature(SECRET, time, body).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": time,
    }


class TestZendeskChannel(ChannelContract):
    vendor, env, path = VENDOR, SUPPORT_ENV, "zendesk"
    genuine = recorded("comment_added")
    own = tuple(
        recorded(name)
        for name in (
            "comment_by_agent",
            "note_by_agent",
            "note_by_light_user",
            "comment_on_messaging_ticket",
            "created_by_agent",
            "status_changed",
        )
    )
    signature_headers = ("x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp")

    def sign(self, body: bytes) -> Mapping[str, str]:
        return signed(body)

    def stale(self, body: bytes) -> Delivery | None:
        return delivery(body, signed(body, datetime.now(UTC) - timedelta(minutes=6)))


# ---- what is read -------------------------------------------------------------------------------------------------


@pytest.fixture
def offline() -> ZendeskChannel:
    settings = ZendeskSettings.from_env(SUPPORT_ENV)
    assert settings is not None
    return ZendeskChannel(settings)


def parsed(channel: ZendeskChannel, payload: Any) -> list[Any]:
    return list(channel.parse(delivery(json.dumps(payload).encode())))


def test_the_published_test_secret_signs_as_zendesk_does() -> None:
    body = b'{"type":"zen:event-type:ticket.comment_added","id":"evt1"}'
    assert signature(SECRET, "2026-01-02T03:04:05Z", body) == b"z8L35bH5mSKev5FR8oGsqFaSfn01c3DuOAEFdl8X1CI="


def test_a_signature_over_body_and_then_timestamp_is_rejected(offline: ZendeskChannel) -> None:
    body, headers = recorded("comment_added"), signed(b"")
    time = headers["X-Zendesk-Webhook-Signature-Timestamp"]
    headers["X-Zendesk-Webhook-Signature"] = signature(SECRET, body.decode(), time.encode()).decode()
    with pytest.raises(DeliveryRejected):
        offline.verify(delivery(body, headers))


def test_a_time_in_the_future_is_rejected(offline: ZendeskChannel) -> None:
    body = recorded("comment_added")
    offline.verify(delivery(body, signed(body)))
    with pytest.raises(DeliveryRejected):
        offline.verify(delivery(body, signed(body, datetime.now(UTC) + timedelta(minutes=6))))


@pytest.mark.parametrize("time", ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "0001-01-01T00:00:00+14:00"])
def test_a_misshapen_time_is_rejected_even_if_it_is_signed(offline: ZendeskChannel, time: str) -> None:
    body = recorded("comment_added")
    headers = {
        "X-Zendesk-Webhook-Signature": signature(SECRET, time, body).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": time,
    }
    with pytest.raises(DeliveryRejected):
        offline.verify(delivery(body, headers))


def test_a_new_ticket_is_a_message(offline: ZendeskChannel) -> None:
    assert parsed(offline, loaded("ticket_created")) == [
        InboundMessage(
            event_id="cbe4028c-7239-495d-b020-f22348516046",
            conversation=ConversationRef("zendesk", "5158", "8447388090494"),
            text="Please delete all my data.\n\nMaria",
            sent_at=datetime(2026, 1, 2, 3, 4, 5, 672717, tzinfo=UTC),
            subject="My data",
        )
    ]


def test_a_comment_is_a_message(offline: ZendeskChannel) -> None:
    (message,) = parsed(offline, loaded("comment_added"))
    assert message.text == "And <b>unsubscribe</b> me,\nplease."
    assert message.author_name == "Maria Pop"
    assert message.evidence is Evidence.NONE


def test_a_new_ticket_whose_event_has_a_comment_takes_the_author_from_it(offline: ZendeskChannel) -> None:
    event = loaded("ticket_created")
    event["event"] = loaded("comment_added")["event"]
    del event["detail"]["description"]
    (message,) = parsed(offline, event)
    assert message.text.startswith("And <b>")
    event["event"]["comment"]["author"]["is_staff"] = True
    assert parsed(offline, event) == []


def test_a_private_new_ticket_is_not_the_customers_word(offline: ZendeskChannel) -> None:
    event = loaded("ticket_created")
    event["detail"]["is_public"] = False
    assert parsed(offline, event) == []


@pytest.mark.parametrize("missing", ["is_public", "author"])
def test_a_comment_that_does_not_say_whose_it_is_goes_to_quarantine(offline: ZendeskChannel, missing: str) -> None:
    event = loaded("comment_added")
    del event["event"]["comment"][missing]
    with pytest.raises(PayloadNotUnderstood):
        parsed(offline, event)


def test_a_new_user_may_be_an_erased_one_who_came_back(offline: ZendeskChannel) -> None:
    (changed,) = parsed(offline, loaded("user_created"))
    assert changed == ContactChanged(
        "bb0d6a9e-0d0c-4a0d-9a53-0b7e9f6d3c08", "zendesk", MARIA, Identity("zendesk.user", "8447388090494")
    )


# ---- settings -----------------------------------------------------------------------------------------------------


def test_support_and_messaging_are_switched_on_apart() -> None:
    sub = {"ZENDESK_SUBDOMAIN": "intellimails"}
    assert VENDOR.settings.from_env(sub) is None
    assert MESSAGING.settings.from_env(sub) is None
    assert MESSAGING.settings.from_env(SUPPORT_ENV) is None
    assert VENDOR.settings.from_env(sub | MESSAGING_ENV) is None
    support, messaging = ZendeskSettings.from_env(SUPPORT_ENV), MessagingSettings.from_env(sub | MESSAGING_ENV)
    assert support is not None
    assert messaging is not None
    assert support.api_url == "https://intellimails.zendesk.com"
    assert support.sunco is None
    assert messaging.api_url == "https://intellimails.zendesk.com/sc"
    assert messaging.support is None
    both = ZendeskSettings.from_env(ENV)
    assert both is not None
    assert both.sunco is not None


def test_neither_subdomain_nor_url_is_a_problem_that_is_named() -> None:
    env = {name: value for name, value in ENV.items() if name != "ZENDESK_SUBDOMAIN"}
    for settings, variable in ((ZendeskSettings, "ZENDESK_API_URL"), (MessagingSettings, "ZENDESK_MESSAGING_API_URL")):
        with pytest.raises(ConfigurationError, match=variable) as problem:
            settings.from_env(env)
        assert not any(value in str(problem.value) for value in env.values())


def test_a_subdomain_cannot_be_another_host() -> None:
    with pytest.raises(ConfigurationError, match="ZENDESK_SUBDOMAIN"):
        ZendeskSettings.from_env({**SUPPORT_ENV, "ZENDESK_SUBDOMAIN": "evil.example/"})


# ---- tickets at the twin ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_inbox() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(shared_inbox: Inbox) -> Iterator[Served]:
    with serving(ZendeskTwin, env=SUPPORT_ENV, app_url=shared_inbox.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served) -> Served:
    shared_world.twin(ZendeskTwin).reset()
    return shared_world


@pytest.fixture
def inbox(shared_inbox: Inbox) -> Inbox:
    shared_inbox.deliveries.clear()
    shared_inbox.accept, shared_inbox.status = None, 200
    return shared_inbox


@pytest.fixture
def channel(world: Served) -> ZendeskChannel:
    return ZendeskChannel(world.settings(ZendeskSettings))


def ticket(world: Served, id: int) -> Any:
    return next(t for t in world.state("zendesk")["tickets"] if t["id"] == id)


def said(world: Served, **more: Any) -> ConversationRef:
    answer = world.say("zendesk", **{"email": MARIA, "text": "delete my data", **more})
    return ConversationRef("zendesk", str(answer.json()["conversation"]), str(support_id(MARIA)))


def test_what_the_twin_sends_is_verified_and_understood(world: Served, inbox: Inbox, channel: ZendeskChannel) -> None:
    inbox.accept = channel.verify
    answer = world.say("zendesk", email=MARIA, text="delete my data", deliver=True)
    assert answer.status_code == 200
    assert answer.json()["delivered"] == 200
    again = world.say("zendesk", conversation=answer.json()["conversation"], email=MARIA, text="hello?", deliver=True)
    assert again.json()["conversation"] == answer.json()["conversation"]
    first, second = [m for d in inbox.deliveries for m in channel.parse(d)]
    assert isinstance(first, InboundMessage)
    assert isinstance(second, InboundMessage)
    assert (first.text, second.text) == ("delete my data", "hello?")
    assert first.event_id != second.event_id
    assert first.conversation == second.conversation
    complete = channel.complete(second)
    assert (complete.address, complete.evidence, complete.author_name) == (MARIA, Evidence.CLAIM, "Maria Pop")


def test_say_answers_2xx_only_if_the_webhook_was_accepted(world: Served, inbox: Inbox) -> None:
    inbox.status = 401
    assert world.say("zendesk", email=MARIA, text="x", deliver=True).status_code == 401


def test_another_address_on_a_ticket_is_another_participant(
    world: Served, inbox: Inbox, channel: ZendeskChannel
) -> None:
    ref = said(world)
    world.say("zendesk", conversation=ref.id, email="eve@attacker.example", text="me too", deliver=True)
    (message,) = channel.parse(inbox.deliveries[0])
    assert isinstance(message, InboundMessage)
    assert message.conversation.id == ref.id
    assert channel.complete(message).address == "eve@attacker.example"


@pytest.mark.parametrize("email", ["", "not an address"])
def test_an_author_without_an_address_stays_without(
    world: Served, inbox: Inbox, channel: ZendeskChannel, email: str
) -> None:
    world.say("zendesk", email=email, text="delete", deliver=True)
    (message,) = channel.parse(inbox.deliveries[0])
    assert isinstance(message, InboundMessage)
    complete = channel.complete(message)
    assert complete.address == email
    assert complete.evidence is (Evidence.CLAIM if email else Evidence.NONE)


def test_an_author_whom_zendesk_does_not_know_has_no_address(offline: ZendeskChannel, channel: ZendeskChannel) -> None:
    (message,) = parsed(offline, loaded("comment_added"))
    assert channel.complete(message) == message


def test_the_first_comment_is_fetched_when_the_event_has_no_text(world: Served, channel: ZendeskChannel) -> None:
    ref = said(world, text="delete my data")
    empty = InboundMessage("e1", ref, "", datetime.now(UTC))
    assert channel.complete(empty).text == "delete my data"
    others = dataclasses.replace(empty, conversation=dataclasses.replace(ref, person=str(AGENT_ID)))
    assert channel.complete(others).text == ""


def test_a_new_ticket_whose_event_has_no_words_is_not_lost(house: House) -> None:
    """Only the ticket says what it is about, so it is asked for before anybody decides that it does not concern us."""
    person, twin = house.person("zendesk"), house.twins["zendesk"]
    assert isinstance(twin, ZendeskTwin)
    said = twin.say({"text": "Please delete my account and all my data.", "email": person.email, "name": person.name})
    id = str(said["conversation"])
    opened = twin.records["tickets"][id]
    author = twin.records["users"][str(opened["requester_id"])]
    assert twin.send_event("created", opened | {"description": ""}, opened["comments"][0], author) == 200
    assert "code" in house.hear("zendesk", id)
    assert house.code(person.email)


def test_replies_are_public_and_notes_are_not(world: Served, channel: ZendeskChannel) -> None:
    ref = said(world)
    channel.reply(ref, Reply("Please type the code.\n\nThank you."), idempotency_key="k1")
    channel.note(ref, "PR-7K2M4Q is open", idempotency_key="k2")
    _, reply, note = ticket(world, int(ref.id))["comments"]
    assert (reply["body"], reply["public"]) == ("Please type the code.\n\nThank you.", True)
    assert (note["body"], note["public"]) == ("PR-7K2M4Q is open", False)


def test_said_knows_what_was_said_after_the_customers_last_comment(world: Served, channel: ZendeskChannel) -> None:
    ref = said(world)
    assert not channel.said(ref, "Please type the code.", idempotency_key="k1")
    channel.reply(ref, Reply("Please type the  code."), idempotency_key="k1")
    channel.note(ref, "a note", idempotency_key="k2")
    assert channel.said(ref, "Please type the code.", idempotency_key="k1")
    assert channel.said(ref, "a note", idempotency_key="k2")
    world.say("zendesk", conversation=ref.id, email=MARIA, text="send again")
    assert not channel.said(ref, "Please type the code.", idempotency_key="k3")


def test_a_comment_of_unknown_fate_is_not_repeated(
    world: Served, channel: ZendeskChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    ref = said(world)
    world.fault("zendesk", "503", 1)
    with pytest.raises(VendorUnavailable):
        channel.reply(ref, Reply("once"), idempotency_key="k1")
    assert len([c for c in world.calls("zendesk") if c.startswith("PUT")]) == 1


def test_a_closed_ticket_takes_no_reply(world: Served, channel: ZendeskChannel) -> None:
    closed = next(t for t in world.state("zendesk")["tickets"] if t["status"] == "closed")
    with pytest.raises(VendorRefused):
        channel.reply(ConversationRef("zendesk", str(closed["id"])), Reply("x"), idempotency_key="k1")


@pytest.mark.parametrize("id", ["../users/1", "5158?x=1", "", "a" * 65])
def test_an_id_from_outside_leads_to_no_other_path(channel: ZendeskChannel, id: str) -> None:
    with pytest.raises(VendorError):
        channel.reply(ConversationRef("zendesk", id), Reply("x"), idempotency_key="k1")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_answering_is_a_typed_error(world: Served, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    ref = said(world)
    impatient(monkeypatch)
    channel = ZendeskChannel(world.settings(ZendeskSettings))
    world.fault("zendesk", fault, 60)
    with pytest.raises(VendorError):
        channel.reply(ref, Reply("x"), idempotency_key="k1")
    world.twin(ZendeskTwin).faults.clear()


def test_check_tells_a_wrong_token(world: Served, channel: ZendeskChannel) -> None:
    channel.check()
    with pytest.raises(CredentialsRejected):
        ZendeskChannel(world.settings(ZendeskSettings, ZENDESK_API_TOKEN="wrong")).check()


def test_the_twin_tells_its_rate_limit(world: Served, channel: ZendeskChannel) -> None:
    answer = channel._api._http.call("GET", "users/me")
    assert int(answer.headers["X-Rate-Limit-Remaining"]) < int(answer.headers["X-Rate-Limit"])
