"""An objection is weighed (Art. 21(1)): two agents, a letter, a lift with notice, and advertising stays stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dsr import commands, lifting, suppression
from dsr.model import RequestStatus, Right
from tests.clocked import Office, office
from tests.twins import MARIA
from workflows import request

S = RequestStatus
GROUND = "A21CompellingLegitimateGrounds"
FACTS = "Fraud was tried with this account in May."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def objected(desk: Office) -> str:
    """Maria has objected and is proved; every step that a machine takes is over."""
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.OBJECTION, MARIA, received_at=desk.now(), channel="agent"
        )
        commands.verified(desk.desk, conn, reference, by="code")
    desk.settle(reference)
    return reference


def weigh(desk: Office, reference: str) -> None:
    assert "proposed" in desk.slack("ana", f"refuse {reference} {GROUND} {FACTS}")
    assert "Art. 21(1)" in desk.slack("dan", f"refuse {reference} confirm")


def account(desk: Office) -> dict[str, object]:
    rows = desk.served.twins["own_database"].state()["accounts"]
    return next(row for row in rows if row["email"] == MARIA)


def test_a_weighed_objection_is_refused_by_two_agents_with_everything_that_the_law_demands(desk: Office) -> None:
    reference = objected(desk)
    assert account(desk)["restricted"]
    assert "proposed" in desk.slack("ana", f"refuse {reference} {GROUND} {FACTS}")
    assert "four eyes" in desk.slack("ana", f"refuse {reference} confirm")
    assert desk.status(reference) is not S.REFUSED
    assert "Art. 21(1)" in desk.slack("dan", f"refuse {reference} confirm")
    assert desk.status(reference) is S.REFUSED
    letter = desk.mails()[-1]["text"]
    for part in (FACTS, "compelling legitimate grounds", "Art. 21(1)", "is lifted on", "ANSPDCP", "to go to court"):
        assert part in letter


def test_the_restriction_is_lifted_only_after_the_notice_and_advertising_stays_stopped(desk: Office) -> None:
    reference = objected(desk)
    weigh(desk, reference)
    request.advance(desk.worker, reference)
    assert account(desk)["restricted"], "the person is told first (Art. 18(3))"
    desk.ahead += timedelta(days=7, minutes=1)
    request.advance(desk.worker, reference)
    assert not account(desk)["restricted"]
    assert account(desk)["marketing_opt_out"]
    with desk.desk.db.read() as conn:
        assert suppression.suppressed(desk.desk, conn, [MARIA])


def test_what_stops_advertising_stays_a_task_where_a_person_must_do_it(desk: Office) -> None:
    reference = objected(desk)
    assert desk.receipt(reference, "mailchimp", "suppress").outcome == "manual"
    weigh(desk, reference)
    assert desk.receipt(reference, "mailchimp", "suppress").status == "in_progress"
    assert desk.receipt(reference, "mailchimp", "restrict").status == "cancelled"
    with desk.desk.db.read() as conn:
        assert lifting.under_way(conn, reference)


def test_an_objection_that_is_not_proved_cannot_be_refused(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.OBJECTION, MARIA, received_at=desk.now(), channel="agent"
        )
    assert "Art. 21(3)" in desk.slack("ana", f"refuse {reference} {GROUND} {FACTS}")


def test_after_the_period_the_objection_stands(desk: Office) -> None:
    reference = objected(desk)
    desk.ahead = desk.row(reference).due_at - desk.now() + timedelta(minutes=1)
    assert "the objection stands" in desk.slack("ana", f"refuse {reference} {GROUND} {FACTS}")


def test_no_other_right_is_weighed(desk: Office) -> None:
    reference = desk.proved(Right.RESTRICTION)
    assert "is no ground against restriction" in desk.slack("ana", f"refuse {reference} {GROUND} {FACTS}")


def test_promotional_mail_of_an_objection_is_due_to_stop_long_before_the_objection_is_answered(desk: Office) -> None:
    reference = desk.proved(Right.OBJECTION)
    desk.settle(reference)
    row = desk.row(reference)
    assert desk.receipt(reference, "intercom", "suppress").due_at - row.received_at == timedelta(hours=48)
    assert desk.receipt(reference, "own_database", "restrict").due_at == row.due_at > row.received_at + timedelta(27)
