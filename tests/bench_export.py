"""Memory and time of one export of 100,000 events, in a process of its own: `python -m tests.bench_export [EVENTS]`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dsr import export
from dsr.model import DataFile, Right
from tests.pages_desk import MARIA, make_world


def main(count: int) -> dict[str, float]:
    """Collect, package and read the plain zip; megabytes are resident ones above the idle process."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        reference = world.verified(Right.ACCESS)
        idle, began = _resident("VmRSS"), time.perf_counter()
        export.collect(world.desk, reference, "intercom", [DataFile("events.json", rows=_events(count))])
        world.package(reference)
        with world.desk.db.read() as conn:
            stream = export.read(world.desk, conn, reference)
        assert stream is not None
        size = sum(map(len, stream))
        return {
            "export_events": count,
            "export_peak_above_idle_mb": _resident("VmHWM") - idle,
            "export_s": time.perf_counter() - began,
            "export_zip_mb": size / 1e6,
        }


def _events(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        data = {"list": f"list-{n}", "rows": n, "note": "x" * 300}
        yield {"id": f"event-{n}", "event_name": "uploaded-list", "created_at": n, "email": MARIA, "metadata": data}


def _resident(kind: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(kind)).split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)))
