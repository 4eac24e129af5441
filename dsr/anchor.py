"""The head of the audit, kept outside the database: a line `seq hash digest at` in a file beside the ledger.

Who has the database but not this file cannot cut off the audit's end, nor put an old state back, unseen. Rows newer
than the last line (the worker writes one every sweep, if there is news) are not covered yet. The last line also goes
to the agents' channel once a day, so that a copy is where neither database nor file can be reached.

Several workers may anchor: a digest runs from the first row, so their lines agree.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import sqlalchemy as sa

from dsr import alarm, outgoing
from dsr.audit import START, Anchor, chain_of, fold
from dsr.desk import Desk
from dsr.settings import Settings
from dsr.store.tables import audit

_LINE = re.compile(r"(\d+) ([0-9a-f]{64}) ([0-9a-f]{64}) (\S+)")
_TAIL = 4096  # bytes in which the last whole line is found


def path(settings: Settings) -> Path:
    """Beside the ledger's file; if the ledger is a server, beside the packages."""
    url = sa.make_url(settings.ledger_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database).with_suffix(".anchor")
    return Path(settings.package_folder).parent / "ledger.anchor"


def read(file: Path) -> list[Anchor]:
    """Every whole line; what a crash cut off is passed over. An absent file is empty."""
    return _parse(file.read_text("utf-8")) if file.exists() else []


def _parse(text: str) -> list[Anchor]:
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return [Anchor(int(m[1]), m[2], m[3], m[4]) for m in found if m]


def last(file: Path) -> Anchor | None:
    """The newest line, without reading the whole file."""
    if not file.exists():
        return None
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _TAIL))
        lines = _parse(opened.read().decode("utf-8", "replace"))
    return lines[-1] if lines else None


def drop(desk: Desk) -> bool:
    """Write down the head, if there is news; alarm if the row that was anchored last is not there any more, or if one
    since then does not follow the row before it.

    After an alarm anchoring goes on from the chain as it is; the old lines stay, and `flask audit verify` goes on
    saying so until the operator, knowing the cause (a restored back-up), has put that file aside.

    Returns:
        False if the audit is not what was anchored, or is broken since.
    """
    file = path(desk.settings)
    known, a = last(file), audit.c
    with desk.db.read() as conn:
        there = None if known is None else conn.execute(sa.select(a.hash).where(a.seq == known.seq)).scalar()
        sound = known is None or there == known.hash
        after, digest, hash_ = (known.seq, known.digest, known.hash) if known and sound else (0, START, "")
        hash_ = hash_ or chain_of(desk).start
        seq, broken = after, 0
        rows = sa.select(a.seq, a.prev_hash, a.commitment, a.hash).where(a.seq > after).order_by(a.seq)
        for row in conn.execute(rows.execution_options(yield_per=2000)):
            if not broken and (row.prev_hash != hash_ or not row.hash):
                broken = row.seq
            seq, hash_, digest = row.seq, row.hash, fold(digest, row.commitment)
    line = known.hash[:16] if known else ""
    if not sound and known:
        text = (
            f"The audit is not what was anchored: row {known.seq} of {known.at} is gone or changed. Either a back-up "
            "was restored or somebody has altered the audit; `flask audit verify` names the first bad row."
        )
        _alarm(desk, text, f"audit:{known.seq}:{line}")
    elif broken:
        text = (
            f"The audit is broken: row {broken} does not follow the row before it. Somebody has written to the audit "
            "beside the desk; `flask audit verify` names the first bad row."
        )
        _alarm(desk, text, f"audit:break:{broken}:{line}")
    if seq > after and hash_:
        _write(file, Anchor(seq, hash_, digest, desk.now().isoformat()))
    return sound and not broken


def _alarm(desk: Desk, text: str, cause: str) -> None:
    with desk.db.write() as conn:
        alarm.sound(desk, conn, text, cause)


def _write(file: Path, line: Anchor) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a crash cut the last line off
        os.write(handle, f"{chr(10) if torn else ''}{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def post(desk: Desk) -> None:
    """The last line to the agents' channel, once a day."""
    line, key = last(path(desk.settings)), f"anchor:{desk.now().date().isoformat()}"
    with desk.db.write() as conn:
        if line is not None and outgoing.is_new(conn, key):
            outgoing.tell_agents(desk, conn, desk.vault.new_key(conn), f"audit anchor: `{line}`", key, None)
