"""Customers, agents, processors and time do what they like, on SQLite and on PostgreSQL; what must hold, holds.

`--full` plays ten times as many lives.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.life import Life
from tests.life_laws import check_the_whole
from tests.life_stage import Stage, stage
from tests.pages_desk import make_world
from tests.postgres import postgres

COMMON = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def live(on: Stage, lives: int, steps: int, *, anew: bool) -> None:
    """Without `--full` the same lives every time: a new find must not hold up somebody else's change."""

    class Played(Life):
        pass

    Played.on = on
    phases = [Phase.generate, Phase.shrink] if anew else [Phase.generate]
    run_state_machine_as_test(
        Played,
        settings=settings(COMMON, max_examples=lives, stateful_step_count=steps, derandomize=not anew, phases=phases),
    )
    check_the_whole(on)


@pytest.fixture
def more(request: pytest.FixtureRequest) -> int:
    return 10 if request.config.getoption("--full") else 1


@pytest.mark.timeout(3600)
def test_the_whole_life_on_sqlite(tmp_path: Path, more: int) -> None:
    live(stage(make_world(tmp_path, VENDOR_DAY="1h", LOG_LEVEL="CRITICAL")), 25 * more, 25, anew=more > 1)


@pytest.mark.timeout(3600)
def test_the_whole_life_on_postgresql(tmp_path: Path, more: int) -> None:
    with postgres() as url:
        world = make_world(tmp_path, DATABASE_URL=url, VENDOR_DAY="1h", LOG_LEVEL="CRITICAL")
        live(stage(world), 5 * more, 20, anew=more > 1)
        world.desk.tasks.close()
        world.desk.db.engine.dispose()
