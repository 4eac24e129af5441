"""Erased stays erased: a back-up that is put back, and a vendor that synchronises again, find the ledger awake.

A real desk on SQLite with the twins of Intercom and of the company's database; no engine runs, the test calls the
workflows' own functions.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask
from sqlalchemy.exc import OperationalError

from app import create_app
from dsr import commands, ledger, requests
from dsr.desk import Desk, utc_now
from dsr.errors import VendorUnavailable
from dsr.messages import ContactChanged
from dsr.model import Identities, RequestStatus, Right
from dsr.store.migrate import upgrade
from dsr.store.tables import messages, outgoing
from dsr.store.tables import requests as requests_table
from integrations.intercom import twin_shapes
from integrations.intercom.twin import IntercomTwin
from integrations.own_database.processor import OwnDatabaseProcessor
from integrations.own_database.twin import OwnDatabaseTwin
from integrations.twin import serve
from tests.house import free_ports
from tests.twins import MARIA, Served, people, serving
from workflows import message, request, returned
from workflows.context import Worker

ENDED = (RequestStatus.COMPLETED, RequestStatus.PARTIALLY_COMPLETED)


@dataclass
class Home:
    """A desk, the twins beside it, and a cupboard for back-ups."""

    folder: Path
    env: dict[str, str]
    served: Served
    app: Flask = field(init=False)
    desk: Desk = field(init=False)
    worker: Worker = field(init=False)

    def start(self) -> None:
        self.app = create_app(self.env)
        assert not self.app.extensions["problems"], self.app.extensions["problems"]
        self.desk = self.app.extensions["desk"]
        upgrade(self.desk.db.engine)
        self.worker = Worker("test", self.desk, self.app.extensions["connections"])

    def stop(self) -> None:
        self.desk.tasks.close()
        self.desk.db.engine.dispose()

    def ask(self) -> str:
        """Maria wants to be erased, and is proved; returns the reference."""
        with self.desk.db.write() as conn:
            reference = requests.open_request(
                self.desk,
                conn,
                Right.ERASURE,
                MARIA,
                received_at=utc_now(),
                channel="agent",
                status=RequestStatus.IDENTITY_PENDING,
                opened_by="customer",
            )
            commands.verified(self.desk, conn, reference, by="code")
        return reference

    def erase(self) -> str:
        """The same, carried out."""
        reference = self.ask()
        self.carry_out(reference)
        return reference

    def carry_out(self, reference: str) -> None:
        until = time.monotonic() + 20
        while self.status(reference) not in ENDED:
            assert time.monotonic() < until, self.status(reference)
            request.advance(self.worker, reference)
            time.sleep(0.05)

    def status(self, reference: str) -> RequestStatus:
        with self.desk.db.read() as conn:
            return requests.get(self.desk, conn, reference).status

    def erasures(self) -> list[Any]:
        with self.desk.db.read() as conn:
            query = sa.select(requests_table).where(requests_table.c.right == "erasure")
            return list(conn.execute(query.order_by(requests_table.c.received_at)))

    def alarms(self) -> list[str]:
        """What the DPO reads."""
        with self.desk.db.read() as conn:
            rows = conn.execute(sa.select(outgoing).where(outgoing.c.key.like("alarm:%:mail"))).all()
            mails = [self.desk.vault.open(conn, row.key_id, row.body_enc) for row in rows]
        assert all(mail["to"] == self.desk.policy.dpo.email and MARIA not in mail["text"] for mail in mails)
        return [mail["text"] for mail in mails]

    def held(self, vendor: str) -> bool:
        return bool(self.worker.connections.processors[vendor].find(Identities.of_email(MARIA)).held)

    def comes_back(self) -> int:
        """The CRM is synchronised again: a contact is made, and the twin says so, signed; the app's HTTP status."""
        twin = self.served.twin(IntercomTwin)
        contact = twin.new_contact(MARIA, "Maria Pop", "user")
        return twin.notify("contact.created", twin_shapes.contact_json(contact, twin.records["tags"]))

    def handle_news(self) -> None:
        with self.desk.db.read() as conn:
            waiting = conn.execute(sa.select(messages.c.id).where(messages.c.handled_at.is_(None))).scalars().all()
        for id in waiting:
            message.handle(self.worker, id)

    def back_up(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.backup").unlink(missing_ok=True)
            with sqlite3.connect(self.folder / name) as source, sqlite3.connect(self.folder / f"{name}.backup") as to:
                source.backup(to)

    def restore(self, *names: str) -> None:
        """Put the copies over what is there now, and start again."""
        self.stop()
        for name in names:
            with sqlite3.connect(self.folder / f"{name}.backup") as source, sqlite3.connect(self.folder / name) as to:
                source.backup(to)
        self.start()


DESK, OWN = "desk.sqlite", "own.sqlite"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    port = free_ports()
    env = {
        "SECRET_KEY": "s" * 40,
        "HASH_KEY": "h" * 40,
        "AUDIT_KEY": "a" * 40,
        "DATA_KEYS": Fernet.generate_key().decode(),
        "BASE_URL": "https://privacy.example.com",
        "DATABASE_URL": f"sqlite:///{tmp_path / DESK}",
        "LEDGER_URL": f"sqlite:///{tmp_path / 'elsewhere' / 'ledger.sqlite'}",
        "OWN_DATABASE_URL": f"sqlite:///{tmp_path / OWN}",
        "PACKAGE_FOLDER": str(tmp_path / "packages"),
        "COOLING_OFF": "0s",
        "VENDOR_DAY": "0.01s",
        "RETRY_BASE": "0.1s",
        "LOG_LEVEL": "CRITICAL",
        "INTERCOM_ACCESS_TOKEN": "dG9rOnRlc3Q",
        "INTERCOM_CLIENT_SECRET": "intercom-test-secret",
        "INTERCOM_ADMIN_ID": "7000",
    }
    seeded = people("intercom", "own_database")
    app_url = f"http://127.0.0.1:{port}"
    with serving(IntercomTwin, OwnDatabaseTwin, env=env, persons=seeded, app_url=app_url, day=0.01) as served:
        made = Home(tmp_path, env | {"INTERCOM_API_URL": served.url("intercom")}, served)
        made.start()
        stop_web = serve(made.app, port)
        yield made
        stop_web()
        made.stop()


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
