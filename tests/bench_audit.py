"""The part of `script/bench` that checks the audit: rows a second, beside plain HMACs of the same bytes.

python -m tests.bench_audit [--rows 200000]
"""

from __future__ import annotations

import argparse
import hmac
import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from dsr import anchor, audit, audit_scan
from dsr.desk import Desk
from dsr.store.tables import audit as table
from tests.pages_desk import make_world


def measure(rows: int = 200_000) -> dict[str, float]:
    """Rows a second by one process and by one for each core; the yardstick is one `hmac.digest` of each row's bytes."""
    with tempfile.TemporaryDirectory() as folder:
        desk = make_world(Path(folder)).desk
        fill(desk, rows)
        anchor.drop(desk)
        lines = anchor.read(anchor.path(desk.settings))
        found = {"audit_hmac_per_s": yardstick(desk, rows)}
        for name, several in (("audit_rows_per_s", rows + 1), ("audit_rows_per_s_all_cores", 1)):
            began = time.perf_counter()
            good, fault = audit.verify(desk, lines, several=several)
            found[name] = rows / (time.perf_counter() - began)
            assert (good, fault) == (rows, None), fault
        return found


def fill(desk: Desk, rows: int) -> None:
    """A chain as `record` writes it, without a commit for each row."""
    chain, at, made = audit.chain_of(desk), desk.now(), []
    before = chain.start
    for seq in range(1, rows + 1):
        row = {"seq": seq, "at": at, "who": "processor:intercom", "what": "erase.completed", "reference": "PR-7K3M2Q"}
        row |= {"why": "done", "details": json.dumps({"counts": {"contacts": seq}})}
        commitment = chain.commitment(SimpleNamespace(**row))
        hash_ = chain.link(before, commitment)
        made.append(row | {"prev_hash": before, "commitment": commitment, "hash": hash_})
        before = hash_
    with desk.db.write() as conn:
        for start in range(0, rows, 10_000):
            conn.execute(table.insert(), made[start : start + 10_000])


def yardstick(desk: Desk, rows: int) -> float:
    with desk.db.read() as conn:
        contents = [audit_scan.canonical(row) for row in audit_scan.rows_of(conn, 0, rows)]
    began = time.perf_counter()
    for content in contents:
        hmac.digest(b"k" * 32, content, "sha256")
    return rows / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    print("\n".join(f"{k:<42}{v:>12.4g}" for k, v in measure(parser.parse_args().rows).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
