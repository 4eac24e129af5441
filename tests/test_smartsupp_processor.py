"""Smartsupp as a processor, over real HTTP to the twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorRefused
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Right
from integrations.smartsupp import VENDOR
from integrations.smartsupp.processor import SmartsuppProcessor
from integrations.smartsupp.settings import SmartsuppSettings
from integrations.smartsupp.twin import SmartsuppTwin
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.twins import MARIA, STRANGER, Served, serving

ENV = {
    "SMARTSUPP_API_TOKEN": "smartsupp-token-1",
    "SMARTSUPP_APP_ID": "privacy-desk",
    "SMARTSUPP_APP_SECRET": "smartsupp-test-secret",
}
MARIAS = Identities.of_email(MARIA)


class TestSmartsuppProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        raise AssertionError("every operation that changes something is a task for a person")


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(SmartsuppTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(SmartsuppTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> SmartsuppTwin:
    return world.twin(SmartsuppTwin)


@pytest.fixture
def processor(world: Served) -> SmartsuppProcessor:
    return SmartsuppProcessor(world.settings(SmartsuppSettings))


def instruction(operation: Operation, subject: Identities = MARIAS) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, subject, "key")


def contact_of(twin: SmartsuppTwin, email: str) -> dict[str, Any]:
    (found,) = [c for c in twin.records["contacts"].values() if c["email"] == email]
    return dict(found)


def test_find_counts_over_pages_and_names_the_contact(processor: SmartsuppProcessor, twin: SmartsuppTwin) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"contacts": 1, "conversations": 4}
    assert found.identities == (Identity("smartsupp.contact", contact_of(twin, MARIA)["id"]),)
    assert not found.ambiguous
    assert processor.find(Identities.of_email(STRANGER)).nothing


def test_a_contact_without_address_is_found_by_its_id(world: Served, processor: SmartsuppProcessor) -> None:
    said = world.say("smartsupp", email="", text="hi").json()
    with_id = Identities.of_email(STRANGER).plus([Identity("smartsupp.contact", said["contact"])])
    assert processor.find(with_id).held == {"contacts": 1, "conversations": 1}


def test_a_known_contact_with_another_address_stops_everything(
    processor: SmartsuppProcessor, twin: SmartsuppTwin
) -> None:
    lena = contact_of(twin, "lena.berg@example.com")
    both = MARIAS.plus([Identity("smartsupp.contact", lena["id"])])
    assert processor.find(both).ambiguous
    with pytest.raises(VendorRefused):
        consume(processor, instruction(Operation.EXPORT, both))
    receipt = processor.erase(instruction(Operation.ERASE, both))
    assert receipt.outcome is Outcome.MANUAL
    assert receipt.note.startswith("More than one person")
    assert contact_of(twin, MARIA)["name"] == "Maria Pop"


def test_a_contact_that_the_search_found_by_something_else_is_no_match(
    processor: SmartsuppProcessor, twin: SmartsuppTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = contact_of(twin, "not.maria.pop@example.com")
    monkeypatch.setattr(processor._api, "_look", lambda *args, **more: other)
    assert processor.find(MARIAS).nothing


def test_an_address_that_smartsupp_spells_in_capitals_is_hers(
    processor: SmartsuppProcessor, twin: SmartsuppTwin
) -> None:
    contact = contact_of(twin, MARIA)
    twin.records["contacts"][contact["id"]] = {**contact, "email": "Maria.Pop@Example.com"}
    found = processor.find(MARIAS.plus([Identity("smartsupp.contact", contact["id"])]))
    assert (found.held["contacts"], found.ambiguous) == (1, False)


def test_the_export_has_everything_without_the_agents(processor: SmartsuppProcessor) -> None:
    files = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT))}
    assert {name: len(rows) for name, rows in files.items()} == {
        "contacts.json": 1,
        "conversations.json": 4,
        "messages.json": 13,
        "visitors.json": 4,
    }
    assert all(row["text"] for row in files["messages.json"])
    assert not any("agent_id" in row or "assigned_ids" in row for rows in files.values() for row in rows)


def test_nobody_has_no_package(processor: SmartsuppProcessor) -> None:
    assert consume(processor, instruction(Operation.EXPORT, Identities.of_email(STRANGER))) == {}


def test_erasing_blanks_what_it_may_keeps_the_address_and_is_a_task(
    processor: SmartsuppProcessor, twin: SmartsuppTwin
) -> None:
    for _ in range(2):
        receipt = processor.erase(instruction(Operation.ERASE))
        assert receipt.outcome is Outcome.MANUAL
        assert receipt.counts == {"contacts": 1}
        assert receipt.identities
        assert "blanked" in receipt.note
        assert MARIA not in receipt.note
    contact = contact_of(twin, MARIA)
    assert (contact["name"], contact["phone"], contact["note"]) == (None, None, None)
    assert processor.find(MARIAS).held == {"contacts": 1, "conversations": 4}, "nothing is gone yet"


def test_after_a_person_deleted_nothing_is_found(world: Served, processor: SmartsuppProcessor) -> None:
    receipt = processor.erase(instruction(Operation.ERASE))
    world._control("POST", "smartsupp", "delete", {"email": MARIA})
    assert processor.find(MARIAS.plus(receipt.identities)).nothing
    assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.NO_MATCH


def test_a_refused_blanking_is_told_in_the_task(
    processor: SmartsuppProcessor, twin: SmartsuppTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.smartsupp.twin.CHANGEABLE", frozenset())
    receipt = processor.erase(instruction(Operation.ERASE))
    assert receipt.outcome is Outcome.MANUAL
    assert receipt.note.startswith("Smartsupp did not let us blank")
    assert contact_of(twin, MARIA)["name"] == "Maria Pop"


def test_a_search_that_ignores_its_filter_hands_out_nothing(
    processor: SmartsuppProcessor, monkeypatch: pytest.MonkeyPatch, twin: SmartsuppTwin
) -> None:
    everything = list(twin.records["conversations"].values())
    monkeypatch.setattr(processor._api, "_pages", lambda *args: iter(everything))
    with pytest.raises(VendorAnswerUnexpected):
        processor.find(MARIAS)


def test_messages_that_end_before_their_total_make_no_short_package(
    processor: SmartsuppProcessor, twin: SmartsuppTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = twin._page
    monkeypatch.setattr(twin, "_page", lambda items, after: ({**page(items, after)[0], "after": None}, 200))
    with pytest.raises(VendorAnswerUnexpected):
        consume(processor, instruction(Operation.EXPORT))


def test_a_404_that_is_not_smartsupps_own_proves_nothing(world: Served) -> None:
    wrong = SmartsuppProcessor(world.settings(SmartsuppSettings, SMARTSUPP_API_URL=world.url("smartsupp") + "/v9"))
    with pytest.raises((NotFound, VendorAnswerUnexpected)):
        wrong.find(MARIAS)
