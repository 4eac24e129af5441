"""What `tests.bench` measures of unsubscribing and of the API: through the running server, on SQLite."""

from __future__ import annotations

import http.client
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import requests

from app import create_app
from dsr import suppression

CLICKS = 10_000
ADDRESSES = 100_000
CLIENTS = 8
ONE_CLICK = {"Content-Type": "application/x-www-form-urlencoded"}


def one_clicks(env: Mapping[str, str], folder: Path) -> dict[str, float]:
    """10,000 people unsubscribe by one click (RFC 8058), each once; counted in the database afterwards."""
    desk = create_app(env).extensions["desk"]
    paths = ["/unsubscribe/" + suppression.token(desk, f"click.{n}@example.net") for n in range(CLICKS)]
    shares = [paths[n::CLIENTS] for n in range(CLIENTS)]
    host = env["BASE_URL"].removeprefix("http://")
    began = time.perf_counter()
    with ProcessPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(_clicks, [host] * CLIENTS, shares))
    seconds = time.perf_counter() - began
    db = sqlite3.connect(folder / "privacy-desk.sqlite", timeout=30)
    count = lambda query: db.execute(query).fetchone()[0]  # noqa: E731
    suppressed = count("SELECT count(*) FROM suppressions WHERE lifted_at IS NULL AND source = 'unsubscribe'")
    opened = count("SELECT count(*) FROM requests WHERE channel = 'unsubscribe'")
    enqueued = count("SELECT count(*) FROM workflow_status WHERE name = 'advance'")
    db.close()
    lost = 3 * answered - suppressed - opened - min(enqueued, answered)
    assert (answered, lost) == (CLICKS, 0), (answered, suppressed, opened, enqueued)
    return {"one_clicks_10000_s": seconds, "one_clicks_per_s": CLICKS / seconds, "one_clicks_lost": lost}


def _clicks(host: str, paths: Sequence[str]) -> int:
    """As a mailbox provider sends them, over one connection; returns how many were answered with 200."""
    connection = http.client.HTTPConnection(host, timeout=60)
    good = 0
    for path in paths:
        connection.request("POST", path, b"List-Unsubscribe=One-Click", ONE_CLICK)
        answer = connection.getresponse()
        answer.read()
        good += answer.status == 200
    return good


def check(env: Mapping[str, str]) -> dict[str, float]:
    """One call with 100,000 addresses, of which a tenth is suppressed."""
    asked = [f"click.{n}@example.net" for n in range(ADDRESSES)]
    headers = {"Authorization": f"Bearer {env['API_TOKENS']}"}
    began = time.perf_counter()
    address = f"{env['BASE_URL']}/api/v1/suppressions/check"
    answer = requests.post(address, json={"addresses": asked}, headers=headers, timeout=60)
    seconds = time.perf_counter() - began
    assert len(answer.json()["suppressed"]) == CLICKS
    return {"suppression_check_100000_s": seconds}
