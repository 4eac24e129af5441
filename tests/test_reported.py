"""A vendor's own report of an unsubscribing: it spreads once, and is not taken for a new word when it is our echo."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import receipts, reported, resubscription, suppression
from dsr.messages import SuppressionReported
from dsr.model import Operation
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def report(world: World, vendor: str = "intercom", address: str = MARIA) -> str:
    event = SuppressionReported("e1", vendor, address)
    with world.desk.db.write() as conn:
        return reported.spread(world.desk, conn, event, received_at=world.clock(), channel=vendor)


def finish(world: World, reference: str) -> None:
    """Every sender has been told."""
    with world.desk.db.write() as conn:
        steps = [(name, Operation.SUPPRESS, 1) for name in ("intercom", "mailgun")]
        receipts.plan(world.desk, conn, reference, steps, world.clock())
        over = {"status": "completed", "outcome": "done", "finished_at": world.clock()}
        conn.execute(tables.receipts.update().values(**over))
        conn.execute(tables.requests.update().values(status="completed"))


def suppressed(world: World) -> bool:
    with world.desk.db.read() as conn:
        return bool(suppression.suppressed(world.desk, conn, [MARIA]))


def test_a_report_tells_the_other_senders_once_however_many_vendors_repeat_it(world: World) -> None:
    reference = report(world, "mailchimp")
    assert reference
    assert report(world, "mailchimp") == report(world, "hubspot") == ""
    finish(world, reference)
    assert report(world, "intercom") == "", "the echo of our own call"
    assert suppressed(world)


def test_a_report_long_after_means_that_a_sender_had_taken_the_person_up_again(world: World) -> None:
    finish(world, report(world))
    world.clock.pass_(days=2)
    assert report(world)


def test_an_address_that_came_with_an_imported_list_is_told_to_the_senders(world: World) -> None:
    with world.desk.db.write() as conn:
        suppression.add_many(world.desk, conn, [MARIA])
    assert report(world)


def test_the_late_echo_of_our_call_does_not_undo_a_subscribing_again_but_a_new_word_does(world: World) -> None:
    finish(world, report(world))
    with world.desk.db.write() as conn:
        assert resubscription.subscribe_again(world.desk, conn, MARIA, "en")
    assert report(world, "intercom") == ""
    assert not suppressed(world)
    world.clock.pass_(minutes=11)
    assert report(world, "intercom")
    assert suppressed(world)


def test_a_report_about_nobody_opens_nothing(world: World) -> None:
    assert report(world, address="") == report(world, address="not an address") == ""
    with world.desk.db.read() as conn:
        assert conn.execute(sa.select(tables.requests)).first() is None
