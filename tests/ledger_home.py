"""A desk on SQLite with the twins of Intercom and of the company's database, and back-ups of both; no engine runs."""

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

from app import create_app
from dsr import commands, requests
from dsr.desk import Desk, utc_now
from dsr.model import Identities, RequestStatus, Right
from dsr.store.migrate import upgrade
from dsr.store.tables import messages, outgoing
from dsr.store.tables import requests as requests_table
from integrations.intercom import twin_shapes
from integrations.intercom.twin import IntercomTwin
from integrations.own_database.twin import OwnDatabaseTwin
from integrations.twin import serve
from tests.house import free_ports
from tests.twins import MARIA, Served, people, serving
from workflows import message, request
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

    def ask(self, address: str = MARIA) -> str:
        """Somebody wants to be erased, and is proved; returns the reference."""
        with self.desk.db.write() as conn:
            reference = requests.open_request(
                self.desk,
                conn,
                Right.ERASURE,
                address,
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
