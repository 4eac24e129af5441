"""A real desk on SQLite with the twins of Intercom and the company's database, and a clock that the test moves.

No engine runs: the test calls the workflows' own functions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet
from flask import Flask

from app import create_app
from dsr import agents, commands, receipts, requests
from dsr.desk import Desk, utc_now
from dsr.model import Identities, RequestStatus, Right
from dsr.store.migrate import upgrade
from dsr.store.tables import audit, outgoing
from integrations.intercom.twin import IntercomTwin
from integrations.own_database.twin import OwnDatabaseTwin
from tests.twins import MARIA, Served, people, serving
from workflows import request
from workflows.context import Worker

S = RequestStatus


@dataclass
class Office:
    """The desk, its twins, and what a test does there.

    Args:
        ahead: how far the desk's clock is in front of ours.
    """

    app: Flask
    desk: Desk
    worker: Worker
    served: Served
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return utc_now() + self.ahead

    def proved(self, right: Right, address: str = MARIA, **more: Any) -> str:
        """Somebody asks for a right and is proved; returns the reference."""
        with self.desk.db.write() as conn:
            reference = requests.open_request(
                self.desk,
                conn,
                right,
                address,
                received_at=self.now(),
                channel="agent",
                status=S.IDENTITY_PENDING,
                opened_by="customer",
                **more,
            )
            commands.verified(self.desk, conn, reference, by="code")
        return reference

    def slack(self, agent: str, text: str) -> str:
        with self.desk.db.write() as conn:
            return agents.answer(self.desk, conn, agent, text)

    def run(self, *words: str) -> tuple[int, str]:
        result = self.app.test_cli_runner().invoke(args=["dsr", *words])
        return result.exit_code, result.output

    def advance(self, reference: str, *until: RequestStatus) -> None:
        """Carry out until the request has one of these states."""
        end = time.monotonic() + 20
        while self.status(reference) not in until:
            assert time.monotonic() < end, self.status(reference)
            request.advance(self.worker, reference)
            time.sleep(0.02)

    def settle(self, reference: str) -> None:
        """Carry out until no automated step is open."""
        end = time.monotonic() + 20
        while True:
            request.advance(self.worker, reference)
            with self.desk.db.read() as conn:
                steps = receipts.steps(self.desk, conn, reference)
            if steps and all(step.settled for step in steps):
                request.advance(self.worker, reference)
                return
            assert time.monotonic() < end, [s for s in steps if not s.settled]
            time.sleep(0.02)

    def row(self, reference: str) -> sa.Row[Any]:
        with self.desk.db.read() as conn:
            return requests.get(self.desk, conn, reference).row

    def status(self, reference: str) -> RequestStatus:
        return S(self.row(reference).status)

    def receipt(self, reference: str, processor: str, operation: str = "erase") -> sa.Row[Any]:
        with self.desk.db.read() as conn:
            return next(
                row
                for row in receipts.rows(conn, reference)
                if (row.processor, row.operation) == (processor, operation)
            )

    def held(self, vendor: str, address: str = MARIA) -> dict[str, int]:
        return dict(self.worker.connections.processors[vendor].find(Identities.of_email(address)).held)

    def mails(self, to: str = MARIA, containing: str = "") -> list[dict[str, Any]]:
        """What waits to be mailed, oldest first."""
        with self.desk.db.read() as conn:
            rows = conn.execute(sa.select(outgoing).where(outgoing.c.kind == "mail").order_by(outgoing.c.id)).all()
            found = [self.desk.vault.open(conn, row.key_id, row.body_enc) for row in rows]
        return [m for m in found if m["to"] == to and containing in m["subject"] + m["text"]]

    def audited(self, reference: str) -> list[str]:
        with self.desk.db.read() as conn:
            rows = conn.execute(sa.select(audit.c.what).where(audit.c.reference == reference).order_by(audit.c.seq))
            return list(rows.scalars())


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    env = {
        "SECRET_KEY": "s" * 40,
        "HASH_KEY": "h" * 40,
        "AUDIT_KEY": "a" * 40,
        "DATA_KEYS": Fernet.generate_key().decode(),
        "BASE_URL": "https://privacy.example.com",
        "DATABASE_URL": f"sqlite:///{folder / 'desk.sqlite'}",
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.sqlite'}",
        "OWN_DATABASE_URL": f"sqlite:///{folder / 'own.sqlite'}",
        "PACKAGE_FOLDER": str(folder / "packages"),
        "COOLING_OFF": "0s",
        "VENDOR_DAY": "0.01s",
        "RETRY_BASE": "0.1s",
        "LOG_LEVEL": "CRITICAL",
        "INTERCOM_ACCESS_TOKEN": "dG9rOnRlc3Q",
        "INTERCOM_CLIENT_SECRET": "intercom-test-secret",
        "INTERCOM_ADMIN_ID": "7000",
    }
    with serving(
        IntercomTwin, OwnDatabaseTwin, env=env, persons=people("intercom", "own_database"), day=0.01
    ) as served:
        app = create_app(env | {"INTERCOM_API_URL": served.url("intercom")})
        assert not app.extensions["problems"], app.extensions["problems"]
        desk: Desk = app.extensions["desk"]
        upgrade(desk.db.engine)
        made = Office(app, desk, Worker("test", desk, app.extensions["connections"]), served)
        object.__setattr__(desk, "now", made.now)
        yield made
        desk.tasks.close()
        desk.db.engine.dispose()
