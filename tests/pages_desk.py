"""The real app on an empty SQLite file, without vendors and without a worker, for the tests of the pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from dsr import commands, export, links, requests, suppression
from dsr.desk import Desk
from dsr.letters.certificate import Certificate
from dsr.model import RequestStatus, Right
from dsr.store import tables
from dsr.store.migrate import upgrade
from dsr.store.tables import outgoing

MARIA = "maria.pop@example.com"
CODE = re.compile(r"^([0-9A-Z]{4}-[0-9A-Z]{4})$", re.MULTILINE)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class World:
    """The app, and what a test does behind its back."""

    app: Flask
    desk: Desk
    clock: Clock
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def path(self, url: str) -> str:
        return url.removeprefix(self.desk.settings.base_url)

    def request(self, right: Right, address: str = MARIA, *, language: str = "en", channel: str = "agent") -> str:
        """A request that waits for proof."""
        with self.desk.db.write() as conn:
            return requests.open_request(
                self.desk,
                conn,
                right,
                address,
                received_at=self.clock(),
                channel=channel,
                status=RequestStatus.IDENTITY_PENDING,
                opened_by="agent:U1",
                language=language,
            )

    def verified(self, right: Right, **more: Any) -> str:
        reference = self.request(right, **more)
        with self.desk.db.write() as conn:
            commands.verified(self.desk, conn, reference, by="code")
        return reference

    def link(self, kind: links.Kind, reference: str | None = None, **more: Any) -> str:
        with self.desk.db.write() as conn:
            more = {"lifetime": timedelta(days=7), "reference": reference, **more}
            return self.path(links.make(self.desk, conn, kind, **more))

    def unsubscribe_path(self, address: str = MARIA, list_name: str = "*") -> str:
        return "/unsubscribe/" + suppression.token(self.desk, address, list_name)

    def package(self, reference: str, *, word: str = "") -> str:
        """A package of a request, and the path of its link."""
        with self.desk.db.read() as conn:
            request = requests.get(self.desk, conn, reference)
        row = request.row
        sheet = Certificate(reference, request.right, row.received_at, None, None, row.due_at, True, (), "", "", "")
        path = export.write(self.desk, request, sheet)
        with self.desk.db.write() as conn:
            export.register(self.desk, conn, request, path)
        return self.link("download", reference, word=word)

    def move(self, reference: str, *statuses: RequestStatus) -> None:
        with self.desk.db.write() as conn:
            for status in statuses:
                requests.move(self.desk, conn, reference, status, who="desk", why="test")

    def row(self, reference: str) -> sa.Row[Any]:
        with self.desk.db.read() as conn:
            return conn.execute(sa.select(tables.requests).where(tables.requests.c.reference == reference)).one()

    def status(self, reference: str) -> str:
        return str(self.row(reference).status)

    def mails(self, address: str = MARIA) -> list[dict[str, Any]]:
        """Mails that wait to be sent, oldest first."""
        with self.desk.db.read() as conn:
            rows = conn.execute(sa.select(outgoing).where(outgoing.c.kind == "mail").order_by(outgoing.c.id)).all()
            found = [self.desk.vault.open(conn, row.key_id, row.body_enc) for row in rows]
        return [mail for mail in found if mail["to"] == address]

    def code(self) -> str:
        """The code of the latest code mail to Maria."""
        return [m[1] for mail in self.mails() if (m := CODE.search(mail["text"]))][-1]

    def wrong_code(self) -> str:
        """A code that looks right and is not the one that was mailed last."""
        return next(code for code in ("2345-6789", "9876-5432") if code != self.code())

    def dump(self) -> str:
        """Every row of every table, ours and the engine's."""
        with self.desk.db.read() as conn:
            names = conn.execute(sa.text("select name from sqlite_master where type = 'table' order by name")).scalars()
            rows = {name: sorted(map(repr, conn.execute(sa.text(f'select * from "{name}"')))) for name in names}
        return repr(rows)


def make_world(folder: Path, **variables: str) -> World:
    env = {
        "SECRET_KEY": "s" * 40,
        "HASH_KEY": "h" * 40,
        "AUDIT_KEY": "a" * 40,
        "DATA_KEYS": Fernet.generate_key().decode(),
        "BASE_URL": "https://privacy.example.com",
        "DATABASE_URL": f"sqlite:///{folder / 'desk.sqlite'}",
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}",
        "PACKAGE_FOLDER": str(folder / "packages"),
        "LOG_LEVEL": "ERROR",
        **variables,
    }
    app = create_app(env)
    assert not app.extensions["problems"], app.extensions["problems"]
    clock = Clock()
    desk: Desk = app.extensions["desk"]
    object.__setattr__(desk, "now", clock)
    object.__setattr__(desk.vault, "_now", clock)
    upgrade(desk.db.engine)
    return World(app, desk, clock)
