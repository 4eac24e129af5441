"""Check the rows of the audit fast: plain tuples from the driver, hashes without detours, several processes if it pays.

What is checked stands in `dsr.audit`; here is only its hot loop. A row costs four hashes; what is saved is all around
them: no ORM rows, no dates parsed, the canonical bytes written directly (a test holds them equal to `audit.canonical`),
HMAC from prepared states (RFC 2104), which OpenSSL 3 makes three times as fast as its one-shot call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from json.encoder import encode_basestring_ascii as quoted
from multiprocessing import get_context
from typing import Any

import sqlalchemy as sa

from dsr.store.database import make_engine

Row = tuple[Any, ...]  # seq, at, who, what, reference, why, details, prev_hash, commitment, hash
Found = tuple[int, tuple[int, str] | None]  # good rows, and the first bad one: its number and what is wrong

SEVERAL = 100_000  # rows from which a second process pays: it takes about a second to start
BATCH = 5000
_IPAD, _OPAD = (bytes(b ^ pad for b in range(256)) for pad in (0x36, 0x5C))
_REST_I, _REST_O = b"\x36" * 32, b"\x5c" * 32  # of a key of 32 bytes in a block of 64

_ROWS = "SELECT seq, {at}, who, what, reference, why, details, prev_hash, commitment, hash FROM audit"
_AT = {"sqlite": "at", "postgresql": "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"}


def hmac_sha256(key: bytes) -> Callable[[bytes], Any]:
    """HMAC-SHA256 under a key of 32 bytes, as a function from message to hash object."""
    inner, outer = sha256(key.translate(_IPAD) + _REST_I), sha256(key.translate(_OPAD) + _REST_O)

    def of(message: bytes) -> Any:
        i = inner.copy()
        i.update(message)
        o = outer.copy()
        o.update(i.digest())
        return o

    return of


def canonical(row: Row) -> bytes:
    """The bytes that a row's commitment covers, from what the driver gives.

    Raises:
        TypeError, ValueError: no such row can have been written.
    """
    seq, at, who, what, reference, why, details = row[:7]
    if len(at) != 26 or at[10] != " " or type(seq) is not int:
        raise ValueError("not as we write it")
    moment = f"{at[:10]}T{at[11:19]}{'' if at[19:] == '.000000' else at[19:]}+00:00"
    named = "null" if reference is None else quoted(reference)
    return (f'[{seq}, "{moment}", {quoted(who)}, {quoted(what)}, {named}, {quoted(why)}, {quoted(details)}]').encode()


def scan(rows: Iterable[Row], salts: bytes, links: bytes, last: int, before: str) -> Found:
    """Check each row against its commitment, and the chain.

    Args:
        salts, links: keys of `audit.Chain`.
        last, before: number and hash of the row before the first.
    """
    good, salt, link = 0, hmac_sha256(salts), hmac_sha256(links)
    for row in rows:
        seq, _, _, _, _, _, _, prev_hash, commitment, hash_ = row
        if seq != last + 1:
            return good, (seq, f"follows row {last}: rows are missing" if seq > last else "stands before the first row")
        if prev_hash != before:
            return good, (seq, "does not follow the row before it (deleted, inserted, reordered or cut)")
        try:
            key = salt(b"%d" % seq).digest()
            inner = sha256(key.translate(_IPAD) + _REST_I + canonical(row)).digest()
            made = sha256(key.translate(_OPAD) + _REST_O + inner).hexdigest()
        except (TypeError, ValueError):
            made = ""
        if commitment != made:
            return good, (seq, "is not what was written")
        if hash_ != link(f"{before}{commitment}".encode()).hexdigest():
            return good, (seq, "has a hash that was made without the key")
        before, last, good = hash_, seq, good + 1
    return good, None


def fetch(conn: sa.Connection, columns: str, after: int, upto: int) -> Iterator[Row]:
    """Rows of the audit in order, as plain tuples, without holding them all.

    Args:
        columns: the beginning of the query.
        after, upto: bounds of `seq`, the first exclusive.
    """
    raw: Any = conn.connection
    with closing(raw.cursor(name="audit") if conn.dialect.name == "postgresql" else raw.cursor()) as cursor:
        cursor.execute(f"{columns} WHERE seq > {int(after)} AND seq <= {int(upto)} ORDER BY seq")
        while batch := cursor.fetchmany(BATCH):
            yield from batch


def rows_of(conn: sa.Connection, after: int, upto: int) -> Iterator[Row]:
    return fetch(conn, _ROWS.format(at=_AT[conn.dialect.name]), after, upto)


def scan_range(url: str, salts: bytes, links: bytes, after: int, upto: int, before: str) -> Found:
    """`scan` of a part, in a process of its own."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect().execution_options(reading=True) as conn:
            return scan(rows_of(conn, after, upto), salts, links, after, before)
    finally:
        engine.dispose()


def scan_all(engine: sa.Engine, salts: bytes, links: bytes, start: str, several: int) -> Callable[[], Found]:
    """`scan` of the whole audit; with several processes it is under way when this returns.

    Args:
        start: what the first row follows.
        several: rows from which the work is shared by several processes.

    Returns:
        a function that waits for the result.
    """
    with engine.connect().execution_options(reading=True) as conn:
        first, newest, count = conn.exec_driver_sql("SELECT min(seq), max(seq), count(*) FROM audit").one()
        cores = min(4, os.cpu_count() or 1)
        if not count:
            return lambda: (0, None)
        if count < several or cores == 1 or first != 1 or newest != count:
            return lambda: _scan_here(engine, salts, links, first - 1, newest, start)
        bounds = [count * i // cores for i in range(cores + 1)]
        # Our own integers, and as many as cores: nothing from outside gets into the statement.
        edges = ",".join(map(str, bounds[1:-1]))
        found = conn.exec_driver_sql(f"SELECT seq, hash FROM audit WHERE seq IN ({edges})")  # noqa: S608
        hashes = {0: start, **{row.seq: row.hash for row in found}}
    url = engine.url.render_as_string(hide_password=False)
    pool = ProcessPoolExecutor(cores, mp_context=get_context("spawn"))
    parts = [pool.submit(scan_range, url, salts, links, a, b, hashes[a]) for a, b in pairwise(bounds)]
    return lambda: _together(pool, parts)


def _scan_here(engine: sa.Engine, salts: bytes, links: bytes, after: int, upto: int, start: str) -> Found:
    with engine.connect().execution_options(reading=True) as conn:
        return scan(rows_of(conn, after, upto), salts, links, 0, start)


def _together(pool: ProcessPoolExecutor, parts: list[Future[Found]]) -> Found:
    good = 0
    with pool:
        for part in parts:
            more, fault = part.result()
            good += more
            if fault:
                return good, fault
    return good, None
