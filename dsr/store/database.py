"""Connections: one engine for SQLite (WAL, synchronous=FULL) and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event


def make_engine(url: str, *, pool_size: int = 20) -> sa.Engine:
    """An engine whose commits survive kill -9, and whose errors hold no row's values: errors are logged.

    Args:
        url: `sqlite:///path` or `postgresql+psycopg://…`.
    """
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_size=pool_size, max_overflow=10, pool_pre_ping=True, hide_parameters=True)
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, pool_size=pool_size, max_overflow=50, connect_args={"timeout": 30}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a commit is on the disk before it is acknowledged
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, in the file and in freed pages

    @event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        # A transaction that will write takes the lock at once: SQLite cannot upgrade a reader without a dead-lock.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


class Database:
    """Reads and writes, each in one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block and rolls back on an error."""
        with self.engine.begin() as conn:
            last: list[Callable[[sa.Connection], None]] = []
            conn.execution_options(before_commit=last)
            yield conn
            for act in last:
                act(conn)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; on SQLite it does not wait for writers."""
        with self.engine.connect().execution_options(reading=True) as conn:
            yield conn

    def checkpoint(self) -> None:
        """Move SQLite's log into its file and empty it, so that what was deleted is not in the log either.

        Somebody who reads for longer than a second puts it off until the next time.
        """
        if self.sqlite:
            raw = self.engine.raw_connection()  # a checkpoint is made outside of transactions
            try:
                for pragma in ("busy_timeout=1000", "wal_checkpoint(TRUNCATE)", "busy_timeout=30000"):
                    raw.cursor().execute(f"PRAGMA {pragma}").fetchall()
            finally:
                raw.close()

    @property
    def sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def before_commit(conn: sa.Connection, act: Callable[[sa.Connection], None]) -> None:
    """Do something as the last thing in the transaction of a `write` block; an error rolls everything back."""
    conn.get_execution_options()["before_commit"].append(act)


@contextmanager
def attempt(conn: sa.Connection) -> Iterator[None]:
    """A part of a `write` block that an error undoes by itself, with what it had put off to the end."""
    last = conn.get_execution_options().get("before_commit", [])  # nothing is put off where one only reads
    before = len(last)
    try:
        with conn.begin_nested():
            yield
    except BaseException:
        del last[before:]
        raise
