"""Erased stays erased: a back-up of the desk, or of the company's database, that is put back finds the ledger awake."""

from __future__ import annotations

from typing import Any

import pytest

from dsr import ledger, own_data, requests
from dsr.desk import utc_now
from dsr.errors import VendorUnavailable
from dsr.model import RequestStatus, Right
from integrations.own_database.processor import OwnDatabaseProcessor
from tests.ledger_home import DESK, OWN, Home, home
from workflows import request, returned

__all__ = ["home"]  # the fixture


def test_a_restored_back_up_erases_again_and_tells_the_dpo(home: Home) -> None:
    home.back_up(DESK, OWN)
    first = home.erase()
    assert not home.held("own_database")
    home.restore(DESK, OWN)
    assert home.held("own_database")
    assert home.erasures() == []
    (again,) = returned.look(home.worker)
    row = home.erasures()[0]
    assert (row.reference, row.status, row.verified_by) == (again, "in_progress", "ledger")
    assert row.opened_by == "processor:own_database"
    home.carry_out(again)
    assert not home.held("own_database")
    (text,) = home.alarms()
    assert first in text
    assert again in text
    assert returned.look(home.worker) == []
    assert len(home.alarms()) == 1


def test_an_erasure_that_a_restored_back_up_still_knows_goes_on_by_itself(home: Home) -> None:
    reference = home.ask()
    home.back_up(DESK, OWN)
    home.carry_out(reference)
    home.restore(DESK, OWN)
    assert returned.look(home.worker) == []
    home.carry_out(reference)
    assert not home.held("own_database")
    assert home.alarms() == []


def test_an_account_opened_after_the_desk_alone_was_restored_is_left_to_an_agent(home: Home) -> None:
    home.back_up(DESK, OWN)
    first = home.erase()
    home.restore(DESK)
    assert returned.look(home.worker) == []
    (text,) = home.alarms()
    assert first in text
    assert returned.look(home.worker) == []
    assert len(home.alarms()) == 1
    home.restore(OWN)  # stands for an account that she opens months later
    (asked,) = returned.look(home.worker)
    assert home.status(asked) is RequestStatus.WAITING_FOR_AGENT
    request.advance(home.worker, asked)
    assert home.held("own_database")


def test_a_second_restored_back_up_is_told_as_well_and_names_only_what_it_has_forgotten(home: Home) -> None:
    ledger.remember(home.desk, "z" * 64, "PR-ZZZZZZ")  # the first one has forgotten this erasure
    returned.look(home.worker)
    home.back_up(DESK)
    second = home.erase()
    home.restore(DESK)
    returned.look(home.worker)
    one, two = home.alarms()
    assert "PR-ZZZZZZ" in one
    assert second in two
    assert "PR-ZZZZZZ" not in two


def test_a_look_that_could_not_read_the_accounts_has_dealt_with_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.back_up(DESK, OWN)
    home.erase()
    home.restore(DESK, OWN)

    def silent(_: object) -> list[str]:
        raise VendorUnavailable("own_database", "it does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(OwnDatabaseProcessor, "addresses", silent)
        returned.daily(home.worker)
    (again,) = returned.look(home.worker)
    assert home.status(again) is RequestStatus.IN_PROGRESS


CAROL = "chat.only@example.net"  # has no account


def carol_objected(home: Home) -> str:
    """A request that she withdrew long ago; its words are still there."""
    with home.desk.db.write() as conn:
        reference = requests.open_request(
            home.desk,
            conn,
            Right.OBJECTION,
            CAROL,
            received_at=utc_now(),
            channel="agent",
            status=RequestStatus.IDENTITY_PENDING,
            opened_by="customer",
            details={"why": "my own words"},
        )
        requests.move(home.desk, conn, reference, RequestStatus.WITHDRAWN, who="customer", why="changed her mind")
    return reference


def kept_of(home: Home, reference: str) -> tuple[str, dict[str, Any], str]:
    with home.desk.db.read() as conn:
        request_ = requests.get(home.desk, conn, reference)
        return request_.address, dict(request_.details), request_.row.address_masked


def test_a_restored_desk_erases_its_own_records_of_a_person_without_an_account(home: Home) -> None:
    old = carol_objected(home)
    home.back_up(DESK)
    first = home.ask(CAROL)
    home.carry_out(first)
    assert not kept_of(home, old)[1]
    home.restore(DESK)
    assert kept_of(home, old)[:2] == (CAROL, {"why": "my own words"})
    (again,) = returned.look(home.worker)
    assert kept_of(home, old) == ("", {}, "")
    (row,) = home.erasures()
    assert (row.reference, row.status, row.opened_by) == (again, "in_progress", "processor:privacy_desk")
    home.carry_out(again)
    (text,) = home.alarms()
    assert first in text
    assert again in text
    assert returned.look(home.worker) == []
    assert len(home.erasures()) == 1


def test_a_restored_desk_erases_its_own_records_even_where_no_address_can_be_read(home: Home) -> None:
    old = carol_objected(home)
    with home.desk.db.write() as conn:
        own_data.clear_requests(conn, [old], all_columns=False)  # its address went when it had ended
    home.back_up(DESK)
    home.carry_out(home.ask(CAROL))
    home.restore(DESK)
    assert kept_of(home, old)[1]
    assert returned.look(home.worker) == []
    assert kept_of(home, old) == ("", {}, "")
    assert len(home.alarms()) == 1


def test_a_restored_desk_leaves_the_erasure_to_an_agent_where_accounts_cannot_be_asked(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = carol_objected(home)
    home.back_up(DESK)
    home.carry_out(home.ask(CAROL))
    home.restore(DESK)
    processors = home.worker.connections.processors
    monkeypatch.setitem(processors, "own_database", processors["privacy_desk"])  # no database is connected
    (asked,) = returned.look(home.worker)
    assert home.status(asked) is RequestStatus.WAITING_FOR_AGENT
    assert kept_of(home, old) == ("", {}, "")
