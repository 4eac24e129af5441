"""MailChimp: unsubscribed before deleted, deleted for good and never only archived, in every audience and store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import responses

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    VendorAnswerUnexpected,
    VendorRateLimited,
    VendorRefused,
)
from dsr.model import (
    Identities,
    Identity,
    Operation,
    Outcome,
    Right,
)
from integrations.mailchimp import VENDOR, rows
from integrations.mailchimp.api import Api, subscriber_hash
from integrations.mailchimp.processor import MailchimpProcessor
from integrations.mailchimp.settings import MailchimpSettings
from integrations.mailchimp.twin import MailchimpTwin
from integrations.mailchimp.twin_seed import AUDIENCES, STORE
from integrations.transport import Transport
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.mailchimp import ENV, ION, instruction, rows_of, statuses
from tests.twins import MARIA, STRANGER, Served, serving


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
    impatient(monkeypatch, **PATIENT)
    return MailchimpProcessor(served.settings(MailchimpSettings), None)  # type: ignore[arg-type]


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


def test_who_subscribes_again_is_asked_by_mailchimp_to_confirm(served: Served, processor: MailchimpProcessor) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    receipt = processor.perform(instruction(Operation.LIFT, Right.UNSUBSCRIBE))
    assert (receipt.outcome, "link" in receipt.note) == (Outcome.DONE, True)
    assert statuses(served) == {"a1newsletter": "pending", "b2customers": "pending", "c3webinars": "archived"}


def test_a_contact_with_our_tag_is_left_to_a_person(served: Served, processor: MailchimpProcessor) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.AGE_REPORT))
    receipt = processor.perform(instruction(Operation.LIFT, Right.UNSUBSCRIBE))
    assert (receipt.outcome, "sign-up form" in receipt.note) == (Outcome.MANUAL, True)
    assert not set(statuses(served).values()) & rows.MAILABLE


def test_where_mailchimp_refuses_only_the_person_can_come_back(
    served: Served, processor: MailchimpProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))

    def refused(self: Api, *args: object) -> None:
        raise VendorRefused("mailchimp", "refused the call (400)", 400, "Member In Compliance State")

    monkeypatch.setattr(Api, "change_member", refused)
    assert processor.perform(instruction(Operation.LIFT, Right.UNSUBSCRIBE)).outcome is Outcome.MANUAL


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
