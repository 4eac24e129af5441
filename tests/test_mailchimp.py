"""MailChimp's audience webhooks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlencode

import pytest

from dsr.errors import (
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorRefused,
)
from dsr.messages import ContactChanged, ConversationRef, Delivery, Reply, SuppressionReported
from integrations.channel import Channel
from integrations.mailchimp import VENDOR
from integrations.mailchimp.api import subscriber_hash
from integrations.mailchimp.settings import MailchimpSettings
from integrations.mailchimp.twin import MailchimpTwin
from integrations.twin import World
from tests.contracts import ChannelContract
from tests.mailchimp import ENV, ION, statuses
from tests.twins import MARIA, STRANGER, delivery, receiving, serving

FIELDS = {
    "type": "unsubscribe",
    "fired_at": "2026-11-20 10:00:00",
    "data[action]": "unsub",
    "data[reason]": "manual",
    "data[id]": "8a25ff1d98",
    "data[list_id]": "a1newsletter",
    "data[email]": MARIA,
    "data[email_type]": "html",
    "data[merges][EMAIL]": MARIA,
    "data[merges][FNAME]": "Maria",
    "data[ip_opt]": "203.0.113.7",
}


def event(**changed: str) -> bytes:
    """The form of an event; `data_reason` stands for `data[reason]`."""
    named = {k.replace("data_", "data[") + "]" if k.startswith("data_") else k: v for k, v in changed.items()}
    return urlencode({**FIELDS, **named}).encode()


class TestMailchimpEvents(ChannelContract):
    vendor, env, path, is_json = VENDOR, ENV, "mailchimp", False
    genuine = event()
    own: ClassVar[tuple[bytes, ...]] = (
        event(data_action="delete"),
        event(type="cleaned", data_reason="hard"),
        event(type="campaign"),
        event(type="something_new"),
    )
    signature_headers = ("x-mailchimp-signature",)

    def sign(self, body: bytes, at: float | None = None) -> Mapping[str, str]:
        return {"X-Mailchimp-Signature": MailchimpTwin(World(env=ENV)).sign(body, at)}

    def stale(self, body: bytes) -> Delivery | None:
        return delivery(body, self.sign(body, time.time() - 301))

    def test_a_channel_names_itself_as_its_webhook_path(self, channel: Channel) -> None:
        assert (channel.name, channel.vendor, channel.label) == ("mailchimp", "mailchimp", "")

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (told,) = channel.parse(genuine)
        assert isinstance(told, SuppressionReported)
        assert (told.vendor, told.address, told.reason) == ("mailchimp", MARIA, "unsubscribe")
        assert channel.parse(genuine) == [told]
        assert channel.respond(genuine).status == 200

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (event(data_reason="abuse"), "complaint"),
            (event(type="cleaned", data_reason="abuse"), "complaint"),
            (event(data_email="Maria.Pop@Example.com"), "unsubscribe"),
        ],
    )
    def test_complaints_and_other_spellings(self, channel: Channel, body: bytes, reason: str) -> None:
        (told,) = channel.parse(delivery(body))
        assert isinstance(told, SuppressionReported)
        assert (told.address, told.reason) == (MARIA, reason)

    @pytest.mark.parametrize(
        ("body", "address"),
        [
            (event(type="subscribe"), MARIA),
            (event(type="profile"), MARIA),
            (event(type="upemail", data_new_email=ION, data_old_email=MARIA, data_new_id="77"), ION),
        ],
    )
    def test_who_appears_or_changes_may_be_someone_who_was_erased(
        self, channel: Channel, body: bytes, address: str
    ) -> None:
        (told,) = channel.parse(delivery(body))
        assert isinstance(told, ContactChanged)
        assert told.address == address

    def test_an_event_is_its_type_list_contact_and_moment(self, channel: Channel) -> None:
        bodies = (
            event(),
            event(fired_at="2026-11-20 10:00:01"),
            event(data_id="other"),
            event(data_list_id="b2customers"),
            event(type="subscribe"),
        )
        ids = [channel.parse(delivery(body))[0].event_id for body in bodies]
        assert len(set(ids)) == len(bodies)
        assert channel.parse(delivery(event(data_reason="other")))[0].event_id == ids[0]

    @pytest.mark.parametrize(
        "body", [event(data_email=""), event(data_email="nobody"), event(type=""), b"type=unsubscribe", b"x=1&" * 600]
    )
    def test_a_form_without_what_we_need_goes_to_quarantine(self, channel: Channel, body: bytes) -> None:
        with pytest.raises(PayloadNotUnderstood):
            channel.parse(delivery(body))

    def test_the_get_that_tries_the_address_is_answered(self, channel: Channel) -> None:
        tried = delivery(b"", method="GET", path="/webhooks/mailchimp")
        channel.verify(tried)
        assert list(channel.parse(tried)) == []
        assert channel.respond(tried).status == 200

    def test_an_unsigned_delivery_needs_the_secret_in_its_address(self, channel: Channel) -> None:
        unsigned = delivery(self.genuine)
        for query in (
            {},
            {"secret": ""},
            {"secret": "wrong"},
            {"secret": "mailchimp-test-secret\udcff"},
            {"other": "x"},
        ):
            with pytest.raises(DeliveryRejected):
                channel.verify(dataclasses.replace(unsigned, query=query))
        channel.verify(dataclasses.replace(unsigned, query={"secret": "mailchimp-test-secret"}))

    def test_a_wrong_signature_is_not_saved_by_the_secret_in_the_address(self, channel: Channel) -> None:
        forged = delivery(self.genuine, {"X-Mailchimp-Signature": f"t={int(time.time())},v1={'0' * 64}"})
        with pytest.raises(DeliveryRejected):
            channel.verify(dataclasses.replace(forged, query={"secret": "mailchimp-test-secret"}))

    def test_without_a_secret_nothing_is_accepted(self) -> None:
        channel = self.make({"MAILCHIMP_API_KEY": ENV["MAILCHIMP_API_KEY"]})
        for tried in (delivery(self.genuine), self.sent(self.genuine)):
            for query in ({}, {"secret": ""}):
                with pytest.raises(DeliveryRejected):
                    channel.verify(dataclasses.replace(tried, query=query))

    def test_each_audience_may_have_a_signing_secret_of_its_own(self) -> None:
        several = {**ENV, "MAILCHIMP_WEBHOOK_SECRET": "another-secret-first, mailchimp-test-secret"}
        self.make(several).verify(self.sent(self.genuine))

    def test_there_is_nowhere_to_answer(self, channel: Channel) -> None:
        nowhere = ConversationRef("mailchimp", "x")
        with pytest.raises(VendorRefused):
            channel.reply(nowhere, Reply("hello"), idempotency_key="k")
        with pytest.raises(VendorRefused):
            channel.note(nowhere, "hello", idempotency_key="k")


def test_the_signature_and_the_hash_are_the_computed_ones() -> None:
    body = b"type=unsubscribe&data%5Bemail%5D=a%40example.com"
    hex = "1a758bc385b49a4dede8372345d786bd071a365ec3f79c8d208beaa0bad7a677"
    given = delivery(body, {"X-Mailchimp-Signature": f"t=1700000000,v1={hex}"})
    settings = MailchimpSettings.from_env(ENV)
    assert settings is not None
    channel = VENDOR.channels["mailchimp"](settings)
    channel.verify(dataclasses.replace(given, received_at=datetime.fromtimestamp(1700000290, UTC)))
    with pytest.raises(DeliveryRejected):
        channel.verify(dataclasses.replace(given, received_at=datetime.fromtimestamp(1700000301, UTC)))
    assert subscriber_hash("Jane.Doe@Example.com") == "0cba00ca3da1b283a57287bcceb17e35"


def test_the_twins_webhook_is_accepted_and_understood() -> None:
    with receiving() as inbox, serving(MailchimpTwin, env=ENV, app_url=inbox.url) as served:
        channel = VENDOR.channels["mailchimp"](served.settings(MailchimpSettings))
        inbox.accept = channel.verify
        answer = served.say("mailchimp", email=ION, deliver=True)
        assert answer.ok
        assert answer.json()["delivered"] == 200
        assert statuses(served, ION)[answer.json()["conversation"]] == "unsubscribed"
        stranger = served.say("mailchimp", email=STRANGER, deliver=True, event="unsubscribe", reason="abuse")
        assert stranger.ok
        told = [channel.parse(d)[0] for d in inbox.deliveries]
        assert [(t.address, t.reason) for t in told if isinstance(t, SuppressionReported)] == [
            (ION, "unsubscribe"),
            (STRANGER, "complaint"),
        ]
        inbox.status = 500
        assert not served.say("mailchimp", email=ION, deliver=True).ok
