"""Erased stays erased: a vendor that synchronises again, and a new account, find the ledger awake."""

from __future__ import annotations

import time

import pytest
from sqlalchemy.exc import OperationalError

from dsr import commands, ledger
from dsr.messages import ContactChanged
from dsr.model import RequestStatus
from tests.ledger_home import OWN, Home, home
from tests.twins import MARIA
from workflows import request, returned

__all__ = ["home"]  # the fixture


def test_the_ledger_is_written_before_the_first_destructive_call(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    hash_ = home.desk.vault.hash("address", MARIA)
    for processor in home.worker.connections.processors.values():
        true = processor.erase
        monkeypatch.setattr(
            processor, "erase", lambda i, true=true: seen.append(ledger.knows(home.desk, hash_)) or true(i)
        )
    reference = home.erase()
    assert len(seen) >= 2
    assert all(seen)
    assert ledger.entries(home.desk) == {hash_: reference}
    assert MARIA.encode() not in (home.folder / "elsewhere" / "ledger.sqlite").read_bytes()


def test_nothing_is_erased_while_the_ledger_does_not_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    reference = home.ask()
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "remember", broken)
        request.advance(home.worker, reference)
        request.advance(home.worker, reference)
    assert home.held("intercom")
    assert home.held("own_database")
    home.carry_out(reference)
    assert not home.held("own_database")


def test_a_contact_that_a_vendor_synchronises_again_is_erased_again(home: Home) -> None:
    home.erase()
    assert not home.held("intercom")
    assert home.comes_back() == 200
    home.handle_news()
    old, new = home.erasures()
    assert (new.status, new.verified_by, new.opened_by) == ("in_progress", "ledger", "processor:intercom")
    home.carry_out(new.reference)
    assert not home.held("intercom")
    (text,) = home.alarms()
    assert new.reference in text
    assert old.reference not in text


def test_news_of_a_contact_opens_one_erasure_however_often_it_comes(home: Home) -> None:
    home.erase()
    home.comes_back()
    home.comes_back()
    home.handle_news()
    assert len(home.erasures()) == 2
    assert len(home.alarms()) == 1


def test_the_late_echo_of_our_own_erasure_opens_nothing(home: Home) -> None:
    home.erase()
    time.sleep(0.1)  # Intercom finds a deleted contact for a while
    assert returned.still_held(home.worker, ContactChanged("e1", "intercom", MARIA)) is None


def test_news_of_somebody_who_was_never_erased_opens_nothing(home: Home) -> None:
    home.comes_back()
    home.handle_news()
    assert home.erasures() == []
    assert returned.look(home.worker) == []


def test_who_has_opened_an_account_again_is_left_to_an_agent_and_may_stay(home: Home) -> None:
    home.back_up(OWN)
    home.erase()
    home.restore(OWN)  # stands for a new account: the desk remembers the erasure
    home.comes_back()
    news = ContactChanged("e2", "intercom", MARIA)
    assert returned.still_held(home.worker, news) is False
    (reference,) = returned.look(home.worker)
    assert home.status(reference) is RequestStatus.WAITING_FOR_AGENT
    request.advance(home.worker, reference)
    assert home.held("own_database")
    with home.desk.db.write() as conn:
        commands.withdraw(home.desk, conn, "agent:U1", reference, "she came back")
    assert returned.look(home.worker) == []
    assert home.held("own_database")


def let_stay(home: Home, reference: str) -> None:
    with home.desk.db.write() as conn:
        commands.withdraw(home.desk, conn, "agent:U1", reference, "she came back")


def test_that_a_person_may_stay_holds_until_they_are_erased_at_their_own_wish_once_more(home: Home) -> None:
    home.back_up(OWN)
    home.erase()
    home.restore(OWN)  # stands for a new account
    (asked,) = returned.look(home.worker)
    let_stay(home, asked)
    home.comes_back()
    home.handle_news()
    assert len(home.erasures()) == 2, "she may stay everywhere"
    home.erase()
    assert not home.held("intercom")
    home.comes_back()
    home.handle_news()
    again = home.erasures()[-1]
    assert (again.status, again.opened_by) == ("in_progress", "processor:intercom")


def test_a_question_that_the_persons_own_erasure_has_answered_lets_nobody_stay(home: Home) -> None:
    home.back_up(OWN)
    home.erase()
    home.restore(OWN)
    (asked,) = returned.look(home.worker)
    home.erase()  # she asks herself, while the agents still wonder
    let_stay(home, asked)  # the agent tidies up
    home.comes_back()
    home.handle_news()
    assert home.erasures()[-1].opened_by == "processor:intercom"
    assert home.status(home.erasures()[-1].reference) is RequestStatus.IN_PROGRESS
