"""Baremetrics as a processor, over real HTTP to the twin."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import responses

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorRefused, VendorUnavailable
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Receipt, ReceiptStatus, Right
from integrations.baremetrics import VENDOR
from integrations.baremetrics.api import Api
from integrations.baremetrics.processor import BaremetricsProcessor
from integrations.baremetrics.settings import BaremetricsSettings
from integrations.baremetrics.twin import BaremetricsTwin
from integrations.baremetrics.twin_seed import OWN, STRIPE, new_customer, new_record
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.twins import MARIA, Served, serving

ENV = {"BAREMETRICS_API_KEY": "lk_test_6XdpQwMaFFnXeW6pPV3Tg"}
MARIAS = Identities.of_email(MARIA).plus([Identity("account_id", "acc-maria")])


class TestBaremetricsProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        hers = [c for c in state["customers"] if c["oid"] == "acc-maria"]
        if operation is Operation.ERASE:
            kinds = ("subscriptions", "charges", "refunds", "events", "attributes")
            below = [r for kind in kinds for r in state[kind] if r["customer_oid"] == "acc-maria"]
            return not hers and not below and not any(e["comment"] for e in state["cancellation_events"])
        return all(c["name"] == "Maria Ionescu" for c in hers)


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(BaremetricsTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(BaremetricsTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> BaremetricsTwin:
    return world.twin(BaremetricsTwin)


@pytest.fixture
def processor(world: Served) -> BaremetricsProcessor:
    return BaremetricsProcessor(world.settings(BaremetricsSettings))


def instruction(operation: Operation, subject: Identities = MARIAS, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, subject, "key", changes)


def erased(processor: BaremetricsProcessor, subject: Identities = MARIAS) -> Receipt:
    return processor.erase(instruction(Operation.ERASE, subject))


def stripe_customer(twin: BaremetricsTwin, email: str = MARIA) -> Identities:
    """Somebody who stands in the synchronised source as well."""
    new_customer(twin, STRIPE, "cus_9", email, "Maria Pop")
    return MARIAS


def test_find_looks_in_every_source_and_compares_exactly(
    twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    stripe_customer(twin, "Maria.Pop@Example.com")
    found = processor.find(MARIAS)
    assert found.held == {
        "customers": 1,
        "synced_customers": 1,
        "subscriptions": 4,
        "charges": 6,
        "refunds": 2,
        "cancellation_comments": 2,
    }
    assert {i.value for i in found.identities} == {f"{OWN}/acc-maria", f"{STRIPE}/cus_9"}
    assert not found.ambiguous


def test_erasure_deletes_in_the_only_order_that_baremetrics_takes(
    world: Served, processor: BaremetricsProcessor
) -> None:
    receipt = erased(processor)
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.COMPLETED, Outcome.DONE)
    assert receipt.ready_after_days > 0
    assert receipt.counts == {
        "customers": 1,
        "subscriptions": 4,
        "charges": 6,
        "refunds": 2,
        "cancellation_comments": 2,
    }
    gone = [c.split("/")[3] for c in world.calls("baremetrics") if c.startswith("DELETE")]
    assert gone == ["subscriptions"] * 4 + ["refunds"] * 2 + ["charges"] * 2 + ["customers"]


def test_the_second_look_before_the_queue_is_done_says_that_she_is_held(
    twin: BaremetricsTwin, processor: BaremetricsProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin.world, "day", 1000.0)
    receipt = erased(processor)
    assert processor.find(MARIAS.plus(receipt.identities)).held == {"customers": 1}


def test_subscriptions_that_go_later_are_waited_for_by_the_engine(
    twin: BaremetricsTwin, processor: BaremetricsProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin, "subscription_lag", 1e6)
    with pytest.raises(VendorUnavailable):
        erased(processor)
    monkeypatch.setattr(twin, "subscription_lag", 0.0)
    assert erased(processor).outcome is Outcome.DONE


def test_an_interrupted_erasure_finds_the_rest_again_at_whatever_call_it_broke(
    world: Served, twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    erased(processor)
    changing = [n for n, c in enumerate(world.calls("baremetrics")) if not c.startswith("GET")]
    assert len(changing) == 12
    for at in changing[::3]:
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]
        with pytest.raises(CredentialsRejected):
            erased(processor)
        assert erased(processor).outcome is Outcome.DONE
        time.sleep(0.01)  # until the queue is done
        assert "acc-maria" not in {c["oid"] for c in twin.state()["customers"]}, at


def test_a_synchronised_customer_is_for_a_person_and_the_own_one_is_erased(
    twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    subject = stripe_customer(twin)
    receipt = erased(processor, subject)
    assert receipt.outcome is Outcome.MANUAL
    assert "billing system" in receipt.note
    assert receipt.counts["customers"] == 1
    assert [c["source_id"] for c in twin.state()["customers"] if c["email"] == MARIA] == [STRIPE]
    assert processor.find(subject.plus(receipt.identities)).held == {"synced_customers": 1}


def test_payments_that_outlive_their_customer_are_found_by_its_id(
    twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    receipt = erased(processor)
    new_record(twin, "charges", OWN, "acc-maria", subscription_oid=None)
    assert processor.find(MARIAS).nothing
    by_id = MARIAS.plus(receipt.identities)
    assert processor.find(by_id).held == {"charges": 1}
    assert erased(processor, by_id).counts == {"charges": 1}
    assert processor.find(by_id).nothing


def test_two_accounts_with_one_address_stop_for_an_agent(
    twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    new_customer(twin, OWN, "acc-other", MARIA, "Another Maria")
    assert processor.find(MARIAS).ambiguous
    assert erased(processor).outcome is Outcome.MANUAL
    assert len([c for c in twin.state()["customers"] if c["email"] == MARIA]) == 2
    assert not processor.find(MARIAS.plus([Identity("account_id", "acc-other")])).ambiguous


def test_an_account_that_now_carries_another_address_stops_for_an_agent(processor: BaremetricsProcessor) -> None:
    others = Identities.of_email(MARIA).plus([Identity("account_id", "acc-ion")])
    assert processor.find(others).ambiguous


def test_an_oid_may_hold_anything(twin: BaremetricsTwin, processor: BaremetricsProcessor) -> None:
    new_customer(twin, OWN, "shop/7@x y", "odd@example.net", "Odd")
    odd = Identities.of_email("odd@example.net")
    assert processor.find(odd).held == {"customers": 1}
    assert erased(processor, odd).outcome is Outcome.DONE
    for bad in (f"{OWN}/..", "../x"):
        with pytest.raises(VendorAnswerUnexpected):
            Api(BaremetricsSettings(api_key="k")).customer(*bad.split("/", 1))  # type: ignore[arg-type]


def test_attributes_that_cannot_be_blank_are_told_as_residue(
    twin: BaremetricsTwin, processor: BaremetricsProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin, "refuses_blank_attributes", True)
    receipt = erased(processor)
    assert receipt.outcome is Outcome.PARTIAL
    assert [r.what for r in receipt.residue] == ["custom attributes at Baremetrics"]


def test_without_cancellation_insights_nobody_asks_for_comments(world: Served) -> None:
    settings = world.settings(BaremetricsSettings, BAREMETRICS_CANCELLATION_INSIGHTS="false")
    assert "cancellation_comments" not in BaremetricsProcessor(settings).find(MARIAS).held
    assert not [c for c in world.calls("baremetrics") if "cancellation" in c]


def test_the_export_is_complete(processor: BaremetricsProcessor) -> None:
    assert consume(processor, instruction(Operation.EXPORT)) == {
        "customers.json": 1,
        "events.json": 7,
        "subscriptions.json": 4,
        "charges.json": 6,
        "refunds.json": 2,
        "cancellation_comments.json": 2,
    }
    assert consume(processor, instruction(Operation.EXPORT, Identities.of_email("x@example.net"))) == {}


def test_a_synchronised_customer_is_corrected_in_the_billing_system(
    twin: BaremetricsTwin, processor: BaremetricsProcessor
) -> None:
    receipt = processor.rectify(instruction(Operation.RECTIFY, stripe_customer(twin), email="maria@example.net"))
    assert (receipt.outcome, receipt.counts) == (Outcome.MANUAL, {"customers": 1})
    assert {c["email"] for c in twin.state()["customers"] if "maria" in c["email"] and "popa" not in c["email"]} >= {
        "maria@example.net",
        MARIA,
    }


@responses.activate
def test_lists_without_paging_information_end_with_an_empty_page_and_never_run_for_ever() -> None:
    api = Api(BaremetricsSettings(api_key="k"))  # type: ignore[arg-type]  # pydantic makes it a secret
    url = "https://api.baremetrics.com/v1/s/customers"
    responses.get(url, json={"customers": [{"oid": "1"}]})
    responses.get(url, json={"customers": [{"oid": "2"}]})
    responses.get(url, json={"customers": []})
    assert [c["oid"] for c in api.pages("s/customers", "customers")] == ["1", "2"]
    responses.reset()
    responses.get(url, json={"customers": [{"oid": "1"}]})
    with pytest.raises(VendorAnswerUnexpected):
        list(api.pages("s/customers", "customers"))


@responses.activate
def test_a_record_that_does_not_name_its_customer_is_never_taken_for_hers() -> None:
    api = Api(BaremetricsSettings(api_key="k"))  # type: ignore[arg-type]  # pydantic makes it a secret
    paging = {"pagination": {"has_more": False}}
    responses.get("https://api.baremetrics.com/v1/s/refunds", json={"refunds": [{"oid": "1"}], "meta": paging})
    with pytest.raises(VendorAnswerUnexpected):
        list(api.of_customer("s", "refunds", "acc-maria"))


def test_a_refused_deletion_is_not_taken_for_done(world: Served) -> None:
    with pytest.raises(VendorRefused):
        Api(world.settings(BaremetricsSettings)).delete(OWN, "customers", "acc-maria")  # subscriptions are left
    assert not Api(world.settings(BaremetricsSettings)).delete(OWN, "customers", "acc-nobody")


def test_a_wrong_key_is_noticed(world: Served) -> None:
    with pytest.raises(CredentialsRejected):
        BaremetricsProcessor(world.settings(BaremetricsSettings, BAREMETRICS_API_KEY="wrong")).check()
