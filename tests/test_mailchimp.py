"""MailChimp: unsubscribed before deleted, deleted for good and never only archived, in every audience and store."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
import responses

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorAnswerUnexpected,
    VendorRateLimited,
    VendorRefused,
)
from dsr.model import (
    ContactChanged,
    ConversationRef,
    Delivery,
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Reply,
    Right,
    SuppressionReported,
)
from integrations.channel import Channel
from integrations.mailchimp import VENDOR, rows
from integrations.mailchimp.api import Api, subscriber_hash
from integrations.mailchimp.processor import MailchimpProcessor
from integrations.mailchimp.settings import MailchimpSettings
from integrations.mailchimp.twin import MailchimpTwin
from integrations.mailchimp.twin_seed import AUDIENCES, STORE
from integrations.transport import Transport
from integrations.twin import World
from tests.contracts import ChannelContract, ProcessorContract, consume, impatient
from tests.twins import MARIA, STRANGER, Served, delivery, receiving, serving

ENV = {
    "MAILCHIMP_API_KEY": "0123456789abcdef0123456789abcdef-us19",
    "MAILCHIMP_WEBHOOK_SECRET": "mailchimp-test-secret",
}
ION = "ion.ionescu@example.com"
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


def instruction(operation: Operation, right: Right, address: str = MARIA, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, Identities.of_email(address), "key-1", changes)


def event(**changed: str) -> bytes:
    """The form of an event; `data_reason` stands for `data[reason]`."""
    named = {k.replace("data_", "data[") + "]" if k.startswith("data_") else k: v for k, v in changed.items()}
    return urlencode({**FIELDS, **named}).encode()


@pytest.fixture(scope="module")
def twins() -> Iterator[Served]:
    with serving(MailchimpTwin, env=ENV) as served:
        yield served


@pytest.fixture
def served(twins: Served) -> Served:
    twins.twin(MailchimpTwin).reset()
    return twins


@pytest.fixture
def processor(served: Served, monkeypatch: pytest.MonkeyPatch) -> MailchimpProcessor:
    impatient(monkeypatch)
    return MailchimpProcessor(served.settings(MailchimpSettings), None)  # type: ignore[arg-type]


def rows_of(served: Served, kind: str, address: str = MARIA) -> list[dict[str, Any]]:
    return [row for row in served.state("mailchimp")[kind] if row["email"] == address]


def statuses(served: Served, address: str = MARIA) -> dict[str, str]:
    return {m["list_id"]: m["status"] for m in rows_of(served, "members", address)}


class TestMailchimpProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        members = [m for m in state["members"] if m["email"] == MARIA]
        tags = [{t["name"] for t in m["tags"]} for m in members]
        if operation is Operation.ERASE:
            return not members and f'"{MARIA}"' not in json.dumps([state["customers"], state["orders"]])
        if operation is Operation.RECTIFY:
            return all(m["merge_fields"]["LNAME"] == "Ionescu" for m in members)
        stopped = not any(m["status"] in rows.MAILABLE for m in members)
        if operation is Operation.SUPPRESS:
            return stopped
        restricted = all(rows.RESTRICTED in names for names in tags)
        return restricted and stopped if operation is Operation.RESTRICT else stopped and not restricted


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


# -- suppression and restriction --------------------------------------------------------------------------------------


def test_suppression_stops_every_audience_and_wakes_no_archived_contact(
    served: Served, processor: MailchimpProcessor
) -> None:
    assert statuses(served) == {"a1newsletter": "subscribed", "b2customers": "pending", "c3webinars": "archived"}
    receipt = processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    assert receipt.outcome is Outcome.DONE
    assert statuses(served) == {"a1newsletter": "unsubscribed", "b2customers": "unsubscribed", "c3webinars": "archived"}


def test_text_messages_are_stopped_too(served: Served, processor: MailchimpProcessor) -> None:
    members = served.twin(MailchimpTwin).records["members"]
    id = f"a1newsletter/{subscriber_hash(MARIA)}"
    members[id] = {**members[id], "sms_subscription_status": "subscribed"}
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    assert members[id]["sms_subscription_status"] == "unsubscribed"


def test_an_unknown_address_gets_no_profile(served: Served, processor: MailchimpProcessor) -> None:
    receipt = processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE, STRANGER))
    assert receipt.outcome is Outcome.NO_MATCH
    assert not rows_of(served, "members", STRANGER)


def test_an_age_report_tags_the_contact_without_starting_automations(
    served: Served, processor: MailchimpProcessor
) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.AGE_REPORT))
    assert all(rows.UNDER_16 in {t["name"] for t in m["tags"]} for m in rows_of(served, "members"))


def test_lifting_a_restriction_subscribes_nobody_again(served: Served, processor: MailchimpProcessor) -> None:
    processor.perform(instruction(Operation.RESTRICT, Right.RESTRICTION))
    receipt = processor.perform(instruction(Operation.LIFT, Right.RESTRICTION))
    assert receipt.note
    assert not set(statuses(served).values()) & rows.MAILABLE


def test_a_compliance_state_counts_as_stopped_only_after_a_look(
    served: Served, processor: MailchimpProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Api, *args: object) -> None:
        raise VendorRefused("mailchimp", "refused the call (400)", 400, "Member In Compliance State")

    monkeypatch.setattr(Api, "change_member", refused)
    with pytest.raises(VendorAnswerUnexpected):  # the look says: still subscribed
        processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))


# -- erasure ----------------------------------------------------------------------------------------------------------


def test_erasure_unsubscribes_first_and_deletes_for_good(served: Served, processor: MailchimpProcessor) -> None:
    receipt = processor.perform(instruction(Operation.ERASE, Right.ERASURE))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.counts == {"audience members": 3, "customers": 1, "orders": 4}
    assert receipt.residue == (rows.BLOCK, rows.REPORTS)
    changing = [c for c in served.calls("mailchimp") if not c.startswith("GET")]
    kinds = [c.split()[0] if "delete-permanent" not in c else "delete-permanent" for c in changing]
    assert kinds == ["PATCH"] * 2 + ["DELETE"] * 5 + ["delete-permanent"] * 3
    assert not any(c.startswith("DELETE /3.0/lists") for c in changing), "that would only archive"
    state = {k: v for k, v in served.state("mailchimp").items() if k != "requests"}
    assert f'"{MARIA}"' not in json.dumps(state)


def test_the_second_look_asks_by_id_also_after_the_address_changed(
    served: Served, processor: MailchimpProcessor
) -> None:
    found = processor.find(Identities.of_email(MARIA))
    api = Api(served.settings(MailchimpSettings))
    api.change_member("a1newsletter", subscriber_hash(MARIA), {"email_address": "other@example.com"})
    again = processor.find(Identities.of_email(MARIA).plus(found.identities))
    assert again.held["audience members"] == 3
    assert again.ambiguous, "a record that was hers has another address: an agent decides"
    subject = Identities.of_email(MARIA).plus(found.identities)
    wanted = dataclasses.replace(instruction(Operation.ERASE, Right.ERASURE), subject=subject)
    assert processor.erase(wanted).outcome is Outcome.MANUAL
    assert statuses(served, "other@example.com"), "nothing was deleted"


def test_two_customers_with_one_address_are_left_to_an_agent(served: Served, processor: MailchimpProcessor) -> None:
    customers = served.twin(MailchimpTwin).records["customers"]
    customers[f"{STORE}/acc-other"] = {**customers[f"{STORE}/acc-maria"], "id": "acc-other", "first_name": "Mario"}
    assert processor.find(Identities.of_email(MARIA)).ambiguous
    receipt = processor.perform(instruction(Operation.ERASE, Right.ERASURE))
    assert receipt.outcome is Outcome.MANUAL
    assert len(statuses(served)) == 3
    assert len(rows_of(served, "customers")) == 2


def test_a_customer_without_a_subscription_is_found_and_erased(served: Served, processor: MailchimpProcessor) -> None:
    customers = served.twin(MailchimpTwin).records["customers"]
    template = customers[f"{STORE}/acc-maria"]
    customers[f"{STORE}/acc-77"] = {**template, "id": "acc-77", "email_address": STRANGER, "email": STRANGER}
    receipt = processor.perform(instruction(Operation.ERASE, Right.ERASURE, STRANGER))
    assert receipt.counts == {"audience members": 0, "customers": 1, "orders": 0}
    assert not rows_of(served, "customers", STRANGER)
    assert rows_of(served, "customers", MARIA)


def test_the_search_index_lags_and_the_processor_does_not_ask_it(
    served: Served, processor: MailchimpProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.twin(MailchimpTwin).world, "day", 60.0)
    processor.perform(instruction(Operation.ERASE, Right.ERASURE))
    auth = ("key", ENV["MAILCHIMP_API_KEY"])
    search = Transport("mailchimp", served.url("mailchimp"), auth=auth).call("GET", f"3.0/search-members?query={MARIA}")
    assert search.json()["exact_matches"]["total_items"] == 3, "the index does not know yet"
    assert processor.find(Identities.of_email(MARIA)).nothing


def test_who_was_deleted_cannot_be_imported_and_who_unsubscribed_cannot_be_subscribed(
    served: Served, processor: MailchimpProcessor
) -> None:
    """The twin behaves as MailChimp here; the block is the residue that the receipt names."""
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE, ION))
    processor.perform(instruction(Operation.ERASE, Right.ERASURE))
    http = Transport("mailchimp", served.url("mailchimp"), auth=("key", ENV["MAILCHIMP_API_KEY"]))
    for address, title in ((MARIA, "Forgotten Email Not Subscribed"), (ION, "Member In Compliance State")):
        body = {"email_address": address, "status": "subscribed", "status_if_new": "subscribed"}
        path = f"3.0/lists/a1newsletter/members/{subscriber_hash(address)}"
        answer = http.call("PUT", path, json=body, accept=(400,))
        assert (answer.status, answer.json()["title"]) == (400, title)
        assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(("address", "status"), [(MARIA, 204), ("lena.berg@example.com", 204)])
def test_archiving_keeps_the_data(served: Served, processor: MailchimpProcessor, address: str, status: int) -> None:
    http = Transport("mailchimp", served.url("mailchimp"), auth=("key", ENV["MAILCHIMP_API_KEY"]))
    path = f"3.0/lists/a1newsletter/members/{subscriber_hash(address)}"
    assert http.call("DELETE", path).status == status
    assert http.call("DELETE", path, accept=(405,)).status == 405
    assert processor.find(Identities.of_email(address)).held["audience members"] >= 1


# -- export and rectification -----------------------------------------------------------------------------------------


def test_an_export_has_every_page_and_nobody_else(served: Served, processor: MailchimpProcessor) -> None:
    assert consume(processor, instruction(Operation.EXPORT, Right.EXPORT)) == {
        "members.json": 3,
        "tags.json": 3,
        "notes.json": 3,
        "activity.json": 15,
        "events.json": 3,
        "goals.json": 0,
        "customers.json": 1,
        "orders.json": 4,
    }
    told = [row for file in processor.export(instruction(Operation.EXPORT, Right.EXPORT)) for row in file.rows or ()]
    assert ION not in json.dumps(told)
    assert "_links" not in json.dumps(told)


def test_a_new_address_and_company_are_corrected_once(served: Served, processor: MailchimpProcessor) -> None:
    new = "maria.ionescu@example.com"
    wanted = instruction(Operation.RECTIFY, Right.RECTIFICATION, email=new, name="Maria Ionescu", company="Ionescu SRL")
    for _ in range(2):
        assert processor.perform(wanted).outcome is Outcome.DONE
    assert not rows_of(served, "members")
    assert {m["merge_fields"]["COMPANY"] for m in rows_of(served, "members", new)} == {"Ionescu SRL"}
    assert len(statuses(served, new)) == 3
    (customer,) = rows_of(served, "customers")
    assert (customer["last_name"], customer["company"]) == ("Ionescu", "Ionescu SRL")


# -- errors and settings ----------------------------------------------------------------------------------------------


@responses.activate
def test_a_403_without_json_means_slow_down_and_one_with_json_the_key() -> None:
    settings = MailchimpSettings.from_env(ENV)
    assert settings is not None
    url = "https://us19.api.mailchimp.com/3.0/lists"
    responses.get(url, status=403, body="<html>Forbidden</html>", content_type="text/html")
    with pytest.raises(VendorRateLimited):
        Api(settings).check()
    responses.replace("GET", url, status=403, json={"title": "User Does Not Have Access", "status": 403})
    with pytest.raises(CredentialsRejected):
        Api(settings).check()


@responses.activate
def test_a_404_that_is_not_mailchimps_own_proves_nothing() -> None:
    settings = MailchimpSettings.from_env(ENV)
    assert settings is not None
    url = f"https://us19.api.mailchimp.com/3.0/lists/a1/members/{subscriber_hash(MARIA)}"
    responses.get(url, status=404, body="<html>no such host</html>")
    with pytest.raises(VendorAnswerUnexpected):
        Api(settings).member("a1", subscriber_hash(MARIA))


@responses.activate
def test_a_list_that_ends_too_early_is_noticed() -> None:
    settings = MailchimpSettings.from_env(ENV)
    assert settings is not None
    url = "https://us19.api.mailchimp.com/3.0/lists"
    responses.get(url, json={"lists": [{"id": "a1"}], "total_items": 3})
    responses.get(url, json={"lists": [], "total_items": 3})
    with pytest.raises(VendorAnswerUnexpected):
        list(Api(settings).audiences())


def test_an_identity_of_another_shape_is_not_asked_for(processor: MailchimpProcessor) -> None:
    odd = Identities(
        (Identity(rows.MEMBER, "without-a-list"), Identity(rows.CUSTOMER, "/"), Identity("email", STRANGER))
    )
    assert processor.find(odd).nothing


@pytest.mark.parametrize("key", ["0123456789abcdef", "0123-", "0123-us19 ", "x-evil.example/us1"])
def test_a_key_without_its_data_centre_stops_the_start(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MailchimpSettings.from_env({"MAILCHIMP_API_KEY": key})
    assert "MAILCHIMP_API_KEY" in str(caught.value)
    assert key not in str(caught.value)


def test_the_seed_has_one_subscriber_for_everybody_held_here(served: Served) -> None:
    state = served.state("mailchimp")
    subscribed = {m["email"] for m in state["members"] if m["status"] == "subscribed"}
    assert subscribed == {p.email for p in served.twin(MailchimpTwin).world.people}
    assert statuses(served, ION) == {"a1newsletter": "subscribed"}, "newsletter only"
    assert [audience["id"] for audience in state["lists"]] == list(AUDIENCES)
    assert all(m["id"] for m in state["members"])


def test_the_official_client_works_with_the_twin(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cross-check of the twin's paths and shapes by MailChimp's own package, where it is installed."""
    client_module = pytest.importorskip("mailchimp_marketing")
    client = client_module.Client({"api_key": ENV["MAILCHIMP_API_KEY"], "server": "us19"})
    client.api_client.host = f"{served.url('mailchimp')}/3.0"
    hash = subscriber_hash(MARIA)
    assert client.lists.get_list_member("a1newsletter", hash)["email_address"] == MARIA
    client.lists.update_list_member("a1newsletter", hash, {"status": "unsubscribed"})
    client.lists.delete_list_member_permanent("a1newsletter", hash)
    assert client.ecommerce.get_all_store_customers(STORE, email_address=MARIA)["total_items"] == 1
    assert set(statuses(served)) == {"b2customers", "c3webinars"}
