"""The second look after an erasure: what a person did is asked after, and what could not be asked is a person's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dsr import receipts
from dsr.errors import CredentialsRejected, Throttled, VendorError, VendorRateLimited
from dsr.model import (
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Receipt,
    RequestStatus,
    Residue,
    Right,
    done,
    no_match,
)
from integrations.intercom.twin import IntercomTwin
from integrations.processor import Processor
from tests.clocked import Office, office
from tests.twins import MARIA
from workflows import request

S = RequestStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


@pytest.fixture
def by_hand(desk: Office) -> tuple[Office, str]:
    """An erasure that waits for a person at Intercom, where another contact has the address."""
    desk.served.twin(IntercomTwin).new_contact(MARIA, "Zamfira Otherone", "user", "acc-other")
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    assert desk.receipt(reference, "intercom").outcome == "manual"
    return desk, reference


def contact(desk: Office, account: str) -> dict[str, object]:
    found = desk.served.twin(IntercomTwin).find_contacts(MARIA)
    return next(c for c in found if c["external_id"] == account)


def test_what_an_agent_did_by_hand_is_gone_only_after_it_was_asked(by_hand: tuple[Office, str]) -> None:
    desk, reference = by_hand
    both = Identities.of_email(MARIA).plus(Identity("account_id", id) for id in ("acc-maria", "acc-other"))
    erasure = Instruction(reference, Right.ERASURE, Operation.ERASE, both, "by hand")
    assert desk.worker.connections.processors["intercom"].erase(erasure).outcome is Outcome.PARTIAL
    desk.slack("ana", f"done {reference} intercom erase")
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.status, row.verdict, row.owner) == ("completed", "gone", "agent:ana")
    assert row.looked_at is not None


def test_what_is_still_found_comes_back_to_the_agent_and_is_not_erased_by_the_desk(by_hand: tuple[Office, str]) -> None:
    desk, reference = by_hand
    desk.served.twin(IntercomTwin).delete_contact(contact(desk, "acc-maria"))
    desk.slack("ana", f"done {reference} intercom erase")
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.status, row.outcome, row.verdict) == ("in_progress", "manual", None)
    assert "contacts" in row.note
    assert contact(desk, "acc-other"), "somebody else's, as the agent decided: the desk must not erase it"
    desk.slack("ana", f"done {reference} intercom erase")
    desk.settle(reference)
    assert desk.receipt(reference, "intercom").verdict == "accepted", "the agent's word"
    assert contact(desk, "acc-other")


def test_where_nobody_can_be_asked_the_agents_word_is_accepted(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    desk.slack("ana", f"done {reference} mailgun erase")
    desk.settle(reference)
    assert desk.receipt(reference, "mailgun").verdict == "accepted"


def looks(monkeypatch: pytest.MonkeyPatch, desk: Office, reference: str, *answers: VendorError | Findings) -> list[int]:
    """Erase at Intercom; afterwards its looks get these answers, and then true ones."""
    intercom, left, asked = desk.worker.connections.processors["intercom"], list(answers), [0]
    find = intercom.find

    def answer(subject: Identities) -> Findings:
        if desk.receipt(reference, "intercom").status != "completed":
            return find(subject)
        asked[0] += 1
        told = left.pop(0) if left else find(subject)
        if isinstance(told, VendorError):
            raise told
        return told

    monkeypatch.setattr(intercom, "find", answer)
    return asked


def test_a_look_that_is_refused_is_a_task_and_no_accepted(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = desk.proved(Right.ERASURE)
    refused = CredentialsRejected("intercom", "our credentials do not allow this (403)", 403)
    looks(monkeypatch, desk, reference, refused, refused)
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.status, row.outcome, row.verdict) == ("in_progress", "manual", None)
    assert "could not be asked" in row.note
    desk.slack("ana", f"done {reference} intercom erase")
    desk.settle(reference)
    assert desk.receipt(reference, "intercom").verdict == "accepted", "an agent saw to it"


def test_a_look_that_waits_for_its_turn_counts_as_no_try(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = desk.proved(Right.ERASURE)
    throttled = Throttled("intercom", "too many calls are waiting for their turn", 0.01)
    tries = desk.desk.settings.processor_tries + 3
    asked = looks(monkeypatch, desk, reference, *[throttled] * tries)
    desk.settle(reference)
    assert asked == [tries + 1]
    assert desk.receipt(reference, "intercom").verdict == "gone"


def test_a_look_comes_again_when_the_vendor_asked_for_it(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = desk.proved(Right.ERASURE)
    looks(monkeypatch, desk, reference, VendorRateLimited("intercom", "asks us to slow down (429)", 3000.0))
    for _ in range(200):
        request.advance(desk.worker, reference)
        row = desk.receipt(reference, "intercom")
        if row.problem:
            break
    assert 2900 < (row.next_at - desk.now()).total_seconds() <= 3000


def test_a_second_erasure_that_finds_nothing_keeps_what_the_first_one_left(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = desk.proved(Right.ERASURE)
    looks(monkeypatch, desk, reference, Findings({"contacts": 1}))  # a search that has not forgotten yet
    left = Residue("delivery records", "the vendor keeps them", "90 days")
    answers = iter([done({"contacts": 1}, residue=(left,)), no_match()])
    intercom: Processor = desk.worker.connections.processors["intercom"]
    erase = intercom.erase

    def first_then_nothing(instruction: Instruction) -> Receipt:
        erase(instruction)
        return replace(next(answers))

    monkeypatch.setattr(intercom, "erase", first_then_nothing)
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.outcome, row.verdict, row.counts) == ("partial", "gone", '{"contacts": 1}')
    assert left in receipts.residue(row)


def test_a_vendor_that_finishes_after_the_month_does_not_make_the_answer_late(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = desk.proved(Right.ERASURE)
    due = desk.row(reference).due_at
    object.__setattr__(desk.desk, "settings", desk.desk.settings.model_copy(update={"vendor_day": 86400.0}))
    intercom = desk.worker.connections.processors["intercom"]
    erase = intercom.erase
    monkeypatch.setattr(intercom, "erase", lambda told: replace(erase(told), ready_after_days=45))
    for _ in range(3):
        request.advance(desk.worker, reference)
    assert desk.status(reference) is S.IN_PROGRESS
    assert not desk.mails(containing="Certificate")
    wake = desk.row(reference).wake_at
    assert wake == due - timedelta(days=3), "it wakes in time"

    desk.ahead = due - timedelta(days=3) - desk.now() + desk.ahead
    for _ in range(2):
        request.advance(desk.worker, reference)
    first = desk.mails(containing="Certificate")
    assert len(first) == 1
    assert "being finished at the service until" in first[0]["text"]
    assert desk.status(reference) is S.PARTIALLY_COMPLETED, "it is not completed before the vendor was asked again"
    assert desk.row(reference).wake_at > due

    desk.ahead += timedelta(days=30)
    request.advance(desk.worker, reference)
    assert desk.receipt(reference, "intercom").verdict == "gone"
    with desk.desk.db.read() as conn:
        tasks = [step for step in receipts.steps(desk.desk, conn, reference) if step.by_hand]
    for step in tasks:
        desk.slack("ana", f"done {reference} {step.processor} {step.operation}")
    desk.advance(reference, S.COMPLETED)
    assert "being finished" not in desk.mails(containing="Certificate")[-1]["text"]
    assert len(desk.mails(containing="Certificate")) == 2
