"""A fault of our own while a step is carried out: the step is told of it, tried again, and never left leased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import receipts, requests
from dsr.desk import Desk
from dsr.model import Operation, Outcome, Receipt, ReceiptStatus, Right
from dsr.store.tables import receipts as receipts_table
from tests.clocked import Office, office
from tests.pages_desk import make_world
from tests.postgres import postgres
from workflows import request

HANDLE = "1:" + ",".join(f"{n:032x}" for n in range(8))  # 265 characters: Zendesk's reach 263, Sentry's 264


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    """Whose second try comes after a minute, which a test lets pass."""
    with office(tmp_path) as made:
        slower = made.desk.settings.model_copy(update={"retry_base": 60.0})
        object.__setattr__(made.desk, "settings", slower)
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other.sqlite'}"
    else:
        with postgres() as url:
            yield url


def test_a_vendors_long_job_handle_is_written_after_the_destructive_call(tmp_path: Path, database: str) -> None:
    world = make_world(tmp_path, DATABASE_URL=database)
    desk: Desk = world.desk
    reference = world.verified(Right.ERASURE)
    with desk.db.write() as conn:
        receipts.plan(desk, conn, reference, [("zendesk", Operation.ERASE, 1)], None)
    with desk.db.read() as conn:
        step = receipts.steps(desk, conn, reference)[0]
    assert receipts.lease(desk, "worker", reference, step)
    receipts.save(desk, reference, step, Receipt(ReceiptStatus.IN_PROGRESS, None, {"tickets": 3}, handle=HANDLE))
    with desk.db.read() as conn:
        assert receipts.rows(conn, reference)[0].handle == HANDLE
    desk.tasks.close()
    desk.db.engine.dispose()


def once(real: Callable[..., Any], fails: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
    """The same function, but its first call for which `fails` holds ends in a fault of our own."""
    left = [1]

    def act(*given: Any) -> Any:
        if left and fails(*given):
            left.pop()
            raise ZeroDivisionError
        return real(*given)

    return act


def told_and_done_later(desk: Office, reference: str) -> None:
    request.advance(desk.worker, reference)
    row = desk.receipt(reference, "intercom")
    assert row.problem == "a fault of our own (ZeroDivisionError)"
    assert row.leased_until is None
    assert row.next_at > desk.now(), "it is tried again"
    desk.ahead += timedelta(minutes=2)
    desk.settle(reference)
    row = desk.receipt(reference, "intercom")
    assert (row.verdict, row.problem) == ("gone", None)
    assert not desk.held("intercom")


def test_a_fault_in_writing_a_receipt_is_told_and_the_step_is_tried_again(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = desk.proved(Right.ERASURE)
    monkeypatch.setattr(receipts, "save", once(receipts.save, lambda _d, _r, step, *_: step.processor == "intercom"))
    told_and_done_later(desk, reference)


def test_a_fault_while_a_vendors_job_is_asked_after_is_told_and_asked_again(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = desk.proved(Right.ERASURE)
    desk.settle(reference)
    job = {"status": "in_progress", "outcome": None, "verdict": None, "handle": "job", "next_at": None}
    with desk.desk.db.write() as conn:
        conn.execute(receipts_table.update().where(receipts_table.c.processor == "intercom").values(**job))
        requests.update(conn, reference, status="in_progress")
    processor = desk.worker.connections.processors["intercom"]
    monkeypatch.setattr(processor, "status", once(lambda _: Receipt(ReceiptStatus.COMPLETED, Outcome.DONE)))
    told_and_done_later(desk, reference)


def test_a_fault_in_the_second_look_is_told_and_it_looks_again(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = desk.proved(Right.ERASURE)
    processor = desk.worker.connections.processors["intercom"]

    def erased(*_: object) -> bool:
        return desk.receipt(reference, "intercom").status == "completed"

    monkeypatch.setattr(processor, "find", once(processor.find, erased))
    told_and_done_later(desk, reference)


def test_an_error_of_the_database_does_not_tell_the_values_of_a_row(desk: Office) -> None:
    row = {"reference": "PR-NOBODY", "processor": "intercom", "operation": "erase", "status": "pending"}
    with pytest.raises(sa.exc.IntegrityError) as raised, desk.desk.db.write() as conn:
        conn.execute(receipts_table.insert().values(**row, note="maria@example.com"))
    assert "maria" not in str(raised.value)
