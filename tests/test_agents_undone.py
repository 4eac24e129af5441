"""What an agent's command did before it was refused is undone, the audit's rows included."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from dsr import agents, identity
from dsr.model import RequestStatus, Right
from dsr.store.tables import audit, decisions
from tests.pages_desk import World, make_world


def audited(world: World) -> int:
    with world.desk.db.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one())


def slack(world: World, agent: str, text: str) -> str:
    with world.desk.db.write() as conn:
        return agents.answer(world.desk, conn, agent, text)


def test_a_frozen_request_stays_frozen_if_no_code_can_be_mailed(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    reference = world.verified(Right.ERASURE)
    world.move(reference, RequestStatus.FROZEN)
    address_hash = world.row(reference).address_hash
    with world.desk.db.write() as conn:
        for _ in range(identity.PER_HOUR):
            assert identity.issue(world.desk, conn, address_hash, ["download"], reference=reference, reserved=True)
    before, rows = tuple(world.row(reference)), audited(world)
    assert "Not done: the address has had too many codes" in slack(world, "ana", f"unfreeze {reference} continue")
    assert tuple(world.row(reference)) == before
    assert audited(world) == rows
    world.clock.pass_(hours=2)
    assert "Not done" not in slack(world, "ana", f"unfreeze {reference} continue")
    assert world.status(reference) == "identity_pending"
    assert audited(world) == rows + 1


def test_a_refusal_that_comes_too_late_leaves_the_proposal_undecided(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    reference = world.verified(Right.EXPORT)
    with world.desk.db.write() as conn:
        conn.execute(sa.text("update requests set status = 'cooling_off'"))
    assert "proposed" in slack(world, "ana", f"refuse {reference} A12ManifestlyUnfounded it is the tenth")
    with world.desk.db.write() as conn:
        conn.execute(sa.text("update requests set status = 'in_progress'"))
    world.clock.pass_(hours=1)
    assert "Not done" in slack(world, "bob", f"refuse {reference} confirm")
    with world.desk.db.read() as conn:
        assert conn.execute(sa.select(decisions.c.decided_at)).scalar_one() is None
