"""`flask report`: the numbers of a period, counted by hand here, and a document without a person in it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dsr import audit, report, requests
from dsr.model import RequestStatus, Right
from dsr.report import Tasks
from dsr.store import tables
from pages.charts import bars
from tests.pages_desk import World, make_world

S = RequestStatus
JUNE = datetime(2026, 6, 10, 9, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def seed(
    world: World,
    right: Right,
    status: RequestStatus,
    *,
    received: datetime = JUNE,
    days: float | None = None,
    ground: str = "",
    **values: Any,
) -> str:
    """A request on file that ended `days` after its receipt."""
    with world.desk.db.write() as conn:
        reference = requests.open_request(
            world.desk,
            conn,
            right,
            f"person{received.timestamp()}@example.com",
            received_at=received,
            channel=values.pop("channel", "intercom"),
            status=S.IDENTITY_PENDING,
            opened_by="customer",
        )
        ended = {"finished_at": received + timedelta(days=days)} if days is not None else {}
        requests.update(conn, reference, status=str(status), **ended, **values)
        if ground:
            why = f"{ground} (GDPR Art. 12(5)(b)); the reasons are kept encrypted"
            audit.record(world.desk, conn, who="agent:U2", what="request.refused", reference=reference, why=why)
    return reference


def seeded(world: World) -> list[str]:
    return [
        seed(world, Right.ERASURE, S.COMPLETED, days=2),
        seed(world, Right.ERASURE, S.COMPLETED, days=4, channel="slack"),
        seed(world, Right.EXPORT, S.COMPLETED, days=40, regime="ccpa"),  # late
        seed(world, Right.EXPORT, S.COMPLETED, days=50, extended_at=JUNE, due_at=JUNE + timedelta(days=92)),
        seed(world, Right.OBJECTION, S.REFUSED, days=1, ground="A12ManifestlyUnfounded"),
        seed(world, Right.ERASURE, S.WITHDRAWN, days=0.5),
        seed(world, Right.ERASURE, S.IN_PROGRESS, received=JUNE + timedelta(days=60)),  # late: due in September
        seed(world, Right.ACCESS, S.IN_PROGRESS, received=datetime(2026, 11, 20, tzinfo=UTC)),  # not in the period
    ]


def test_the_numbers_are_those_counted_by_hand(world: World) -> None:
    seeded(world)
    found = report.report(world.desk, date(2026, 6, 1), date(2026, 8, 31))
    assert found.received == 7
    assert dict(found.months) == {"2026-06": 6, "2026-07": 0, "2026-08": 1}
    assert dict(found.rights) == {"erasure": 4, "export": 2, "objection": 1}
    assert dict(found.channels) == {"intercom": 6, "slack": 1}
    assert dict(found.outcomes) == {"completed": 4, "in_progress": 1, "refused": 1, "withdrawn": 1}
    assert dict(found.regimes) == {"gdpr": 6, "ccpa": 1}
    assert (found.on_time, found.late) == (5, 2)
    assert found.on_time_share == pytest.approx(5 / 7)
    assert found.extension_rate == pytest.approx(1 / 7)
    assert dict(found.days) == {"count": 5, "median": 4.0, "p90": 50.0}  # 1, 2, 4, 40, 50
    assert (found.open, found.overdue) == (2, 1)
    assert dict(found.refusals) == {"A12ManifestlyUnfounded": 1}


def test_open_tasks_are_counted_for_each_processor_and_late_ones_apart(world: World) -> None:
    reference, other = seeded(world)[-2:]
    rows = [
        (reference, "paddle", "in_progress", "manual", -1),
        (other, "paddle", "in_progress", "manual", 1),
        (reference, "slack", "in_progress", "manual", 1),
        (reference, "intercom", "completed", "done", -1),
        (reference, "zendesk", "in_progress", None, -1),
    ]
    with world.desk.db.write() as conn:
        for of, processor, status, outcome, due in rows:
            conn.execute(
                tables.receipts.insert().values(
                    reference=of,
                    processor=processor,
                    operation="erase",
                    status=status,
                    outcome=outcome,
                    due_at=world.clock() + timedelta(days=due),
                )
            )
    found = report.report(world.desk, date(2026, 6, 1), date(2026, 8, 31))
    assert dict(found.tasks) == {"paddle": Tasks(2, 1), "slack": Tasks(1, 0)}


def test_the_days_of_the_period_are_the_controllers(world: World) -> None:
    seed(world, Right.ERASURE, S.IN_PROGRESS, received=datetime(2026, 5, 31, 21, 30, tzinfo=UTC))  # 1 June in Cluj
    seed(world, Right.ERASURE, S.IN_PROGRESS, received=datetime(2026, 6, 30, 20, 59, tzinfo=UTC))  # 30 June in Cluj
    seed(world, Right.ERASURE, S.IN_PROGRESS, received=datetime(2026, 6, 30, 21, 0, tzinfo=UTC))  # 1 July in Cluj
    assert report.report(world.desk, date(2026, 6, 1), date(2026, 6, 30)).received == 2


def test_a_period_without_requests_divides_by_nothing(world: World) -> None:
    found = report.report(world.desk, date(2020, 1, 1), date(2020, 1, 1))
    assert (found.received, found.on_time_share, found.extension_rate) == (0, None, None)
    assert dict(found.days) == {"count": 0, "median": None, "p90": None}
    with pytest.raises(ValueError, match="before the first"):
        report.report(world.desk, date(2020, 1, 2), date(2020, 1, 1))


def test_the_command_writes_json_text_and_a_document_with_a_table_beside_each_chart(
    world: World, tmp_path: Path
) -> None:
    references, file = seeded(world), tmp_path / "report.html"
    run = world.app.test_cli_runner().invoke
    period = ["--from", "2026-06-01", "--to", "2026-08-31"]
    found = json.loads(run(args=["report", *period, "--json"]).output)
    assert found["received"] == 7
    text = run(args=["report", *period]).output
    assert "on time share: 0.714" in text
    assert run(args=["report", *period, "--html", str(file)]).exit_code == 0
    html = file.read_text("utf-8")
    assert "71.4 % (5 on time, 2 late)" in html
    assert html.count("<svg") == html.count("<table") == html.count('role="img"') == 6  # those with numbers
    assert all(f'aria-label="{title}"' in html for title in ("By right", "Refusals by ground", "Received by month"))
    assert "@media print" in html
    assert not any(loaded in html for loaded in ("src=", "<link", "@import", "url(", "<script"))
    for made in (html, text, json.dumps(found)):
        assert "@" not in made.replace("@media", "")
        assert not any(reference in made for reference in references)
    assert run(args=["report", "--from", "2026-06-02", "--to", "2026-06-01"]).exit_code == 2


def test_bars_are_as_long_as_their_numbers_and_names_cannot_break_out() -> None:
    svg = bars('"><script>', {"<b>": 4, "x" * 40: 2, "none": 0})
    assert "<script" not in svg
    assert "<b>" not in svg
    assert [part.split('"')[0] for part in svg.split(' width="')[2:]] == ["240.0", "120.0", "0.0"]
