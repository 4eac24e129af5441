"""How parallel the work at the processors is: twins that take 200 ms for every answer, one erasure, then many.

python -m tests.bench_fanout [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from dsr import commands, requests
from dsr.desk import Desk
from dsr.model import RequestStatus, Right
from dsr.store.tables import receipts
from dsr.store.tables import requests as requests_table
from tests.house import House, build

LATENCY = 0.2  # seconds before every answer of every twin
MANY = 30
ENDED = ("completed", "partially_completed")


def fan_out() -> dict[str, float]:
    """Seconds of one erasure at all processors, of its slowest processor, and requests a minute."""
    with tempfile.TemporaryDirectory() as folder:
        house, end = build(Path(folder))
        try:
            for twin in house.twins.values():
                twin.latency = LATENCY
            return {**_one(house), **_many(house)}
        finally:
            end()


def _one(house: House) -> dict[str, float]:
    reference = _verified(house.desk, "maria.pop@example.com", Right.ERASURE)
    _wait(house, [reference])
    r = receipts.c
    with house.desk.db.read() as conn:
        rows = conn.execute(
            sa.select(r.started_at, r.finished_at).where(r.reference == reference, r.started_at.is_not(None))
        ).all()
    # A task for a person has no end of its own: the connector has answered when the request could go on.
    spans = [(row.finished_at - row.started_at).total_seconds() for row in rows if row.finished_at]
    last = max(row.finished_at for row in rows if row.finished_at)
    whole = (last - min(row.started_at for row in rows)).total_seconds()
    return {
        "fanout_processors": len(rows),
        "fanout_all_s": whole,
        "fanout_slowest_processor_s": max(spans),
        "fanout_sum_of_processors_s": sum(spans),
        "fanout_to_slowest": whole / max(spans),
    }


def _many(house: House) -> dict[str, float]:
    began = time.perf_counter()
    references = [_verified(house.desk, f"many.{n}@example.net", Right.OBJECTION) for n in range(MANY)]
    _wait(house, references)
    return {"bulk_requests_per_minute": 60 * MANY / (time.perf_counter() - began)}


def _verified(desk: Desk, address: str, right: Right) -> str:
    """A proved request without a conversation, started now."""
    with desk.db.write() as conn:
        reference = requests.open_request(
            desk,
            conn,
            right,
            address,
            received_at=desk.now(),
            channel="agent",
            status=RequestStatus.IDENTITY_PENDING,
            opened_by="agent:bench",
        )
        commands.verified(desk, conn, reference, by="code")
    return reference


def _wait(house: House, references: list[str]) -> None:
    until = time.monotonic() + 300
    query = sa.select(sa.func.count()).where(
        requests_table.c.reference.in_(references), requests_table.c.status.in_(ENDED)
    )
    while time.monotonic() < until:
        with house.desk.db.read() as conn:
            if conn.execute(query).scalar_one() == len(references):
                return
        time.sleep(0.05)
    raise AssertionError("not finished in five minutes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = fan_out()
    print(json.dumps(found) if asked.json else "\n".join(f"{k:<42}{v:>12.4g}" for k, v in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
