"""Paddle as a processor, over real HTTP to the twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import (
    CredentialsRejected,
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
    Receipt,
    Right,
)
from integrations.paddle import VENDOR
from integrations.paddle.api import Api
from integrations.paddle.events import PaddleEvents
from integrations.paddle.processor import PaddleProcessor
from integrations.paddle.settings import PaddleSettings
from integrations.paddle.twin import PaddleTwin
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.openapi import Specification, recording
from tests.twins import MARIA, Served, serving

ENV = {
    "PADDLE_API_KEY": "pdl_sdbx_apikey_01gtgztp8f4kek3yd4g1wrksa3",
    "PADDLE_WEBHOOK_SECRET": "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
}
MARIAS = Identities.of_email(MARIA)
LENA = "lena.berg@example.com"


def instruction(operation: Operation, subject: Identities, right: Right = Right.ERASURE, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key", changes)


class TestPaddleProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        ids = {s["customer_id"] for s in state["transactions"] if _of_maria(s)}
        hers = [c for c in state["customers"] if c["id"] in ids or c["email"].lower() == MARIA]
        if operation is Operation.ERASE:
            below = [r for kind in ("addresses", "businesses") for r in state[kind] if r["customer_id"] in ids]
            blank = all(r["status"] == "archived" and "Lungă" not in json.dumps(r, ensure_ascii=False) for r in below)
            cards = [m for m in state["payment_methods"] if m["customer_id"] in ids]
            return blank and not cards and not any(c["email"].lower() == MARIA for c in hers)
        flags = [c["custom_data"] or {} for c in hers]
        if operation is Operation.SUPPRESS:
            return all(f.get("marketing") is False for f in flags)
        if operation is Operation.RESTRICT:
            return all("privacy_restricted" in f for f in flags) and all(c["status"] == "archived" for c in hers)
        if operation is Operation.LIFT:
            return not any("privacy_restricted" in f for f in flags) and sorted(c["status"] for c in hers) == [
                "active",
                "archived",
            ]
        return all(c["name"] == "Maria Ionescu" for c in hers)


def _of_maria(transaction: Mapping[str, Any]) -> bool:
    return bool(transaction["payments"][0]["method_details"]["card"]["cardholder_name"] == "Maria Pop")


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(PaddleTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(PaddleTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> PaddleTwin:
    return world.twin(PaddleTwin)


@pytest.fixture
def processor(world: Served) -> PaddleProcessor:
    return PaddleProcessor(world.settings(PaddleSettings))


def erased(processor: PaddleProcessor, subject: Identities = MARIAS) -> Receipt:
    return processor.erase(instruction(Operation.ERASE, subject))


def subscription_runs(twin: PaddleTwin, customer: Mapping[str, Any]) -> None:
    for subscription in list(twin.records["subscriptions"].values()):
        if subscription["customer_id"] == customer["id"]:
            twin.records["subscriptions"][subscription["id"]] = {**subscription, "status": "active"}


def test_find_counts_both_spellings_the_archived_one_and_what_stands_below(processor: PaddleProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"customers": 2, "payment_methods": 4, "addresses": 5, "businesses": 1}
    assert [r.kept_by_law for r in found.residue] == [True]
    assert len(found.identities) == 2
    assert not found.ambiguous


def test_erasure_empties_and_leaves_the_request_to_paddle_to_a_person(
    twin: PaddleTwin, processor: PaddleProcessor
) -> None:
    receipt = erased(processor)
    assert receipt.outcome is Outcome.MANUAL
    assert "sellers@paddle.com" in receipt.note
    assert receipt.counts == {"customers": 2, "payment_methods": 4, "addresses": 5, "businesses": 1}
    (kept,) = receipt.residue
    assert (kept.until, kept.kept_by_law) == ("5 years", True)
    blanked = [twin.records["customers"][i.value] for i in receipt.identities]
    assert sorted(c["email"] for c in blanked) == ["pr-test01-1@erased.invalid", "pr-test01-2@erased.invalid"]
    assert {(c["name"], c["custom_data"], c["status"]) for c in blanked} == {(None, None, "archived")}
    assert len([t for t in twin.records["transactions"].values() if _of_maria(t)]) == 7
    after = processor.find(MARIAS.plus(receipt.identities))
    assert after.nothing
    assert after.residue == receipt.residue


def test_an_erasure_that_broke_at_any_change_is_finished_and_paddle_is_still_asked(
    world: Served, twin: PaddleTwin, processor: PaddleProcessor
) -> None:
    erased(processor)
    changing = [n for n, call in enumerate(world.calls("paddle")) if call.startswith(("PATCH", "DELETE"))]
    assert len(changing) == 12
    for at in (*changing[::3], changing[-1], changing[-1] + 1):
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]
        with pytest.raises(CredentialsRejected):
            erased(processor)
        receipt = erased(processor)
        assert receipt.outcome is Outcome.MANUAL, at
        assert len(receipt.identities) == 2, at
        assert receipt.residue, at
        assert processor.find(MARIAS.plus(receipt.identities)).nothing, at


def test_a_running_subscription_is_not_cancelled_and_a_person_decides(
    twin: PaddleTwin, processor: PaddleProcessor
) -> None:
    (lena,) = twin.customers_with(LENA)
    subscription_runs(twin, lena)
    lenas = Identities.of_email(LENA)
    assert processor.find(lenas).held["live_subscriptions"] == 1
    receipt = erased(processor, lenas)
    assert receipt.outcome is Outcome.MANUAL
    assert "NOT cancelled" in receipt.note
    assert twin.records["customers"][lena["id"]] == lena
    assert all(
        s["status"] == "active" for s in twin.records["subscriptions"].values() if s["customer_id"] == lena["id"]
    )
    assert [m for m in twin.records["payment_methods"].values() if m["customer_id"] == lena["id"]]
    marked = processor.restrict(instruction(Operation.RESTRICT, lenas, Right.RESTRICTION))
    assert marked.outcome is Outcome.MANUAL
    (now,) = twin.customers_with(LENA)
    assert (now["status"], now["custom_data"]["privacy_restricted"]) == ("active", "active")


def test_two_accounts_with_one_address_stop_for_an_agent(twin: PaddleTwin, processor: PaddleProcessor) -> None:
    twin.new_customer("MARIA.pop@example.com", "Another Maria", "acc-other")
    assert processor.find(MARIAS).ambiguous
    assert erased(processor).counts == {}
    assert len([c for c in twin.records["customers"].values() if c["email"].lower() == MARIA]) == 3
    both = MARIAS.plus([Identity("account_id", "acc-maria"), Identity("account_id", "acc-other")])
    assert not processor.find(both).ambiguous


def test_a_known_customer_that_now_has_another_address_stops_for_an_agent(
    twin: PaddleTwin, processor: PaddleProcessor
) -> None:
    (lena,) = twin.customers_with(LENA)
    assert processor.find(MARIAS.plus([Identity("paddle.customer", lena["id"])])).ambiguous


def test_the_export_has_the_invoices_and_leaves_others_out(world: Served, processor: PaddleProcessor) -> None:
    asked = instruction(Operation.EXPORT, MARIAS, Right.EXPORT)
    assert consume(processor, asked) == {
        "customers.json": 2,
        "addresses.json": 5,
        "payment_methods.json": 4,
        "credit_balances.json": 1,
        "businesses.json": 1,
        "subscriptions.json": 1,
        "transactions.json": 7,
        "adjustments.json": 1,
        **{f"invoices/325-{10001 + n}.pdf": 42 for n in range(7)},
    }
    told = json.dumps([row for file in processor.export(asked) for row in file.rows or ()])
    assert "Maria Pop" in told
    assert "radu.toma" not in told


def test_a_link_to_an_invoice_elsewhere_is_not_followed(
    world: Served, twin: PaddleTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(world.settings(PaddleSettings))
    first = next(iter(twin.records["transactions"]))
    assert api.invoice(first).startswith(b"%PDF")
    for base in ("http://127.0.0.1:9", "https://paddle.com.example.net", "file:///etc"):
        monkeypatch.setattr(twin.world, "base_url", base)
        with pytest.raises(VendorAnswerUnexpected):
            api.invoice(first)


def test_a_link_that_has_expired_is_asked_for_again_later(world: Served, twin: PaddleTwin) -> None:
    twin.faults[:] = ["", "403"]
    with pytest.raises(VendorUnavailable):
        Api(world.settings(PaddleSettings)).invoice(next(iter(twin.records["transactions"])))


def test_an_age_report_marks_and_locks_nobody_out(twin: PaddleTwin, processor: PaddleProcessor) -> None:
    lenas = Identities.of_email(LENA)
    processor.suppress(instruction(Operation.SUPPRESS, lenas, Right.AGE_REPORT))
    (lena,) = twin.customers_with(LENA)
    assert lena["status"] == "active"
    assert lena["custom_data"] == {"account_id": "acc-lena", "marketing": False, "privacy_under_16_reported": True}


def test_nothing_is_sent_when_nothing_changes_so_no_event_comes_back_for_ever(
    world: Served, processor: PaddleProcessor
) -> None:
    for _ in range(2):
        processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.UNSUBSCRIBE))
    assert len([c for c in world.calls("paddle") if c.startswith("PATCH")]) == 2


def test_suppressing_somebody_unknown_creates_nobody(twin: PaddleTwin, processor: PaddleProcessor) -> None:
    before = len(twin.records["customers"])
    unknown = Identities.of_email("new@example.net")
    assert processor.suppress(instruction(Operation.SUPPRESS, unknown)).outcome is Outcome.NO_MATCH
    assert len(twin.records["customers"]) == before


def test_a_new_address_is_taken_over_unless_another_customer_has_it(
    twin: PaddleTwin, processor: PaddleProcessor
) -> None:
    lenas = Identities.of_email(LENA)
    taken = instruction(Operation.RECTIFY, lenas, Right.RECTIFICATION, email="ion.ionescu@example.com")
    with pytest.raises(VendorRefused):
        processor.rectify(taken)
    free = instruction(Operation.RECTIFY, lenas, Right.RECTIFICATION, email="lena@example.net", company="Berg AG")
    receipt = processor.rectify(free)
    assert (receipt.outcome, receipt.counts) == (Outcome.MANUAL, {"customers": 1})
    assert twin.customers_with("lena@example.net")


def test_an_address_of_two_customers_is_changed_by_an_agent(twin: PaddleTwin, processor: PaddleProcessor) -> None:
    asked = instruction(Operation.RECTIFY, MARIAS, Right.RECTIFICATION, email="maria@example.net")
    assert processor.rectify(asked).outcome is Outcome.MANUAL
    assert not twin.customers_with("maria@example.net")


def test_a_wrong_key_is_noticed(world: Served) -> None:
    PaddleEvents(world.settings(PaddleSettings)).check()
    with pytest.raises(CredentialsRejected):
        PaddleProcessor(world.settings(PaddleSettings, PADDLE_API_KEY="wrong")).check()


def test_an_id_from_outside_cannot_lead_to_another_path(world: Served, processor: PaddleProcessor) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        processor.find(Identities((Identity("paddle.customer", "../transactions"),)))
    assert world.calls("paddle") == []


def test_calls_and_answers_keep_to_paddles_specification(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    specification = Specification("paddle/openapi.yaml")
    exchanges = recording(monkeypatch)
    processor = PaddleProcessor(world.settings(PaddleSettings))
    processor.check()
    for file in processor.export(instruction(Operation.EXPORT, MARIAS)):
        list(file.rows or ())  # a PDF is no JSON, and stands on another host
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.AGE_REPORT))
    processor.rectify(instruction(Operation.RECTIFY, MARIAS, name="Maria I."))
    processor.restrict(instruction(Operation.RESTRICT, MARIAS))
    processor.lift(instruction(Operation.LIFT, MARIAS))
    receipt = erased(processor)
    processor.find(MARIAS.plus(receipt.identities))
    assert {method for method, *_ in exchanges} == {"GET", "PATCH", "DELETE"}
    found = [problem for exchange in exchanges for problem in specification.problems(*exchange)]
    assert sorted(set(found)) == []
