"""Who did what, when, and why: a row for every change of state. Never a personal datum.

Each row carries a *commitment*, HMAC-SHA256 of its content under a salt of its own, and a *hash*, HMAC-SHA256 of the
hash before it and of that commitment. Salts and chain key are derived from AUDIT_KEY, so whoever has the database
alone can neither change a row and mend its commitment nor make the hash of another tail. What a chain cannot show,
that its end was cut off, shows against the anchor outside the database (`dsr.anchor`).

The anchor also keeps a *digest* that needs no key: SHA-256 folded over the commitments. So `prove` can show a
stranger the rows of one request: their content with their salts, and the bare commitments of their neighbours, which
say nothing without a salt. `script/check-proof` folds them up to a line of the anchor that the stranger trusts.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from hashlib import sha256
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from dsr import audit_scan
from dsr.desk import Desk
from dsr.store.database import before_commit
from dsr.store.tables import audit

COLUMNS = ("seq", "at", "who", "what", "reference", "why", "details")  # what a commitment covers, in this order
START = "0" * 64  # the digest before the first row
LOCK = 0x50524956  # of PostgreSQL's advisory locks: one writer at a time finds the head of the chain
a = audit.c


class Chain:
    """Args:
    key: AUDIT_KEY.
    """

    def __init__(self, key: str) -> None:
        self.salts = hmac.digest(key.encode(), b"audit salts", "sha256")
        self.links = hmac.digest(key.encode(), b"audit chain", "sha256")
        self.start = hmac.digest(self.links, b"", "sha256").hex()  # what the first row follows

    def salt(self, seq: int) -> bytes:
        return hmac.digest(self.salts, str(seq).encode(), "sha256")

    def commitment(self, row: Any) -> str:
        return hmac.digest(self.salt(row.seq), canonical(content(row)), "sha256").hex()

    def link(self, before: str, commitment: str) -> str:
        return hmac.digest(self.links, f"{before}{commitment}".encode(), "sha256").hex()


def chain_of(desk: Desk) -> Chain:
    return Chain(desk.settings.audit_key.get_secret_value())


def content(row: Any) -> list[Any]:
    return [row.seq, row.at.isoformat(), row.who, row.what, row.reference, row.why, row.details]


def canonical(values: Sequence[Any]) -> bytes:
    """The bytes that are committed to: JSON of the values in the order of `COLUMNS`."""
    return json.dumps(values).encode()


def fold(digest: str, commitment: str) -> str:
    """The digest after one more row; needs no key."""
    return sha256(f"{digest}{commitment}".encode()).hexdigest()


def record(
    desk: Desk,
    conn: sa.Connection,
    *,
    who: str,
    what: str,
    why: str,
    reference: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write one row in the transaction of the change itself.

    The row is linked last, just before the commit: on PostgreSQL the lock of the chain's head is then held for a
    moment only, and nobody who holds it waits for another lock (no dead-lock).

    Args:
        who: `customer`, `desk`, `agent:<id>`, or `processor:<name>`.
        what: dotted verb, e.g. `request.opened`.
        details: codes, counts and dates only.
    """
    values = {
        "at": desk.now().astimezone(UTC),
        "who": who,
        "what": what,
        "reference": reference,
        "why": why,
        "details": json.dumps(details or {}),
    }
    before_commit(conn, partial(_append, chain_of(desk), values))


def _append(chain: Chain, values: Mapping[str, Any], conn: sa.Connection) -> None:
    """Link a row to the head, as the head is: nothing that stands there already is ever signed.

    A head without a hash was written by nobody who has the key. Losing the act that is to be recorded would be worse
    than a break in the chain: the row follows the empty hash, `verify` names the first row that is not ours, and the
    next anchor alarms (`dsr.anchor`).
    """
    if conn.dialect.name == "postgresql":  # on SQLite a transaction that writes is alone anyhow
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    head = conn.execute(sa.select(a.seq, a.hash).order_by(a.seq.desc()).limit(1)).first()
    seq, before = (head.seq + 1, head.hash) if head else (1, chain.start)
    commitment = chain.commitment(SimpleNamespace(seq=seq, **values))
    links = {"prev_hash": before, "commitment": commitment, "hash": chain.link(before, commitment)}
    conn.execute(audit.insert(), {"seq": seq, **values, **links})


@dataclass(frozen=True)
class Fault:
    """Args:
    seq: the first row that is not as it was written.
    problem: what is wrong with it.
    """

    seq: int
    problem: str

    def __str__(self) -> str:
        return f"row {self.seq}: {self.problem}"


@dataclass(frozen=True)
class Anchor:
    """A line of the anchor: what the head of the chain was at a moment."""

    seq: int
    hash: str
    digest: str
    at: str

    def __str__(self) -> str:
        return f"{self.seq} {self.hash} {self.digest} {self.at}"


def verify(desk: Desk, anchors: Sequence[Anchor], *, several: int = audit_scan.SEVERAL) -> tuple[int, Fault | None]:
    """Check every row against its commitment, the chain, and the anchor.

    Args:
        several: rows from which the work is shared by several processes.

    Returns:
        how many rows were good, and the first fault.
    """
    chain = chain_of(desk)
    scanned = audit_scan.scan_all(desk.db.engine, chain.salts, chain.links, chain.start, several)
    unlike = _unlike(desk, anchors)  # meanwhile
    good, bad = scanned()
    if unlike and unlike.seq <= good:
        return unlike.seq - 1, unlike
    return good, Fault(*bad) if bad else _cut(anchors, good)


def _unlike(desk: Desk, anchors: Sequence[Anchor]) -> Fault | None:
    """The first row that is not the row that was anchored."""
    anchored: dict[int, list[Anchor]] = {}
    for one in anchors:
        anchored.setdefault(one.seq, []).append(one)
    digest, newest = START, max(anchored, default=0)
    with desk.db.read() as conn:
        for seq, hash_, commitment in audit_scan.fetch(conn, "SELECT seq, hash, commitment FROM audit", 0, newest):
            digest = sha256(f"{digest}{commitment}".encode()).hexdigest()  # `fold`, without a call
            for one in anchored.get(seq, ()):
                if (one.hash, one.digest) != (hash_, digest):
                    return Fault(seq, f"is not the row that was anchored on {one.at}")
    return None


def _cut(anchors: Sequence[Anchor], last: int) -> Fault | None:
    beyond = max((one for one in anchors if one.seq > last), key=lambda one: one.seq, default=None)
    if beyond is None:
        return None
    return Fault(last + 1, f"is missing, and all after it: row {beyond.seq} was anchored on {beyond.at}")


def prove(desk: Desk, reference: str, anchors: Sequence[Anchor]) -> dict[str, Any]:
    """Everything that shows a stranger who has a copy of the anchor what was recorded of a request, and only that.

    Returns:
        JSON-able: segments, each with the rows and salts, and the commitments from one anchored line to the next.
        Rows that no line covers yet are counted in `not_anchored`.
    """
    chain, segments, open_rows = chain_of(desk), [], 0
    with desk.db.read() as conn:
        rows = conn.execute(sa.select(audit).where(a.reference == reference).order_by(a.seq)).all()
        lines = [Anchor(0, "", START, ""), *_present(conn, anchors)]
        for start, end in pairwise(lines):
            within = [row for row in rows if start.seq < row.seq <= end.seq]
            if not within:
                continue
            between = sa.select(a.commitment).where(a.seq > start.seq, a.seq <= end.seq).order_by(a.seq)
            shown = [
                {**dict(zip(COLUMNS, content(row), strict=True)), "salt": chain.salt(row.seq).hex()} for row in within
            ]
            segments.append(
                {
                    "after": {"seq": start.seq, "digest": start.digest},
                    "commitments": list(conn.execute(between).scalars()),
                    "anchor": str(end),
                    "rows": shown,
                }
            )
        open_rows = sum(row.seq > lines[-1].seq for row in rows)
    return {"reference": reference, "segments": segments, "not_anchored": open_rows}


def _present(conn: sa.Connection, anchors: Sequence[Anchor]) -> list[Anchor]:
    """The lines that speak of the chain as it is, each row once, in order."""
    by_seq = {one.seq: one for one in anchors}
    hashes: dict[int, str] = {}
    numbers = sorted(by_seq)
    for i in range(0, len(numbers), 500):
        found = conn.execute(sa.select(a.seq, a.hash).where(a.seq.in_(numbers[i : i + 500])))
        hashes |= {row.seq: row.hash for row in found}
    good = {one.seq: one for one in anchors if hashes.get(one.seq) == one.hash}
    return [good[seq] for seq in sorted(good)]
