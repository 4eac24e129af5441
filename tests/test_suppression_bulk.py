"""A hundred thousand addresses are checked in one call, on both databases; `script/bench` says how fast."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages_desk import World, make_world
from tests.postgres import postgres

TOKEN = "t" * 40
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def checked(world: World) -> int:
    many = [f"Person.{n}@Example{n % 5000}.com" for n in range(100_000)]
    added = {"addresses": many[::10], "tell_processors": False}
    assert world.client.post("/api/v1/suppressions", json=added, headers=HEADERS).json["added"] == 10_000
    answer = world.client.post("/api/v1/suppressions/check", json={"addresses": many}, headers=HEADERS)
    assert answer.json["suppressed"] == many[::10]
    count: int = answer.json["checked"]
    return count


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_hundred_thousand_addresses_are_checked_in_one_call(database: str, tmp_path: Path) -> None:
    if database == "sqlite":
        count = checked(make_world(tmp_path, API_TOKENS=TOKEN))
    else:
        with postgres() as url:
            world = make_world(tmp_path, API_TOKENS=TOKEN, DATABASE_URL=url)
            count = checked(world)
            world.desk.db.engine.dispose()
    assert count == 100_000
