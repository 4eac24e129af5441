"""kill -9 of web and worker: nothing acknowledged is lost, nothing happens twice (see tests/kill.py)."""

from __future__ import annotations

import pytest

from tests.kill import run
from tests.postgres import postgres


@pytest.mark.timeout(1500)
def test_on_sqlite_no_acknowledged_message_is_lost_or_doubled(request: pytest.FixtureRequest) -> None:
    result = run(50 if request.config.getoption("--full") else 2)
    assert result.acknowledged > result.rounds
    assert (result.lost, result.doubled) == ([], [])


@pytest.mark.timeout(900)
def test_on_postgresql_no_acknowledged_message_is_lost_or_doubled(request: pytest.FixtureRequest) -> None:
    with postgres() as url:
        result = run(10 if request.config.getoption("--full") else 1, database_url=url)
    assert result.acknowledged > result.rounds
    assert (result.lost, result.doubled) == ([], [])
