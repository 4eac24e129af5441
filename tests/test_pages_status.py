"""The status page and withdrawing with a code; the verify page of a request that an agent opened."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import agents, opening, receipts
from dsr.fulfilment import Step
from dsr.letters import catalogue
from dsr.model import Operation, Outcome, ReceiptStatus, RequestStatus, Right, Verdict
from dsr.store import tables
from pages import progress
from tests.pages_desk import World, make_world

S = RequestStatus


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def say(key: str, **params: object) -> str:
    return catalogue.say(key, "en", **params)


# ---- what the page shows ---------------------------------------------------------------------------------------------


def test_the_status_page_tells_right_reference_status_dates_and_derivation(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    html = world.client.get(world.link("status", reference)).text
    shown = (
        reference,
        "deletion of your data",
        "confirmed, begins after the cooling-off time",
        "24 November 2026 at 14:00",  # the cooling-off time ends, in the controller's time zone
        "23 December 2026",
        say("page.rule_gdpr_month"),
        "GDPR Art. 12(3)",
    )
    assert all(part in html for part in shown)
    assert say("page.rule_gdpr_extension") not in html


def test_the_page_renews_itself_only_while_in_progress_and_can_be_told_not_to(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("status", reference)
    assert "Refresh" not in world.client.get(path).headers
    world.move(reference, S.IN_PROGRESS)
    assert world.client.get(path).headers["Refresh"] == "5"
    assert "Refresh" not in world.client.get(f"{path}?still=1").headers
    assert "Refresh" not in world.client.post(path).headers
    world.move(reference, S.PARTIALLY_COMPLETED)
    assert "Refresh" not in world.client.get(path).headers


def test_every_service_has_its_words_and_the_picture_a_segment_for_each(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    erase = Operation.ERASE
    with world.desk.db.write() as conn:
        due = world.row(reference).due_at
        names = ["own_database", "intercom", "paddle", "hubspot"]
        receipts.plan(world.desk, conn, reference, [(name, erase, 1) for name in names], due)
        r = tables.receipts
        for name, values in {
            "intercom": {"status": "completed", "outcome": "done", "verdict": "gone"},
            "paddle": {"status": "completed", "outcome": "partial", "verdict": "kept"},
            "hubspot": {"status": "in_progress", "outcome": "manual"},
        }.items():
            conn.execute(r.update().where(r.c.processor == name).values(**values))
    html = world.client.get(world.link("status", reference)).text
    assert say("page.status_progress", done=2, total=4) in html
    assert html.count("<rect") == 4
    for part in ("IntelliMails (own database)", "not begun", "gone", "kept", "with a person until 23 December 2026"):
        assert part in html
    assert say("word.meaning_kept") in html
    assert html.index("IntelliMails (own database)") < html.index("Paddle.com") < html.index("HubSpot")


@pytest.mark.parametrize(
    ("status", "outcome", "verdict", "attempts", "state"),
    [
        (ReceiptStatus.PENDING, None, None, 0, "waiting"),
        (ReceiptStatus.PENDING, None, None, 1, "working"),
        (ReceiptStatus.IN_PROGRESS, None, None, 0, "working"),
        (ReceiptStatus.IN_PROGRESS, Outcome.MANUAL, None, 0, "person"),
        (ReceiptStatus.COMPLETED, Outcome.DONE, None, 0, "working"),  # not asked again yet: never "done" before
        (ReceiptStatus.COMPLETED, Outcome.DONE, Verdict.GONE, 0, "gone"),
        (ReceiptStatus.COMPLETED, Outcome.DONE, Verdict.ACCEPTED, 0, "accepted"),
        (ReceiptStatus.COMPLETED, Outcome.PARTIAL, Verdict.KEPT, 0, "kept"),
        (ReceiptStatus.CANCELLED, None, None, 0, "none"),
    ],
)
def test_the_word_of_a_step(
    status: ReceiptStatus, outcome: Outcome | None, verdict: Verdict | None, attempts: int, state: str
) -> None:
    step = Step("p", Operation.ERASE, 1, status, outcome, verdict=verdict, attempts=attempts)
    assert progress.state_of(step) == state


def test_a_suppression_is_done_whether_or_not_anything_was_held() -> None:
    """It needs no proof, so it must tell nothing (attack G20)."""
    for outcome in (Outcome.DONE, Outcome.NO_MATCH):
        step = Step("p", Operation.SUPPRESS, 1, ReceiptStatus.COMPLETED, outcome)
        assert progress.state_of(step) == "done"


def test_of_two_steps_at_one_service_the_one_that_takes_longest_is_told(world: World) -> None:
    done = Step("p", Operation.SUPPRESS, 1, ReceiptStatus.COMPLETED, Outcome.DONE)
    by_hand = Step("p", Operation.RESTRICT, 1, ReceiptStatus.IN_PROGRESS, Outcome.MANUAL)
    (line,) = progress.services([by_hand, done], {"p": "P"}, world.clock(), "en", "UTC")
    assert line.state == "person"


def test_a_vendor_that_takes_its_time_is_shown_with_the_day_on_which_it_is_done(world: World) -> None:
    told = Step("p", Operation.ERASE, 1, ReceiptStatus.COMPLETED, Outcome.DONE, datetime(2026, 12, 23, tzinfo=UTC))
    (line,) = progress.services([told], {"p": "P"}, world.clock(), "en", "UTC")
    assert line.words == "in progress, done there by 23 December 2026"


def test_the_status_page_still_works_when_the_persons_key_is_destroyed(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    world.move(reference, S.IN_PROGRESS, S.COMPLETED)
    with world.desk.db.write() as conn:
        conn.execute(tables.requests.update().values(address_enc=None))
        world.desk.vault.destroy(conn, world.row(reference).key_id)
    answer = world.client.get(world.link("status", reference))
    assert answer.status_code == 200
    assert "completed" in answer.text


# ---- withdraw --------------------------------------------------------------------------------------------------------


def test_withdrawing_takes_a_fresh_code_from_the_mailbox(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("status", reference)
    assert say("page.code_sent") in world.client.post(path, data={"do": "send"}).text
    assert world.status(reference) == "cooling_off"
    answer = world.client.post(path, data={"do": "withdraw", "code": world.code().lower().replace("-", " ")})
    assert say("page.withdraw_done") in answer.text
    assert world.status(reference) == "withdrawn"
    assert say("page.withdraw_heading") not in answer.text
    again = world.client.post(path, data={"do": "withdraw", "code": world.code()})
    assert (again.status_code, say("page.withdraw_done") in again.text) == (200, True)


def test_wrong_codes_are_counted_and_after_five_the_right_one_is_worth_nothing(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("status", reference)
    world.client.post(path, data={"do": "send"})
    code, wrong = world.code(), world.wrong_code()
    for left in (4, 3, 2, 1):
        answer = world.client.post(path, data={"code": wrong})
        assert answer.status_code == 422
        assert say("page.code_wrong", left=left) in answer.text
        assert 'aria-invalid="true"' in answer.text
    assert say("page.code_void") in world.client.post(path, data={"code": wrong}).text
    assert say("page.code_void") in world.client.post(path, data={"code": code}).text
    assert world.status(reference) == "cooling_off"


def test_what_cannot_be_a_code_costs_no_try(world: World) -> None:
    path = world.link("status", world.verified(Right.ERASURE))
    world.client.post(path, data={"do": "send"})
    for typed in ("", "x", "hello world", "<script>", "1" * 100_000):
        assert world.client.post(path, data={"code": typed}).status_code == 422
    assert say("page.withdraw_done") in world.client.post(path, data={"code": world.code()}).text


def test_an_expired_code_and_the_code_of_another_request_withdraw_nothing(world: World) -> None:
    first, second = world.verified(Right.ERASURE), world.verified(Right.EXPORT, address="ana@example.com")
    path = world.link("status", first)
    world.client.post(path, data={"do": "send"})
    code = world.code()
    with world.desk.db.write() as conn:
        conn.execute(tables.requests.update().where(tables.requests.c.reference == second).values(status="cooling_off"))
    world.client.post(world.link("status", second), data={"code": code})
    assert world.status(second) == "cooling_off"
    world.clock.pass_(minutes=11)
    assert say("page.code_expired") in world.client.post(path, data={"code": code}).text
    assert world.status(first) == "cooling_off"


def test_a_withdrawal_code_verifies_nothing_and_a_verification_code_withdraws_nothing(world: World) -> None:
    """Attack G15: a code counts for what it was mailed for."""
    with world.desk.db.write() as conn:
        reference = opening.open_by_agent(world.desk, conn, "U1", "maria.pop@example.com", "erasure")
    for_verify = world.code()
    status, verify = world.link("status", reference), world.link("verify", reference)
    world.client.post(status, data={"code": for_verify})
    assert world.status(reference) == "identity_pending"
    world.client.post(status, data={"do": "send"})
    world.client.post(verify, data={"code": world.code()})
    assert world.status(reference) == "identity_pending"


def test_too_late_is_said_plainly(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    path = world.link("status", reference)
    world.client.post(path, data={"do": "send"})
    world.move(reference, S.IN_PROGRESS)
    answer = world.client.post(path, data={"code": world.code()})
    assert answer.status_code == 409
    assert say("page.withdraw_too_late") in answer.text
    assert world.status(reference) == "in_progress"


def test_no_code_goes_to_a_child_whose_account_was_reported(world: World) -> None:
    with world.desk.db.write() as conn:
        reference = opening.open_by_agent(world.desk, conn, "U1", "maria.pop@example.com", "age")
    path = world.link("status", reference)
    assert say("page.withdraw_heading") not in world.client.get(path).text
    world.client.post(path, data={"do": "send"})
    assert world.mails() == []


def test_no_more_than_three_codes_an_hour_are_mailed(world: World) -> None:
    path = world.link("status", world.verified(Right.ERASURE))
    before = len(world.mails())
    answers = [world.client.post(path, data={"do": "send"}).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert len(world.mails()) == before + 3


# ---- verify ----------------------------------------------------------------------------------------------------------


def opened_by_agent(world: World, right: str = "erasure") -> tuple[str, str]:
    """Reference, and the path of the link in the mail."""
    with world.desk.db.write() as conn:
        reference = opening.open_by_agent(world.desk, conn, "U1", "maria.pop@example.com", right)
    (url,) = [word for word in world.mails()[-1]["text"].split() if "/verify/" in word]
    return reference, world.path(url)


def test_the_code_from_the_mail_confirms_and_the_page_says_what_happens_next(world: World) -> None:
    reference, path = opened_by_agent(world)
    assert reference in world.client.get(path).text
    answer = world.client.post(path, data={"code": world.code()})
    assert world.status(reference) == "cooling_off"
    assert world.row(reference).verified_by == "code"
    assert "24 November 2026 at 14:00" in answer.text
    (status,) = [part for part in answer.text.split('"') if "/status/" in part]
    assert reference in world.client.get(world.path(status)).text
    assert say("page.verify_already") in world.client.get(path).text


def test_a_wrong_code_confirms_nothing_and_is_counted(world: World) -> None:
    reference, path = opened_by_agent(world)
    for left in (4, 3, 2, 1):
        assert say("page.code_wrong", left=left) in world.client.post(path, data={"code": world.wrong_code()}).text
    assert say("page.code_void") in world.client.post(path, data={"code": world.wrong_code()}).text
    assert say("page.code_void") in world.client.post(path, data={"code": world.code()}).text
    assert world.status(reference) == "identity_pending"


def test_send_again_mails_a_new_code_and_the_old_one_is_void(world: World) -> None:
    reference, path = opened_by_agent(world, "export")
    old = world.code()
    assert say("page.code_sent") in world.client.post(path, data={"do": "send"}).text
    assert world.code() != old
    world.client.post(path, data={"code": old})
    assert world.status(reference) == "identity_pending"
    world.client.post(path, data={"code": world.code()})
    assert world.status(reference) == "in_progress"


def test_a_second_request_of_the_same_right_joins_the_verified_one(world: World) -> None:
    first = world.verified(Right.ERASURE)
    second, path = opened_by_agent(world)
    answer = world.client.post(path, data={"code": world.code()})
    assert world.status(second) == "withdrawn"
    assert first in answer.text


@pytest.mark.parametrize("ended", [S.FROZEN, S.WITHDRAWN, S.EXPIRED])
def test_a_request_that_is_stopped_or_over_cannot_be_confirmed(world: World, ended: RequestStatus) -> None:
    reference, path = opened_by_agent(world)
    world.move(reference, ended)
    answer = world.client.post(path, data={"code": world.code()})
    assert catalogue.word("status", ended, "en") in answer.text
    assert world.status(reference) == ended
    with world.desk.db.read() as conn:
        assert conn.execute(sa.select(tables.challenges.c.tries)).scalar() == 0


def test_an_export_tells_how_many_services_have_delivered_on_the_page_and_to_agents(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    r = tables.receipts.c
    with world.desk.db.write() as conn:
        due = world.row(reference).due_at
        names = ["intercom", "zendesk", "google", "mailgun"]
        receipts.plan(world.desk, conn, reference, [(n, Operation.EXPORT, 1) for n in names], due)
        for name, values in {
            "intercom": {"status": "completed", "outcome": "done", "verdict": "accepted"},
            "zendesk": {"status": "completed", "outcome": "no_match", "verdict": "gone"},
            "google": {"status": "in_progress", "outcome": "manual"},
        }.items():
            conn.execute(tables.receipts.update().where(r.reference == reference, r.processor == name).values(**values))
    delivered = say("package.delivered", done=2, total=4)
    assert delivered in world.client.get(world.link("status", reference)).text
    download = world.client.get(world.package(reference)).text
    assert delivered in download
    assert say("package.later") in download
    with world.desk.db.write() as conn:
        told = agents.answer(world.desk, conn, "U1", f"show {reference}")
    assert "delivered for the package: 2 of 4 processors" in told
