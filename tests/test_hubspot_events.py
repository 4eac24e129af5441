"""Hubspot as a source of events, over real HTTP to the twin."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from dsr.errors import (
    DeliveryRejected,
    PayloadNotUnderstood,
)
from dsr.messages import ContactChanged, Delivery, SuppressionReported
from dsr.model import Identity
from integrations.channel import Channel
from integrations.hubspot import VENDOR
from integrations.hubspot.events import HubspotEvents, signature
from integrations.hubspot.settings import HubspotSettings
from integrations.hubspot.twin import HubspotTwin
from tests import hubspot
from tests.contracts import ChannelContract
from tests.hubspot import ENV
from tests.twins import MARIA, STRANGER, Inbox, Served, delivery

app, shared_world, world, twin = hubspot.app, hubspot.shared_world, hubspot.world, hubspot.twin  # fixtures


def event(type: str, **more: Any) -> bytes:
    base = {
        "eventId": 3181526809,
        "subscriptionId": 22110,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": 1790000000000,
        "attemptNumber": 0,
        "objectId": 50101,
    }
    return json.dumps([{**base, "subscriptionType": type, **more}]).encode()


OPT_OUT = event("contact.propertyChange", propertyName="hs_email_optout", propertyValue="true")


class TestHubspotEvents(ChannelContract):
    vendor, env, path = VENDOR, ENV, "hubspot"
    genuine = OPT_OUT
    own = (event("contact.privacyDeletion"), event("conversation.newMessage", messageId="m"), b"[]")
    signature_headers = ("x-hubspot-signature-v3", "x-hubspot-request-timestamp")

    def sign(self, body: bytes) -> Mapping[str, str]:
        return self.signed(body, str(int(time.time() * 1000)))

    def signed(self, body: bytes, now: str) -> Mapping[str, str]:
        what = b"POSThttps://desk.example.com/webhooks/hubspot" + body + now.encode()
        given = signature(ENV["HUBSPOT_CLIENT_SECRET"], what).decode()
        return {"X-HubSpot-Signature-v3": given, "X-HubSpot-Request-Timestamp": now}

    def stale(self, body: bytes) -> Delivery:
        return delivery(body, self.signed(body, str(int((time.time() - 301) * 1000))), path="/webhooks/hubspot")

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (report,) = channel.parse(genuine)
        identity = Identity("hubspot.contact", "50101")
        event_id = "62515:22110:3181526809:1790000000000:50101"
        assert report == SuppressionReported(event_id, "hubspot", "", identity=identity)
        assert channel.respond(genuine).status == 200


@pytest.fixture
def offline() -> HubspotEvents:
    settings = HubspotSettings.from_env(ENV)
    assert settings is not None
    return HubspotEvents(settings)


def test_the_signature_of_the_vendor_note_is_the_one_that_we_compute() -> None:
    secret, now = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", "1693657560000"
    signed = f"POSThttps://www.example.com/webhook_uri{{'example_field':'example_value'}}{now}"
    assert signature(secret, signed.encode()) == b"K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


def test_without_a_secret_or_a_base_url_everything_is_rejected() -> None:
    for missing in ("HUBSPOT_CLIENT_SECRET", "BASE_URL"):
        settings = HubspotSettings.from_env({k: v for k, v in ENV.items() if k != missing})
        assert settings is not None
        with pytest.raises(DeliveryRejected):
            HubspotEvents(settings).verify(TestHubspotEvents().sent(OPT_OUT))


def test_the_hosts_header_has_no_say_in_the_signed_address(offline: HubspotEvents) -> None:
    genuine = TestHubspotEvents().sent(OPT_OUT)
    offline.verify(dataclasses.replace(genuine, headers={**genuine.headers, "host": "evil.example"}))
    with pytest.raises(DeliveryRejected):
        offline.verify(dataclasses.replace(genuine, path="/webhooks/hubspot/"))


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (event("contact.creation"), ""),
        (event("contact.restore"), ""),
        (event("object.creation", objectTypeId="0-1"), ""),
        (event("contact.propertyChange", propertyName="email", propertyValue="Maria.POP@example.com"), MARIA),
    ],
)
def test_new_and_changed_contacts_are_reported(offline: HubspotEvents, body: bytes, address: str) -> None:
    (report,) = offline.parse(delivery(body))
    assert isinstance(report, ContactChanged)
    assert (report.address, report.identity) == (address, Identity("hubspot.contact", "50101"))


@pytest.mark.parametrize(
    "body",
    [
        event("contact.propertyChange", propertyName="hs_email_optout", propertyValue="false"),
        event("contact.propertyChange", propertyName="hs_email_optout_201", propertyValue="true"),
        event("object.creation", objectTypeId="0-5"),
        event("contact.deletion"),
    ],
)
def test_other_events_are_not_for_us(offline: HubspotEvents, body: bytes) -> None:
    assert offline.parse(delivery(body)) == []


def test_several_events_in_one_delivery_are_all_read(offline: HubspotEvents) -> None:
    both = [*json.loads(OPT_OUT), *json.loads(event("contact.creation", eventId=2))]
    assert len(offline.parse(delivery(json.dumps(both).encode()))) == 2
    with pytest.raises(PayloadNotUnderstood):
        offline.parse(delivery(json.dumps([*both, 1]).encode()))


def test_opting_out_and_coming_back_at_hubspot_are_told_to_the_app(
    world: Served, app: Inbox, twin: HubspotTwin
) -> None:
    events = HubspotEvents(world.settings(HubspotSettings))
    world._control("POST", "hubspot", "unsubscribe", {"email": MARIA})
    world._control("POST", "hubspot", "form", {"email": STRANGER})
    for arrived in app.deliveries:
        assert abs(arrived.received_at - datetime.now(UTC)).total_seconds() < 60
        events.verify(arrived)
    ((report,), (back,)) = (events.parse(arrived) for arrived in app.deliveries)
    assert isinstance(report, SuppressionReported)
    assert isinstance(back, ContactChanged)
    assert report.identity is not None
    assert events.address_of(report.identity) == MARIA
    assert back.identity is not None
    assert events.address_of(back.identity) == STRANGER
    assert events.address_of(Identity("hubspot.contact", "999")) == ""
