"""A request that ends unfulfilled leaves no restriction behind, and nothing of the person that was not needed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import commands, finishing, lifting, receipts, requests, retention, sweep
from dsr.model import Operation, RequestStatus, Right
from dsr.store import tables
from tests.pages_desk import World, make_world

r = tables.receipts.c


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def restricted(world: World, right: Right = Right.RESTRICTION) -> str:
    """A restriction: done at Intercom, with a person at Slack, under way at HubSpot, not begun at Sentry; frozen."""
    reference = world.verified(right)
    states = {
        "intercom": {"status": "completed", "outcome": "done", "attempts": 0},
        "slack": {"status": "in_progress", "outcome": "manual"},
        "hubspot": {"status": "pending", "attempts": 1, "leased_until": world.clock() + timedelta(minutes=10)},
        "sentry": {"status": "pending"},
    }
    with world.desk.db.write() as conn:
        receipts.plan(world.desk, conn, reference, [(n, Operation.RESTRICT, 1) for n in states], world.clock())
        for name, values in states.items():
            mine = (r.reference == reference, r.processor == name)
            conn.execute(tables.receipts.update().where(*mine).values(**values))
    world.move(reference, RequestStatus.FROZEN)
    return reference


def steps(world: World, reference: str) -> dict[tuple[str, str], sa.Row[tuple[object, ...]]]:
    with world.desk.db.read() as conn:
        return {(x.processor, x.operation): x for x in receipts.rows(conn, reference)}


def withdraw(world: World, reference: str) -> None:
    with world.desk.db.write() as conn:
        commands.withdraw(world.desk, conn, "agent:U1", reference, "not asked by the owner")


def test_what_was_begun_is_lifted_and_what_was_not_is_never_begun(world: World) -> None:
    reference = restricted(world)
    withdraw(world, reference)
    found = steps(world, reference)
    assert {p for p, operation in found if operation == "lift"} == {"intercom", "slack", "hubspot"}
    assert found["sentry", "restrict"].status == "cancelled"
    assert found["slack", "restrict"].status == "cancelled", "nobody restricts by hand any more"


def test_a_lift_waits_for_the_restriction_that_is_under_way(world: World) -> None:
    reference = restricted(world)
    withdraw(world, reference)
    found = steps(world, reference)
    assert found["hubspot", "lift"].next_at == found["hubspot", "restrict"].leased_until
    assert found["intercom", "lift"].next_at is None


def test_the_address_is_kept_until_the_last_lift_and_no_longer(world: World) -> None:
    reference = restricted(world)
    withdraw(world, reference)
    with world.desk.db.write() as conn:
        conn.execute(tables.outgoing.update().values(sent_at=world.clock()))
    world.clock.pass_(hours=1)
    assert finishing.ready(world.desk, reference), "there is something to lift"
    retention.settle(world.desk, reference)
    assert world.row(reference).address_enc, "it is needed to find the person"
    with world.desk.db.write() as conn:
        conn.execute(tables.receipts.update().where(r.operation == "lift").values(status="completed", outcome="done"))
    assert finishing.ready(world.desk, reference) is None
    retention.settle(world.desk, reference)
    assert world.row(reference).address_enc is None


def test_a_withdrawn_request_that_restricted_nothing_is_settled_by_the_sweep(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    withdraw(world, reference)
    with world.desk.db.write() as conn:
        conn.execute(tables.outgoing.update().values(sent_at=world.clock()))
    world.clock.pass_(hours=1)
    assert retention.settle_due(world.desk) == 1
    assert world.row(reference).address_enc is None


def test_the_sweep_finds_a_lift_that_nobody_carried_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = restricted(world)
    withdraw(world, reference)
    woken: list[str] = []
    monkeypatch.setattr(type(world.desk.tasks), "advance", lambda _, conn, reference, **more: woken.append(reference))
    world.clock.pass_(hours=1)
    sweep.once(world.desk)
    assert woken == [reference]


def test_a_restriction_is_lifted_if_the_fresh_proof_never_comes(world: World) -> None:
    reference = restricted(world)
    world.move(reference, RequestStatus.IDENTITY_PENDING)  # an agent let it go on, by a fresh code
    with world.desk.db.write() as conn:
        requests.update(conn, reference, wake_at=world.clock(), verified_at=None)
    assert finishing.ready(world.desk, reference) is None
    assert world.status(reference) == "expired"
    with world.desk.db.read() as conn:
        assert lifting.under_way(conn, reference)
        assert not lifting.pushed(conn, reference)
