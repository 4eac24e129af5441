"""Holds: an erasure spares what the law keeps, says so, and resumes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import commands, holds, receipts, report, requests, sweep
from dsr.model import RequestStatus, Right
from dsr.store.tables import holds as holds_table
from dsr.store.tables import receipts as receipts_table
from dsr.store.tables import requests as requests_table
from tests.clocked import Office, office
from tests.twins import MARIA

S = RequestStatus
CLAIMS = "A17LegalClaims"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def last_day(desk: Office, days: int = 40) -> date:
    return (desk.now() + timedelta(days=days)).date()


def certificate(desk: Office, reference: str) -> str:
    return next(m["text"] for m in reversed(desk.mails()) if m["subject"].startswith("Certificate"))


def finish_by_hand(desk: Office, reference: str) -> None:
    """Every task of a person is done."""
    with desk.desk.db.read() as conn:
        steps = receipts.steps(desk.desk, conn, reference)
    for step in steps:
        if step.by_hand:
            assert "noted as done" in desk.slack("ana", f"done {reference} {step.processor} {step.operation}")
    desk.settle(reference)


def test_a_held_processor_is_spared_and_resumes_when_the_day_has_come(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    until = last_day(desk)
    code, said = desk.run("hold", reference, "intercom", "--ground", CLAIMS, "--until", until.isoformat())
    assert code == 0, said
    desk.settle(reference)
    assert desk.held("intercom"), "nothing is erased there"
    assert not desk.held("own_database"), "everything else is"
    row = desk.receipt(reference, "intercom")
    assert (row.outcome, row.verdict) == ("held", "kept")
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    text = certificate(desk, reference)
    assert "kept until" in text
    assert "legal claims (GDPR Art. 17(3)(e))" in text
    with desk.desk.db.read() as conn:
        assert holds.over(desk.desk, conn) == []
        assert requests.get(desk.desk, conn, reference).address == MARIA, "it must still be able to erase"

    desk.ahead += timedelta(days=41)
    with desk.desk.db.read() as conn:
        assert holds.over(desk.desk, conn) == [reference], "the sweep comes for it"
    sweep.once(desk.desk)
    desk.settle(reference)
    assert not desk.held("intercom")
    assert desk.receipt(reference, "intercom").verdict == "gone"
    assert [what for what in desk.audited(reference) if what.startswith("hold")] == ["hold.placed", "hold.ended"]


def test_a_request_of_which_only_a_hold_is_left_was_answered_in_time_and_is_not_overdue(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    first = desk.now().date()
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk, 400)}")
    desk.settle(reference)
    finish_by_hand(desk, reference)
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    desk.ahead += timedelta(days=300)
    held = report.report(desk.desk, first, first + timedelta(days=1))
    assert (held.on_time, held.late, held.open, held.overdue) == (1, 0, 1, 0)
    assert held.days["count"] == 1
    desk.ahead += timedelta(days=101)
    desk.settle(reference)
    assert desk.status(reference) is S.COMPLETED
    over = report.report(desk.desk, first, first + timedelta(days=1))
    assert (over.on_time, over.late, over.open, over.overdue) == (1, 0, 0, 0), "the end of a hold is not the answer"
    assert over.days["median"] < 1


def test_a_hold_beside_a_task_that_a_person_has_not_done_leaves_the_request_overdue(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    first = desk.now().date()
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk, 400)} conversations")  # the rest is by hand
    desk.settle(reference)
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    desk.ahead += timedelta(days=45)
    found = report.report(desk.desk, first, first + timedelta(days=1))
    assert (found.on_time, found.late, found.overdue) == (0, 1, 1)


def test_the_last_second_of_the_last_day_is_still_held(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}")
    with desk.desk.db.read() as conn:
        until = conn.execute(sa.select(holds_table.c.until)).scalar_one()
    desk.ahead += until - desk.now() - timedelta(seconds=5)
    desk.settle(reference)
    assert desk.held("intercom")


def test_a_hold_that_is_lifted_lets_the_erasure_go_on(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}")
    desk.settle(reference)
    assert "is lifted" in desk.slack("dan", f"release {reference} intercom")
    desk.settle(reference)
    assert not desk.held("intercom")
    assert "nothing is held" in desk.slack("dan", f"release {reference} intercom")


def test_one_kind_of_record_is_spared_where_the_connector_can(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    assert desk.held("own_database")["campaigns"]
    said = desk.slack("ana", f"hold {reference} own_database A17TransactionInProgress {last_day(desk)} campaigns")
    assert "campaigns at own_database is kept" in said
    desk.settle(reference)
    subject = desk.receipt(reference, "own_database")
    assert subject.verdict == "kept"
    with desk.desk.db.read() as conn:
        known = requests.get(desk.desk, conn, reference).identities
    processor = desk.worker.connections.processors["own_database"]
    assert set(processor.find(known).held) == {"campaigns"}, "the account and all else are gone"
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    desk.ahead += timedelta(days=41)
    desk.settle(reference)
    assert processor.find(known).nothing


def test_a_kind_that_the_own_database_does_not_erase_cannot_be_held_and_those_that_it_does_are_named(
    desk: Office,
) -> None:
    reference = desk.proved(Right.ERASURE)
    for kind in ("campaign", "invoices"):
        said = desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk)} {kind}")
        assert "no such kind of record is erased there" in said
        assert "campaigns" in said
        assert "invoices" not in said, "they are kept anyhow"
    assert desk.mails(containing="cannot be carried out yet") == []


def test_a_hold_on_a_table_that_the_policy_no_longer_names_stops_the_erasure_there(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk)} campaigns")
    with desk.desk.db.write() as conn:
        conn.execute(holds_table.update().values(kind="campaigns_2025"))
    desk.settle(reference)
    row = desk.receipt(reference, "own_database")
    assert (row.outcome, row.problem) == ("manual", "a hold exempts a table that policy.toml does not name")
    assert desk.held("own_database")["campaigns"], "nothing is erased on a guess"


def test_where_the_connector_cannot_spare_a_kind_a_person_erases_the_rest(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)} conversations")
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.status, row.outcome) == ("in_progress", "manual")
    assert "A hold exempts conversations" in row.note
    assert desk.held("intercom"), "no call was made"
    desk.ahead += timedelta(days=41)
    desk.settle(reference)
    assert not desk.held("intercom"), "after the hold it is erased automatically"


def test_a_request_with_a_hold_is_not_completed_even_if_no_task_is_left(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}")
    desk.settle(reference)
    for processor in desk.desk.policy.processors:
        if desk.receipt(reference, processor.name).outcome == "manual":
            desk.slack("dan", f"done {reference} {processor.name} erase")
    desk.settle(reference)
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    desk.slack("dan", f"release {reference} intercom")
    desk.advance(reference, S.COMPLETED)
    with desk.desk.db.read() as conn:
        assert requests.get(desk.desk, conn, reference).address == "", "the address has done its work"
    assert len(desk.mails(containing="Certificate")) == 2


def test_the_chat_says_whether_a_person_or_only_a_hold_is_what_remains(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(commands, "reply_in_conversation", lambda *given, **_: said.append(given[4]))
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}")
    desk.settle(reference)
    assert said == ["partly"], "tasks are with a person"
    with desk.desk.db.write() as conn:
        by_hand = receipts_table.c.outcome == "manual"
        conn.execute(receipts_table.update().where(by_hand).values(status="completed", verdict="accepted"))
        conn.execute(requests_table.update().values(status="in_progress"))
    desk.settle(reference)
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    assert said == ["partly", "partly_held"]


def test_the_person_is_told_what_is_kept_why_until_when_and_whom_to_complain_to(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE, language="de")
    until = last_day(desk)
    desk.run(
        "hold", reference, "paddle", "--ground", CLAIMS, "--until", str(until), "--note", "Rechnung 7 ist strittig."
    )
    letter = desk.mails(containing="noch nicht")[-1]["text"]
    for part in ("Paddle.com, Inc.: alles, was dort liegt", "Rechtsansprüche", "Art. 17(3)(e)", "strittig", "ANSPDCP"):
        assert part in letter
    assert "vor Gericht zu gehen" in letter


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("hold {} intercom A12ManifestlyUnfounded 2032-01-01", "no ground to keep records"),
        ("hold {} nobody A17LegalClaims 2032-01-01", "no such processor"),
        ("hold {} intercom A17LegalClaims 2020-01-01", "still to come"),
        ("hold {} intercom A17LegalClaims 9999-12-31", "at most ten years"),
        ("hold {} intercom A17LegalClaims tomorrow", "give the day as"),
        ("hold {} intercom A17LegalClaims 2032-01-01 maria@example.com", "a kind of record is named"),
    ],
)
def test_a_hold_needs_a_ground_a_place_and_an_end(desk: Office, command: str, why: str) -> None:
    reference = desk.proved(Right.ERASURE)
    assert why in desk.slack("ana", command.format(reference))
    assert desk.mails(containing="cannot be carried out yet") == []


def test_what_is_erased_already_cannot_be_held(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    assert "has erased already" in desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}")


def test_what_a_vendor_is_erasing_cannot_be_held(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    job = {"status": "in_progress", "outcome": None, "verdict": None, "handle": "job", "finished_at": None}
    with desk.desk.db.write() as conn:
        conn.execute(receipts_table.update().where(receipts_table.c.processor == "intercom").values(**job))
    for kind in ("", " conversations"):
        said = desk.slack("ana", f"hold {reference} intercom {CLAIMS} {last_day(desk)}{kind}")
        assert "is erasing at this moment" in said
    assert desk.mails(containing="cannot be carried out yet") == []


def test_of_what_is_erased_but_for_a_kind_only_that_kind_can_be_held_on(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk)} campaigns")
    desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk)} subscribers")
    desk.settle(reference)
    told = len(desk.mails(containing="cannot be carried out yet"))
    for kind in ("", " accounts", " subscribers"):  # of subscribers she had none
        said = desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk)}{kind}")
        assert "has erased already; nothing is left to hold; only campaigns can be held on" in said
    assert len(desk.mails(containing="cannot be carried out yet")) == told
    said = desk.slack("ana", f"hold {reference} own_database {CLAIMS} {last_day(desk, 90)} campaigns")
    assert "campaigns at own_database is kept" in said
    desk.ahead += timedelta(days=50)
    desk.settle(reference)
    assert desk.receipt(reference, "own_database").verdict == "kept"


def test_a_task_that_a_person_has_already_is_written_anew_with_the_kind_that_is_held(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    by_hand = next(p.name for p in desk.desk.policy.processors if desk.receipt(reference, p.name).outcome == "manual")
    assert "A hold exempts" not in desk.receipt(reference, by_hand).note
    desk.slack("ana", f"hold {reference} {by_hand} {CLAIMS} {last_day(desk)} invoices")
    desk.settle(reference)
    assert "A hold exempts invoices" in desk.receipt(reference, by_hand).note


def test_a_partial_refusal_takes_two_agents_and_is_a_hold(desk: Office) -> None:
    reference = desk.proved(Right.ERASURE)
    words = ("refuse", reference, "--ground", CLAIMS, "--reason", "The invoice is disputed.", "--partial", "intercom")
    assert desk.run(*words, "--as", "ana")[0] == 1, "without an end"
    assert desk.run(*words, "--until", str(last_day(desk)), "--as", "ana")[0] == 0
    assert desk.run("refuse", reference, "--confirm", "--as", "ana")[0] == 1
    assert desk.run("refuse", reference, "--confirm", "--as", "dan")[0] == 0
    assert "The invoice is disputed." in desk.mails()[-1]["text"]
    desk.settle(reference)
    assert desk.held("intercom")
    assert not desk.held("own_database")
