"""Requests that came before they were opened: by letter, by telephone, or in a chat that nobody had read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from dsr import agents
from dsr.store.tables import audit, requests
from tests.pages_desk import MARIA, World, make_world

ZONE = ZoneInfo("Europe/Bucharest")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)  # 23 November 2026, 14:00 in Cluj


def run(world: World, *words: str) -> tuple[int, str]:
    result = world.app.test_cli_runner().invoke(args=["dsr", "open", MARIA, *words])
    return result.exit_code, result.output.strip()


def slack(world: World, text: str) -> str:
    with world.desk.db.write() as conn:
        return agents.answer(world.desk, conn, "ana", f"open {MARIA} {text}")


def count(world: World) -> int:
    with world.desk.db.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(requests)).scalar_one()


def due(world: World, reference: str) -> str:
    return str(world.row(reference).due_at.astimezone(ZONE).date())


def test_the_month_of_a_letter_counts_from_the_day_on_which_it_came(world: World) -> None:
    code, reference = run(world, "export", "--received", "2026-11-05")
    assert code == 0, reference
    assert due(world, reference) == "2026-12-07", "5 December is a Saturday"
    assert world.row(reference).received_at.astimezone(ZONE).isoformat() == "2026-11-05T00:00:00+02:00"
    assert world.row(reference).proof_asked_at == world.clock(), "proof is asked for today"
    with world.desk.db.read() as conn:
        row = conn.execute(sa.select(audit).where(audit.c.reference == reference)).first()
    assert row is not None
    assert (row.what, row.who) == ("request.opened", "agent:operator")
    assert json.loads(row.details)["received"] == "2026-11-05T00:00:00+02:00"


def test_an_agent_gives_the_day_of_receipt_and_the_regime_in_any_order(world: World) -> None:
    assert "due 7 December 2026" in slack(world, "export 2026-11-05")
    assert "due 20 December 2026" in slack(world, "export ccpa 2026-11-05")
    assert "due 20 December 2026" in slack(world, "erasure 2026-11-05 ccpa")
    assert "due 23 December 2026" in slack(world, "access")


def test_what_needs_no_proof_also_counts_from_its_receipt(world: World) -> None:
    assert "started" in slack(world, "objection 2026-11-05")
    code, reference = run(world, "objection", "--received", "2026-11-05T10:30:00+02:00")
    assert (code, due(world, reference)) == (0, "2026-12-07")


@pytest.mark.parametrize(
    ("received", "why"),
    [
        ("2026-11-24", "still to come"),
        ("2026-11-23T14:00:01", "still to come"),
        ("2025-11-05", "more than a year ago"),
        ("1026-11-05", "as 2026-11-20"),
        ("5.11.2026", "as 2026-11-20"),
    ],
)
def test_a_day_of_receipt_that_cannot_be_opens_nothing(world: World, received: str, why: str) -> None:
    assert why in slack(world, f"export {received}")
    code, said = run(world, "export", "--received", received)
    assert (code, why in said) == (1, True), said
    assert count(world) == 0


def test_a_request_of_today_and_one_of_a_year_ago_are_opened(world: World) -> None:
    for day in (world.clock(), world.clock() - timedelta(days=365)):
        assert run(world, "export", "--received", day.date().isoformat())[0] == 0
    assert "say `/privacy open EMAIL RIGHT`" in slack(world, "export 2026-11-05 2026-11-06")
