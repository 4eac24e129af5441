"""Zendesk messaging as a channel: recorded webhooks, and conversations at the twin over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from dsr.errors import CredentialsRejected, PayloadNotUnderstood, VendorError, VendorRefused, VendorUnavailable
from dsr.messages import ContactChanged, ConversationRef, Delivery, Evidence, InboundMessage, Reply
from dsr.model import Identity
from integrations.twin import FAULTS
from integrations.zendesk import MESSAGING
from integrations.zendesk.messaging import ZendeskMessagingChannel
from integrations.zendesk.settings import MessagingSettings
from integrations.zendesk.sunco import KEY
from integrations.zendesk.twin import ZendeskTwin
from integrations.zendesk.twin_messaging import ZendeskMessagingTwin
from integrations.zendesk.twin_seed import messaging_id, support_id
from tests.contracts import ChannelContract, impatient
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving
from tests.zendesk import ENV, loaded, recorded, urls

TWIN = "zendesk-messaging"


class TestZendeskMessagingChannel(ChannelContract):
    vendor, env, path = MESSAGING, ENV, TWIN
    genuine = recorded("messaging_user")
    own = (recorded("messaging_business"), recorded("messaging_image"), recorded("messaging_postback"))
    signature_headers = ("x-api-key",)

    def sign(self, body: bytes) -> Mapping[str, str]:
        return {"X-API-Key": ENV["ZENDESK_MESSAGING_WEBHOOK_SECRET"]}

    def tampered(self, genuine: Delivery) -> Iterator[Delivery]:
        """The shared secret does not cover the body: HTTPS has to."""
        return iter(())

    def test_a_channel_names_itself_as_its_webhook_path(self, channel: Any) -> None:
        """Its processor is that of Support, so the vendor is `zendesk` though its settings are its own."""
        assert (channel.name, channel.vendor) == (TWIN, "zendesk")
        assert channel.label


# ---- what is read -------------------------------------------------------------------------------------------------


@pytest.fixture
def offline() -> ZendeskMessagingChannel:
    settings = MessagingSettings.from_env(ENV)
    assert settings is not None
    return ZendeskMessagingChannel(settings)


def parsed(channel: ZendeskMessagingChannel, payload: Any) -> list[Any]:
    return list(channel.parse(delivery(json.dumps(payload).encode())))


def message(**user: Any) -> Any:
    payload = loaded("messaging_user")
    payload["events"][0]["payload"]["message"]["author"]["user"].update(user)
    return payload


def test_a_message_is_read_from_the_documented_places(offline: ZendeskMessagingChannel) -> None:
    assert parsed(offline, loaded("messaging_user")) == [
        InboundMessage(
            event_id="5f3a9c11e10000000000ee01",
            conversation=ConversationRef(TWIN, "029c31f25a21b47effd7be90", "7494535bff5cef41a15be74d"),
            text="Vreau să-mi ștergeți datele.",
            sent_at=datetime(2026, 1, 2, 3, 4, 5, 928000, tzinfo=UTC),
            address=MARIA,
            evidence=Evidence.SIGNED,
            author_name="Maria Pop",
            external_id="acc-maria",
        )
    ]


SSO = {"type": "email", "value": MARIA, "verification": "sso"}
TYPED = {"type": "email", "value": "victim@example.com", "verification": "embed"}


@pytest.mark.parametrize(
    ("user", "address", "evidence"),
    [
        ({"authenticated": True, "identities": [SSO]}, MARIA, Evidence.SIGNED),
        ({"authenticated": False, "identities": [SSO]}, MARIA, Evidence.CLAIM),
        ({"authenticated": "true", "identities": [SSO]}, MARIA, Evidence.CLAIM),
        ({"authenticated": True, "identities": [TYPED]}, "victim@example.com", Evidence.CLAIM),
        ({"authenticated": True, "identities": [TYPED, SSO]}, MARIA, Evidence.SIGNED),
        ({"authenticated": True, "identities": []}, MARIA, Evidence.CLAIM),  # the profile's: typed
        ({"authenticated": True, "identities": None, "profile": {}}, "", Evidence.NONE),
        ({"authenticated": True, "identities": [{**SSO, "type": "phone"}], "profile": {}}, "", Evidence.NONE),
    ],
)
def test_only_a_signed_in_users_own_address_is_signed(
    offline: ZendeskMessagingChannel, user: dict[str, Any], address: str, evidence: Evidence
) -> None:
    (found,) = parsed(offline, message(**user))
    assert (found.address, found.evidence) == (address, evidence)


def test_every_event_of_a_delivery_is_read(offline: ZendeskMessagingChannel) -> None:
    payload = loaded("messaging_user")
    second = json.loads(json.dumps(payload["events"][0]))
    second["id"] = "5f3a9c11e10000000000ee02"
    payload["events"] += [loaded("messaging_business")["events"][0], second]
    assert [m.event_id for m in parsed(offline, payload)] == ["5f3a9c11e10000000000ee01", "5f3a9c11e10000000000ee02"]


def test_one_event_that_is_not_understood_sends_all_to_quarantine(offline: ZendeskMessagingChannel) -> None:
    payload = loaded("messaging_user")
    payload["events"].append({"type": "conversation:message", "id": "x", "payload": {}})
    with pytest.raises(PayloadNotUnderstood):
        parsed(offline, payload)


def test_a_changed_user_may_be_an_erased_one_who_came_back(offline: ZendeskMessagingChannel) -> None:
    assert parsed(offline, loaded("messaging_user_update")) == [
        ContactChanged(
            "5f3a9c11e10000000000ee09",
            "zendesk",
            MARIA,
            Identity("zendesk.messaging_user", "7494535bff5cef41a15be74d"),
        )
    ]


def test_the_desk_answers_only_while_it_has_the_conversation() -> None:
    settings = MessagingSettings.from_env({**ENV, "ZENDESK_MESSAGING_INTEGRATION": "privacy-desk"})
    assert settings is not None
    payload = loaded("messaging_user")
    conversation = payload["events"][0]["payload"]["conversation"]
    for holder, heard in (("privacy-desk", 1), ("zd-agentWorkspace", 0)):
        conversation["activeSwitchboardIntegration"] = {"name": holder}
        assert len(parsed(ZendeskMessagingChannel(settings), payload)) == heard


# ---- conversations at the twin ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_inbox() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def shared_world(shared_inbox: Inbox) -> Iterator[Served]:
    with serving(ZendeskTwin, ZendeskMessagingTwin, env=ENV, app_url=shared_inbox.url) as served:
        yield served


@pytest.fixture
def world(shared_world: Served) -> Served:
    for twin in shared_world.twins.values():
        twin.reset()
    return shared_world


@pytest.fixture
def inbox(shared_inbox: Inbox) -> Inbox:
    shared_inbox.deliveries.clear()
    shared_inbox.accept, shared_inbox.status = None, 200
    return shared_inbox


def connect(world: Served, **more: str) -> ZendeskMessagingChannel:
    settings = MessagingSettings.from_env({**ENV, **urls(world.base_url), **more})
    assert settings is not None
    return ZendeskMessagingChannel(settings)


@pytest.fixture
def channel(world: Served) -> ZendeskMessagingChannel:
    return connect(world)


def conversation(world: Served, id: str) -> Any:
    return next(c for c in world.state(TWIN)["conversations"] if c["id"] == id)


def said(world: Served, **more: Any) -> ConversationRef:
    answer = world.say(TWIN, **{"email": MARIA, "text": "delete my data", "verified": True, **more})
    return ConversationRef(TWIN, answer.json()["conversation"], messaging_id(MARIA))


def test_what_the_twin_sends_is_verified_and_understood(
    world: Served, inbox: Inbox, channel: ZendeskMessagingChannel
) -> None:
    inbox.accept = channel.verify
    answer = world.say(TWIN, email=MARIA, name="Maria Pop", text="delete my data", deliver=True)
    assert (answer.status_code, answer.json()["delivered"]) == (200, 200)
    id = answer.json()["conversation"]
    assert world.say(TWIN, conversation=id, email=MARIA, text="hello?", deliver=True).json()["conversation"] == id
    first, second = [m for d in inbox.deliveries for m in channel.parse(d)]
    assert isinstance(first, InboundMessage)
    assert isinstance(second, InboundMessage)
    assert (first.text, second.text) == ("delete my data", "hello?")
    assert (first.address, first.evidence, first.author_name) == (MARIA, Evidence.CLAIM, "Maria Pop")
    assert first.conversation == second.conversation
    assert first.event_id != second.event_id


def test_who_is_signed_in_is_vouched_for_and_known_again(
    world: Served, inbox: Inbox, channel: ZendeskMessagingChannel
) -> None:
    ref = said(world, deliver=True)
    (found,) = channel.parse(inbox.deliveries[0])
    assert isinstance(found, InboundMessage)
    assert (found.address, found.evidence, found.external_id) == (MARIA, Evidence.SIGNED, "acc-maria")
    assert found.conversation == ref


def test_say_answers_2xx_only_if_the_webhook_was_accepted(world: Served, inbox: Inbox) -> None:
    inbox.status = 503
    assert world.say(TWIN, email=MARIA, text="x", deliver=True).status_code == 503


@pytest.mark.parametrize("email", ["", "not an address"])
def test_a_visitor_without_a_proper_address_can_write(
    world: Served, inbox: Inbox, channel: ZendeskMessagingChannel, email: str
) -> None:
    assert world.say(TWIN, email=email, text="delete", deliver=True).status_code == 200
    (found,) = channel.parse(inbox.deliveries[0])
    assert isinstance(found, InboundMessage)
    assert (found.address, found.evidence) == (email, Evidence.CLAIM if email else Evidence.NONE)


def test_a_reply_comes_from_the_business_and_carries_our_key(world: Served, channel: ZendeskMessagingChannel) -> None:
    ref = said(world)
    assert not channel.said(ref, "Please type the code.", idempotency_key="k1")
    channel.reply(ref, Reply("Please type the code."), idempotency_key="k1")
    reply = conversation(world, ref.id)["messages"][-1]
    assert reply["text"] == "Please type the code."
    assert reply["author"] == {"type": "business", "displayName": "Privacy Desk", "subtypes": ["AI"]}
    assert reply["metadata"] == {KEY: "k1"}
    for n in range(7):  # over more than one page back
        world.say(TWIN, conversation=ref.id, email=MARIA, text=str(n))
    assert channel.said(ref, "Please type the code.", idempotency_key="k1")
    assert not channel.said(ref, "Please type the code.", idempotency_key="k2")


def test_a_message_of_unknown_fate_is_not_repeated(
    world: Served, channel: ZendeskMessagingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = said(world)
    impatient(monkeypatch)
    world.fault(TWIN, "503")
    with pytest.raises(VendorUnavailable):
        channel.reply(ref, Reply("once"), idempotency_key="k1")
    assert len([c for c in world.calls(TWIN) if c.startswith("POST")]) == 1


def test_a_note_goes_on_the_linked_ticket(world: Served, channel: ZendeskMessagingChannel) -> None:
    twin = world.twin(ZendeskTwin)
    with twin.records.lock:
        for id, ticket in list(twin.records["tickets"].items()):
            if ticket["requester_id"] == support_id(MARIA) and ticket["status"] in ("open", "closed"):
                twin.records["tickets"][id] = ticket | {"via": {"channel": "native_messaging"}}
    ref = said(world)
    channel.note(ref, "PR-7K2M4Q is open", idempotency_key="k1")
    noted = [
        (t["status"], c["public"])
        for t in world.state("zendesk")["tickets"]
        for c in t["comments"]
        if c["body"] == "PR-7K2M4Q is open"
    ]
    assert noted == [("open", False)]
    assert channel.said(ref, "PR-7K2M4Q is open", idempotency_key="k1")
    assert not any("PR-7K2M4Q" in m["text"] for m in conversation(world, ref.id)["messages"])


def test_a_note_without_a_linked_ticket_is_refused(world: Served, channel: ZendeskMessagingChannel) -> None:
    with pytest.raises(VendorRefused, match="no ticket"):
        channel.note(said(world), "x", idempotency_key="k1")
    with pytest.raises(VendorRefused, match="no ticket"):
        connect(world, ZENDESK_API_TOKEN="").note(said(world), "x", idempotency_key="k1")


@pytest.mark.parametrize("id", ["../users/1", "x?y=1", "", "a" * 65])
def test_an_id_from_outside_leads_to_no_other_path(channel: ZendeskMessagingChannel, id: str) -> None:
    with pytest.raises(VendorError):
        channel.reply(ConversationRef(TWIN, id), Reply("x"), idempotency_key="k1")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_answering_is_a_typed_error(world: Served, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    ref = said(world)
    impatient(monkeypatch)
    world.fault(TWIN, fault, 60)
    with pytest.raises(VendorError):
        connect(world).reply(ref, Reply("x"), idempotency_key="k1")
    world.twin(ZendeskMessagingTwin).faults.clear()


def test_check_tells_a_wrong_key(world: Served, channel: ZendeskMessagingChannel) -> None:
    channel.check()
    with pytest.raises(CredentialsRejected):
        connect(world, ZENDESK_MESSAGING_KEY_SECRET="wrong").check()
