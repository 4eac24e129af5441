"""A standing restriction ends when the person asks: told first, lifted after the notice, asked after no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import commands, links, page_actions, retention, standing, suppression, sweep
from dsr.model import RequestStatus, Right
from dsr.store import tables
from tests.clocked import Office, office
from tests.test_standing import account, done, due, objected
from tests.twins import MARIA
from workflows import request
from workflows import standing as looking

S = RequestStatus
r = tables.receipts.c
NOTICE = timedelta(days=7, minutes=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def carried_out(desk: Office, reference: str) -> None:
    """The notice is over, the lifts are done, also by hand, and every mail is sent."""
    desk.ahead += NOTICE
    desk.settle(reference)
    with desk.desk.db.write() as conn:
        by_hand = (r.reference == reference, r.outcome == "manual")
        conn.execute(tables.receipts.update().where(*by_hand).values(status="completed", verdict="accepted"))
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    request.advance(desk.worker, reference)


def archived(desk: Office) -> bool:
    return all(c["archived"] for c in desk.served.twins["intercom"].state()["contacts"] if c["email"] == MARIA)


def test_the_person_is_told_first_and_the_processors_after_the_notice(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    assert "the person is told now" in desk.slack("ana", f"lift {reference}")
    letter = desk.mails()[-1]["text"]
    assert reference in letter
    assert "did not ask for this" in letter
    request.advance(desk.worker, reference)
    assert account(desk)["restricted"], "the person is told first (Art. 18(3))"
    assert archived(desk)
    desk.ahead += NOTICE
    desk.settle(reference)
    assert not account(desk)["restricted"]
    assert not archived(desk)


def test_who_lifted_and_why_is_written_and_the_request_stays_answered(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    before = desk.row(reference)
    desk.slack("ana", f"lift {reference}")
    with desk.desk.db.read() as conn:
        a = tables.audit.c
        lifted = conn.execute(sa.select(a.who, a.why).where(a.what == "restriction.lifted")).one()
    assert lifted.who == "agent:ana"
    assert "the person asked" in lifted.why
    carried_out(desk, reference)
    after = desk.row(reference)
    assert (after.status, after.finished_at) == (S.COMPLETED, before.finished_at)


def test_what_is_lifted_is_asked_after_no_more_and_its_address_goes(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    desk.slack("ana", f"lift {reference}")
    retention.settle(desk.desk, reference)
    assert desk.row(reference).address_enc, "it is needed to find the person"
    carried_out(desk, reference)
    assert (desk.row(reference).look_at, desk.row(reference).address_enc) == (None, None)
    desk.ahead += timedelta(days=40)
    assert due(desk) == []
    looking.look(desk.worker, reference)
    assert not account(desk)["restricted"]


def test_of_an_objection_advertising_stays_stopped(desk: Office) -> None:
    reference = objected(desk)
    desk.slack("ana", f"lift {reference}")
    carried_out(desk, reference)
    assert not account(desk)["restricted"]
    assert account(desk)["marketing_opt_out"]
    with desk.desk.db.read() as conn:
        assert suppression.suppressed(desk.desk, conn, [MARIA])


def test_with_tasks_still_open_it_ends_without_another_certificate(desk: Office) -> None:
    reference = desk.proved(Right.OBJECTION)
    desk.settle(reference)
    assert desk.status(reference) is S.PARTIALLY_COMPLETED
    desk.slack("ana", f"lift {reference}")
    assert desk.receipt(reference, "mailchimp", "suppress").status == "in_progress", "it outlives the restriction"
    issued = desk.audited(reference).count("certificate.issued")
    carried_out(desk, reference)
    assert desk.status(reference) is S.COMPLETED
    assert desk.audited(reference).count("certificate.issued") == issued
    assert (desk.row(reference).look_at, desk.row(reference).address_enc) == (None, None)


def test_where_another_request_restricts_nothing_is_lifted_until_that_ends(desk: Office) -> None:
    first = done(desk, desk.proved(Right.RESTRICTION))
    desk.slack("ana", f"lift {first}")
    second = done(desk, desk.proved(Right.RESTRICTION))  # "I never asked for a lift"
    carried_out(desk, first)
    assert account(desk)["restricted"]
    assert desk.receipt(first, "own_database", "lift").status == "cancelled"
    desk.slack("ana", f"lift {second}")
    carried_out(desk, second)
    assert not account(desk)["restricted"]


def not_me(desk: Office, reference: str) -> bool:
    """The owner of the address presses the button of the mail."""
    with desk.desk.db.write() as conn:
        url = links.make(desk.desk, conn, "not_me", lifetime=timedelta(days=30), reference=reference)
        link = links.find(desk.desk, conn, "not_me", url.rsplit("/", 1)[1])
        assert link is not None
        return page_actions.stop(desk.desk, conn, link)


def test_not_me_freezes_what_is_carried_out_and_stands_and_withdrawing_it_lifts(desk: Office) -> None:
    reference = objected(desk)
    assert not_me(desk, reference)
    assert desk.status(reference) is S.FROZEN
    assert "is withdrawn" in desk.slack("ana", f"unfreeze {reference} withdraw")
    carried_out(desk, reference)
    assert not account(desk)["restricted"]
    assert (desk.row(reference).look_at, desk.row(reference).address_enc) == (None, None)


def test_not_me_that_was_pressed_in_error_goes_on_by_a_fresh_proof(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    assert not_me(desk, reference)
    assert "fresh code" in desk.slack("ana", f"unfreeze {reference} continue")
    with desk.desk.db.write() as conn:
        commands.verified(desk.desk, conn, reference, by="code")
    done(desk, reference)
    assert account(desk)["restricted"]
    desk.ahead += timedelta(days=31)
    assert due(desk) == [reference]


def test_not_me_has_nothing_to_stop_once_the_lift_is_announced_or_nothing_stands(desk: Office) -> None:
    lifted = done(desk, desk.proved(Right.RESTRICTION))
    desk.slack("ana", f"lift {lifted}")
    erased = done(desk, desk.proved(Right.ERASURE))
    for reference in (lifted, erased):
        assert not not_me(desk, reference)
        assert desk.status(reference) is S.COMPLETED


def test_the_sweep_finds_a_lift_that_nobody_carried_out(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    desk.slack("ana", f"lift {reference}")
    woken: list[str] = []
    monkeypatch.setattr(type(desk.desk.tasks), "advance", lambda _, conn, ref, **more: woken.append(ref))
    desk.ahead += NOTICE
    sweep.once(desk.desk)
    assert woken == [reference]


def test_only_what_stands_can_be_lifted_and_once(desk: Office) -> None:
    erasure = desk.proved(Right.ERASURE)
    assert "no restriction of it stands" in desk.slack("ana", f"lift {erasure}")
    assert "say `/privacy lift REF`" in desk.slack("ana", "lift")
    under_way = desk.proved(Right.RESTRICTION)
    assert "no restriction of it stands" in desk.slack("ana", f"lift {under_way}")
    done(desk, under_way)
    with desk.desk.db.read() as conn:
        assert standing.steps(conn, under_way)
    code, said = desk.run("lift", under_way, "--as", "ana")
    assert code == 0
    assert "the person is told now" in said
    assert "no restriction of it stands" in desk.slack("dan", f"lift {under_way}")
