"""The demo's IntelliMails database: a small SQLite file with accounts, profiles, logs, campaigns and invoices.

Not a vendor's API: the processor opens the file by SQL. The twin makes and fills it, and shows what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import Blueprint

from dsr.store.database import make_engine
from integrations.twin import Person, Twin

_SCHEMA = {
    "accounts": "id TEXT PRIMARY KEY, email TEXT, username TEXT, full_name TEXT, password_hash TEXT, address TEXT,"
    " company TEXT, flags TEXT, marketing_opt_out BOOLEAN, restricted BOOLEAN, created_at TEXT",
    "profiles": "account_id TEXT, phone TEXT, language TEXT, timezone TEXT, preferences TEXT, avatar_url TEXT",
    "log_entries": "account_id TEXT, at TEXT, ip TEXT, user_agent TEXT, url TEXT, event TEXT",
    "campaigns": "account_id TEXT, name TEXT, subject TEXT, body TEXT, created_at TEXT",
    "subscribers": "id TEXT PRIMARY KEY, account_id TEXT, email TEXT, name TEXT, suppressed BOOLEAN",
    "invoices": "account_id TEXT, number TEXT, issued_on TEXT, amount TEXT, currency TEXT, billing_name TEXT,"
    " billing_email TEXT",
    "external_ids": "account_id TEXT, vendor TEXT, kind TEXT, value TEXT",
}
_KEYED = ("account_id", "email")


class OwnDatabaseTwin(Twin):
    """Makes the database that `OWN_DATABASE_URL` names."""

    name: ClassVar[str] = "own_database"
    variables: ClassVar[Mapping[str, str]] = {
        "OWN_DATABASE_URL": "sqlite:///{folder}/intellimails.sqlite",
    }

    def routes(self, api: Blueprint) -> None:
        """There is no API: the processor speaks SQL."""

    def seed(self, people: Iterable[Person]) -> None:
        everyone = list(people)
        with self._engine().begin() as conn:
            for table, columns in _SCHEMA.items():
                conn.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
                conn.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
                for key in _KEYED:
                    if f" {key} " in f" {columns}":
                        conn.exec_driver_sql(f"CREATE INDEX {table}_{key} ON {table}({key})")
            rows: dict[str, list[dict[str, Any]]] = {table: [] for table in _SCHEMA}
            for person in everyone:
                _person(rows, person)
            for table, found in rows.items():
                if found:
                    conn.execute(sa.table(table, *map(sa.column, found[0])).insert(), found)

    def state(self) -> dict[str, Any]:
        with self._engine().connect().execution_options(reading=True) as conn:
            return {
                table: [dict(row._mapping) for row in conn.execute(sa.text(f"SELECT * FROM {table}"))]  # noqa: S608
                for table in _SCHEMA
            }

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "a database is no conversation platform"}

    def _engine(self) -> sa.Engine:
        return make_engine(self.world.env["OWN_DATABASE_URL"], pool_size=2)


def _person(rows: dict[str, list[dict[str, Any]]], person: Person) -> None:
    id, number = person.account_id, int("".join(c for c in person.account_id if c.isdigit()) or 0)
    rows["accounts"].append(
        {
            "id": id, "email": person.email, "username": person.email.partition("@")[0], "full_name": person.name,
            "password_hash": "argon2id$demo", "address": f"Strada Lunga {number % 90 + 1}, Cluj-Napoca",
            "company": person.company, "flags": "", "marketing_opt_out": False, "restricted": False,
            "created_at": f"2024-0{number % 9 + 1}-11T09:00:00Z",
        }
    )  # fmt: skip
    rows["profiles"].append(
        {
            "account_id": id, "phone": f"+40 7{number:08d}", "language": person.language,
            "timezone": "Europe/Bucharest",
            "preferences": f'{{"born": "{person.born}"}}' if person.born else "{}",
            "avatar_url": f"https://cdn.example.com/{id}.png",
        }
    )  # fmt: skip
    for n in range(12 if person.at > {"intercom", "paddle"} else 2):
        rows["log_entries"].append(
            {
                "account_id": id, "at": f"2026-1{n % 2}-{n + 1:02d}T08:15:00Z", "ip": f"203.0.113.{number % 250}",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "url": "https://app.intellimails.com/campaigns",
                "event": "view",
            }
        )  # fmt: skip
    rows["campaigns"].append(
        {
            "account_id": id, "name": "Autumn offer", "subject": f"News from {person.company or person.name}",
            "body": f"<p>Hello from {person.name}</p>", "created_at": "2026-09-01T10:00:00Z",
        }
    )  # fmt: skip
    for n in range(2):
        rows["subscribers"].append(
            {
                "id": f"sub-{id}-{n}", "account_id": id, "email": f"reader{n}.{number}@example.net",
                "name": f"Reader {n}", "suppressed": False,
            }
        )  # fmt: skip
    if "paddle" in person.at:
        rows["invoices"].append(
            {
                "account_id": id, "number": f"IM-2026-{number}", "issued_on": "2026-10-01", "amount": "29.00",
                "currency": "EUR", "billing_name": "Customer of Paddle", "billing_email": None,
            }
        )  # fmt: skip
