"""HubSpot as a processor and as a source of events, over real HTTP to the twin."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import responses

from dsr.errors import (
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorRefused,
    VendorUnavailable,
)
from dsr.model import (
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Right,
)
from integrations.hubspot import VENDOR
from integrations.hubspot.api import Api
from integrations.hubspot.processor import HubspotProcessor, properties_of
from integrations.hubspot.settings import HubspotSettings
from integrations.hubspot.twin import HubspotTwin
from integrations.hubspot.twin_seed import message
from integrations.transport import Answer
from tests import hubspot
from tests.contracts import ProcessorContract
from tests.hubspot import DAY, ENV
from tests.twins import MARIA, STRANGER, Served, serving

MARIAS = Identities.of_email(MARIA)
app, shared_world, world, twin = hubspot.app, hubspot.shared_world, hubspot.world, hubspot.twin  # fixtures


class TestHubspotProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    changes: ClassVar = {"name": "Maria Ionescu", "phone": "+40 722 333 444"}

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls) -> Iterator[Served]:
        with serving(HubspotTwin, env=cls.env, day=DAY) as served:
            yield served

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        hers = [c["properties"] for c in state["contacts"] if c["email"] == MARIA]
        if operation is Operation.ERASE:
            return not hers and not state["threads"] and not state["submissions"]
        if operation is Operation.SUPPRESS:
            return any(o["email"] == MARIA for o in state["optouts"])
        if operation is Operation.RESTRICT:
            return all(p.get("privacy_restricted") == "true" for p in hers)
        if operation is Operation.LIFT:
            return not any(p.get("privacy_restricted") == "true" for p in hers)
        return all(p["lastname"] == "Ionescu" and p["phone"] == "+40 722 333 444" for p in hers)


@pytest.fixture
def processor(world: Served) -> HubspotProcessor:
    return HubspotProcessor(world.settings(HubspotSettings))


def instruction(operation: Operation, subject: Identities, right: Right = Right.ERASURE, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key", changes)


def maria(twin: HubspotTwin) -> dict[str, Any]:
    found = twin.by_address(MARIA)
    assert found is not None
    return found


# ---- processor ----------------------------------------------------------------------------------------------------


def test_find_counts_everything_that_hangs_on_the_contact(processor: HubspotProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"contacts": 1, "activities": 8, "tickets": 1, "conversations": 4}
    assert [i.type for i in found.identities] == ["hubspot.contact"]
    assert not found.ambiguous


def test_a_search_hit_that_only_contains_the_address_is_nobody(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    twin.new_contact({"email": "x@example.net", "hs_additional_emails": "not.maria.pop@example.com;a" + MARIA})
    assert processor.find(MARIAS).held["contacts"] == 1
    assert processor.find(Identities.of_email("pop@example.com")).nothing


def test_an_additional_address_counts_and_the_primary_one_is_opted_out_too(
    twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    twin.new_contact({"email": "main@example.net", "hs_additional_emails": "old@example.net;second@example.net"})
    second = Identities.of_email("second@example.net")
    assert processor.find(second).held == {"contacts": 1}
    processor.suppress(instruction(Operation.SUPPRESS, second, Right.UNSUBSCRIBE))
    assert set(twin.records["optouts"]) == {"main@example.net", "old@example.net", "second@example.net"}


def test_two_contacts_with_one_address_stop_for_an_agent(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    twin.new_contact({"email": "household@example.net", "hs_additional_emails": MARIA})
    assert processor.find(MARIAS).ambiguous
    for operation in (Operation.ERASE, Operation.RESTRICT, Operation.LIFT, Operation.RECTIFY):
        receipt = processor.perform(instruction(operation, MARIAS, name="x"))
        assert receipt.outcome is Outcome.MANUAL
    assert len(twin.records["contacts"]) == 6
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.OBJECTION))
    assert set(twin.records["optouts"]) == {MARIA}
    assert "privacy_objection" not in maria(twin)["properties"]


def test_two_account_ids_are_two_people_unless_both_are_proved(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    twin.new_contact({"email": "maria@work.example", "account_id": "acc-2"})
    one = MARIAS.plus([Identity("account_id", "acc-maria")])
    assert not processor.find(one).ambiguous
    assert processor.find(one.plus([Identity("account_id", "acc-2")])).held["contacts"] == 2
    elsewhere = MARIAS.plus([Identity("account_id", "acc-2")])
    assert processor.find(elsewhere).ambiguous


def test_a_known_contact_that_now_has_another_address_stops_for_an_agent(
    twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    ion = twin.by_address("ion.ionescu@example.com")
    assert ion is not None
    subject = MARIAS.plus([Identity("hubspot.contact", ion["id"])])
    assert processor.find(subject).ambiguous
    assert processor.erase(instruction(Operation.ERASE, subject)).outcome is Outcome.MANUAL


def test_a_search_that_still_shows_the_deleted_is_not_believed(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    lena = twin.by_address("lena.berg@example.com")
    assert lena is not None
    twin.erase(lena)
    twin.records["ghosts"][lena["id"]] = {**twin.records["ghosts"][lena["id"]], "until": time.time() + 60}
    assert processor.find(Identities.of_email("lena.berg@example.com")).nothing


def test_erasure_goes_by_id_alone_and_blocks_no_unknown_address(
    world: Served, twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    assert processor.erase(instruction(Operation.ERASE, Identities.of_email(STRANGER))).outcome is Outcome.NO_MATCH
    assert not twin.records["blocklist"]
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.counts == {"contacts": 1, "activities": 8, "tickets": 1, "conversations": 4}
    assert receipt.ready_after_days == 31
    calls = [c.split("?")[0] for c in world.calls("hubspot")]
    changing = [c for c in calls if c.startswith("DELETE") or c.endswith(("archive", "gdpr-delete", "unsubscribe-all"))]
    kinds = [c.rpartition("/")[2] for c in changing if c.startswith("POST")]
    assert kinds == ["unsubscribe-all", *["archive"] * 6, "gdpr-delete"]
    assert changing[-1] == "POST /crm/v3/objects/contacts/gdpr-delete"


def test_conversations_are_held_until_hubspot_has_purged_them(
    twin: HubspotTwin, processor: HubspotProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin.world.day = 100.0
    try:
        receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
        subject = MARIAS.plus(receipt.identities)
        assert processor.find(subject).held == {"conversations": 4}
        again = processor.erase(instruction(Operation.ERASE, subject))
        assert again.counts == {"conversations": 4}
    finally:
        twin.world.day = DAY
    for thread in twin.records["threads"].values():
        thread["archived_at"] -= 60
    assert processor.find(subject).nothing


def test_an_interrupted_erasure_finds_the_rest_again_wherever_it_broke(
    world: Served, twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    processor.erase(instruction(Operation.ERASE, MARIAS))
    calls = world.calls("hubspot")
    changing = [n for n, c in enumerate(calls) if c.startswith("DELETE") or "/batch/archive" in c or "gdpr" in c]
    assert len(changing) == 11
    for at in (changing[0], changing[3], changing[-2], changing[-1]):
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]
        with pytest.raises(CredentialsRejected):
            processor.erase(instruction(Operation.ERASE, MARIAS))
        processor.erase(instruction(Operation.ERASE, MARIAS))
        assert twin.by_address(MARIA) is None, at
        assert all(t["archived_at"] for t in twin.records["threads"].values()), at


def test_what_others_share_stays_and_is_told(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    ion = twin.by_address("ion.ionescu@example.com")
    assert ion is not None
    shared = twin.new_record("tickets", [maria(twin)["id"], ion["id"]], subject="Both")
    twin.world.day = 100.0
    try:
        receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    finally:
        twin.world.day = DAY
    assert [t["id"] for t in twin.records["tickets"].values() if not t["archived_at"]] == [shared["id"]]
    assert any("other contacts" in r.what for r in receipt.residue)
    assert any(r.until == "90 days" for r in receipt.residue)
    assert len(receipt.residue) == len(set(receipt.residue))


@pytest.mark.parametrize("left_out", ["the record", "its owners"])
def test_a_ticket_whose_owners_hubspot_does_not_tell_is_never_taken_for_the_persons_alone(
    left_out: str, twin: HubspotTwin, processor: HubspotProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ion = twin.by_address("ion.ionescu@example.com")
    assert ion is not None
    shared = twin.new_record("tickets", [maria(twin)["id"], ion["id"]], subject="Both")
    usual = Api._call

    def partial(api: Api, method: str, path: str, **more: Any) -> Answer:
        answer = usual(api, method, path, **more)
        if not path.endswith("/tickets/contacts/batch/read"):
            return answer
        kept = [r for r in answer.json()["results"] if str(r["from"]["id"]) != shared["id"]]
        kept += [{"from": {"id": shared["id"]}, "to": []}] if left_out == "its owners" else []
        body = {"status": "COMPLETE", "results": kept, "numErrors": 1, "errors": [{"status": "error"}]}
        return replace(answer, status=207, content=json.dumps(body).encode())

    with monkeypatch.context() as broken:
        broken.setattr(Api, "_call", partial)
        with pytest.raises(VendorAnswerUnexpected):
            processor.erase(instruction(Operation.ERASE, MARIAS))
    assert not twin.records["tickets"][shared["id"]]["archived_at"]
    assert maria(twin), "the contact still leads there"
    processor.erase(instruction(Operation.ERASE, MARIAS))
    assert not twin.records["tickets"][shared["id"]]["archived_at"]


def test_a_contact_in_the_recycle_bin_is_found_by_its_id_and_left_to_a_person(
    twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    id = maria(twin)["id"]
    twin.records["contacts"][id] = {**twin.records["contacts"][id], "archived": True}
    assert processor.find(MARIAS).nothing
    by_id = MARIAS.plus([Identity("hubspot.contact", id)])
    assert processor.find(by_id).held["contacts"] == 1
    receipt = processor.erase(instruction(Operation.ERASE, by_id))
    assert receipt.outcome is Outcome.MANUAL
    assert "restore" in receipt.note


def test_suppressing_somebody_unknown_creates_nobody(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    receipt = processor.suppress(instruction(Operation.SUPPRESS, Identities.of_email(STRANGER), Right.AGE_REPORT))
    assert receipt.outcome is Outcome.DONE
    assert set(twin.records["optouts"]) == {STRANGER}
    assert len(twin.records["contacts"]) == 5
    assert processor.suppress(instruction(Operation.SUPPRESS, Identities(), Right.UNSUBSCRIBE)).outcome is (
        Outcome.NO_MATCH
    )


def test_an_age_report_marks_the_contact_and_nothing_else(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.AGE_REPORT))
    assert maria(twin)["properties"]["privacy_under_16_reported"] == "true"
    assert not maria(twin)["archived"]
    ion = twin.by_address("ion.ionescu@example.com")
    assert ion is not None
    assert "privacy_under_16_reported" not in ion["properties"]


def test_restriction_marks_and_opens_a_task_because_nothing_obeys_the_mark(
    twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    receipt = processor.restrict(instruction(Operation.RESTRICT, MARIAS, Right.RESTRICTION))
    assert receipt.outcome is Outcome.MANUAL
    assert "workflows" in receipt.note
    assert maria(twin)["properties"]["privacy_restricted"] == "true"


def test_an_address_that_another_contact_has_cannot_be_taken(processor: HubspotProcessor) -> None:
    asked = instruction(Operation.RECTIFY, MARIAS, Right.RECTIFICATION, email="ion.ionescu@example.com")
    with pytest.raises(VendorRefused):
        processor.rectify(asked)


def test_what_is_no_property_is_for_an_agent_but_the_rest_is_changed(
    twin: HubspotTwin, processor: HubspotProcessor
) -> None:
    asked = instruction(Operation.RECTIFY, MARIAS, Right.RECTIFICATION, email="Maria.New@Example.com", birthday="x")
    assert processor.rectify(asked).outcome is Outcome.MANUAL
    assert twin.by_address("maria.new@example.com") is not None
    assert properties_of({"name": " Maria Ana Pop "}) == {"firstname": "Maria", "lastname": "Ana Pop"}


def test_the_export_is_complete_and_masks_others(twin: HubspotTwin, processor: HubspotProcessor) -> None:
    thread = next(iter(twin.records["threads"].values()))
    by_ion = message("9", "INCOMING", "E-ion", "Ion's words", "2026-01-01T00:00:00Z", address="ion.ionescu@example.com")
    by_her = message("10", "INCOMING", "E-maria", "Her words", "2026-01-01T00:00:00Z", address=MARIA.upper())
    thread["messages"] += [by_ion, by_her]
    rows = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT, MARIAS))}
    sizes = {name: len(found) for name, found in rows.items() if found}
    assert sizes == {
        "contacts.json": 1,
        "notes.json": 4,
        "emails.json": 1,
        "calls.json": 1,
        "meetings.json": 1,
        "tasks.json": 1,
        "tickets.json": 1,
        "deals.json": 1,
        "companies.json": 1,
        "conversations.json": 10,
        "subscriptions.json": 2,
        "form_submissions.json": 2,
    }
    assert rows["contacts.json"][0]["propertiesWithHistory"]
    told = json.dumps(rows["conversations.json"])
    assert "Her words" in told
    assert "ten per cent" in told
    for hidden in ("Ion's words", "ion.ionescu", "Andrei"):
        assert hidden not in told


def test_a_batch_that_leaves_records_out_is_no_complete_export(world: Served, twin: HubspotTwin) -> None:
    api = Api(world.settings(HubspotSettings))
    with pytest.raises(VendorAnswerUnexpected):
        list(api.read("notes", ["99999"], ["hs_note_body"], history=False))


def test_an_id_from_outside_cannot_lead_to_another_path(world: Served, processor: HubspotProcessor) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        processor.find(Identities((Identity("hubspot.contact", "../tickets/1"),)))
    assert world.calls("hubspot") == []


@responses.activate
def test_a_locked_record_is_tried_again_and_a_routing_404_proves_nothing() -> None:
    api = Api(HubspotSettings(access_token="t"))  # type: ignore[arg-type]  # pydantic makes it secret
    url = "https://api.hubapi.com/crm/v3/objects/contacts/7"
    responses.add("GET", url, status=423, json={"status": "error", "message": "locked"})
    with pytest.raises(VendorUnavailable):
        api.contact("7")
    responses.replace("GET", url, status=404, json={"detail": "no route"})
    with pytest.raises(VendorAnswerUnexpected):
        api.contact("7")
    responses.replace("GET", url, status=404, json={"status": "error", "message": "x", "correlationId": "c"})
    assert api.contact("7") is None


@responses.activate
def test_an_opt_out_that_hubspot_does_not_show_afterwards_is_not_done() -> None:
    api = Api(HubspotSettings(access_token="t"))  # type: ignore[arg-type]  # pydantic makes it secret
    url = "https://api.hubapi.com/communication-preferences/v4/statuses/a%40example.com/unsubscribe-all"
    responses.add("POST", url, json={"status": "COMPLETE", "results": []})
    responses.add("GET", url, json={"status": "COMPLETE", "results": []})
    with pytest.raises(VendorAnswerUnexpected):
        api.opt_out("a@example.com")


def test_the_twin_blocks_an_unknown_address_that_is_erased_by_address(world: Served, twin: HubspotTwin) -> None:
    api = Api(world.settings(HubspotSettings))
    body = {"objectId": STRANGER, "idProperty": "email"}
    assert api._http.call("POST", "crm/v3/objects/contacts/gdpr-delete", json=body).status == 204
    assert len(twin.records["blocklist"]) == 1
    with pytest.raises(NotFound):
        api.erase_contact("123456789")
