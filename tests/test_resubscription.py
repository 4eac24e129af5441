"""Subscribing again reaches the processors that an unsubscribing reached, and whoever speaks last is obeyed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import commands, fulfilment, lifting, preferences, receipts, requests, resubscription, suppression
from dsr.errors import VendorRefused
from dsr.fulfilment import Step
from dsr.letters import catalogue
from dsr.model import Operation, Outcome, ReceiptStatus, Right, manual
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world
from tests.postgres import postgres

r = tables.receipts.c
SENDERS: dict[str, dict[str, Any]] = {
    "mailgun": {"status": "completed", "outcome": "done"},
    "mailchimp": {"status": "completed", "outcome": "no_match"},
    "hubspot": {"status": "in_progress", "outcome": "manual"},
    "intercom": {"status": "pending"},
    "microsoft": {"status": "pending", "attempts": 1},
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def plan(world: World, reference: str, states: dict[str, dict[str, Any]], operation: Operation) -> None:
    with world.desk.db.write() as conn:
        receipts.plan(world.desk, conn, reference, [(n, operation, 1) for n in states], world.clock())
        for name, values in states.items():
            mine = (r.reference == reference, r.processor == name)
            conn.execute(tables.receipts.update().where(*mine).values(**values))


def unsubscribed(world: World, states: dict[str, dict[str, Any]] | None = None) -> str:
    reference = preferences.unsubscribe(world.desk, MARIA, "en")
    assert reference
    plan(world, reference, SENDERS if states is None else states, Operation.SUPPRESS)
    world.clock.pass_(seconds=1)
    return reference


def again(world: World) -> str:
    """The reference of the subscribing again, said on the page."""
    world.client.post(world.unsubscribe_path(), data={"do": "resubscribe"})
    with world.desk.db.read() as conn:
        c = tables.requests.c
        query = sa.select(c.reference).where(c.channel == resubscription.CHANNEL).order_by(c.received_at.desc())
        return conn.execute(query.limit(1)).scalar() or ""


def steps(world: World, reference: str) -> dict[str, Step]:
    with world.desk.db.read() as conn:
        return {s.processor: s for s in receipts.steps(world.desk, conn, reference)}


def suppressed(world: World) -> bool:
    with world.desk.db.read() as conn:
        return bool(suppression.suppressed(world.desk, conn, [MARIA]))


def test_what_was_begun_is_taken_back_and_what_was_not_is_never_begun(world: World) -> None:
    first = unsubscribed(world)
    lifted = steps(world, again(world))
    assert set(lifted) == {"mailgun", "hubspot", "microsoft"}, "not where nobody was found or nothing was begun"
    assert {s.operation for s in lifted.values()} == {Operation.LIFT}
    before = steps(world, first)
    assert {n: before[n].status for n in ("hubspot", "intercom", "microsoft")} == dict.fromkeys(
        ("hubspot", "intercom", "microsoft"), ReceiptStatus.CANCELLED
    )
    assert world.status(first) == "completed"
    assert world.row(first).address_enc is None
    assert not suppressed(world)


def test_a_worker_that_is_just_planning_the_unsubscribing_finds_nobody_to_plan_for(world: World) -> None:
    first = preferences.unsubscribe(world.desk, MARIA, "en")
    assert first
    assert again(world) == "", "no processor was told: there is nothing to take back"
    with world.desk.db.read() as conn:
        assert requests.get(world.desk, conn, first).address == ""


def test_a_call_that_is_at_work_is_taken_back_when_it_is_over(world: World) -> None:
    until = world.clock() + timedelta(minutes=10)
    unsubscribed(world, {"mailgun": {"status": "pending", "attempts": 1, "leased_until": until}})
    reference = again(world)
    assert steps(world, reference)["mailgun"].next_at == until
    assert fulfilment.next_for(list(steps(world, reference).values()), world.clock(), "not needed").run == ()


def test_unsubscribing_while_the_subscribing_again_is_at_work_has_the_last_word(world: World) -> None:
    unsubscribed(world, {n: {"status": "completed", "outcome": "done"} for n in ("mailgun", "intercom")})
    lifting_ = again(world)
    until = world.clock() + timedelta(minutes=10)
    plan(world, lifting_, {"mailgun": {"attempts": 1, "leased_until": until}}, Operation.LIFT)
    world.clock.pass_(seconds=1)
    last = preferences.unsubscribe(world.desk, MARIA, "en")
    assert last
    assert {s.status for s in steps(world, lifting_).values()} == {ReceiptStatus.CANCELLED}
    found = steps(world, last)
    assert found["mailgun"].operation is Operation.SUPPRESS
    assert found["mailgun"].next_at == until
    assert suppressed(world)


@pytest.mark.parametrize("right", [Right.UNSUBSCRIBE, Right.OBJECTION, Right.AGE_REPORT])
def test_a_stop_by_another_way_ends_a_subscribing_again_too(world: World, right: Right) -> None:
    unsubscribed(world)
    reference = again(world)
    with world.desk.db.write() as conn:
        commands.open_without_proof(world.desk, conn, right, MARIA, received_at=world.clock(), channel="intercom")
    assert world.status(reference) == "completed"
    assert {s.status for s in steps(world, reference).values()} == {ReceiptStatus.CANCELLED}


def test_a_task_is_not_given_to_a_person_after_it_was_cancelled(world: World) -> None:
    first = unsubscribed(world)
    again(world)
    step = steps(world, first)["microsoft"]
    receipts.failed(world.desk, first, step, 9, VendorRefused("microsoft", "refused"), "unsubscribe by hand")
    receipts.save(world.desk, first, step, manual("unsubscribe by hand"))
    assert steps(world, first)["microsoft"].status is ReceiptStatus.CANCELLED


@pytest.mark.parametrize("kind", [suppression.OBJECTION, suppression.AGE])
def test_an_objection_or_an_age_report_is_never_lifted_and_the_page_says_whom_to_ask(world: World, kind: str) -> None:
    unsubscribed(world)
    with world.desk.db.write() as conn:
        suppression.add(world.desk, conn, MARIA, source="chat", kind=kind)
    answer = world.client.post(world.unsubscribe_path(), data={"do": "resubscribe"})
    assert catalogue.say("page.unsubscribe_not_again", "en", contact="@").partition("@")[0] in answer.text
    assert again(world) == ""
    with world.desk.db.read() as conn:
        assert suppression.topics(world.desk, conn, MARIA) == {suppression.ALL}


def test_a_restriction_in_force_forbids_it_until_it_is_lifted(world: World) -> None:
    unsubscribed(world)
    restricted = world.verified(Right.RESTRICTION)
    plan(world, restricted, {"mailgun": {"status": "completed", "outcome": "done"}}, Operation.RESTRICT)
    assert again(world) == ""
    assert suppressed(world)
    with world.desk.db.write() as conn:
        lifting.lift(world.desk, conn, restricted, who="desk")
    assert again(world)


def test_it_is_idempotent(world: World) -> None:
    unsubscribed(world)
    first = again(world)
    world.clock.pass_(seconds=1)
    assert again(world) == first


def test_the_page_shows_where_the_person_is_subscribed_again(world: World) -> None:
    unsubscribed(world)
    reference = again(world)
    plan(world, reference, {"mailgun": {"status": "completed", "outcome": str(Outcome.DONE)}}, Operation.LIFT)
    html = world.client.get(world.unsubscribe_path()).text
    assert catalogue.say("page.unsubscribe_again_heading", "en") in html
    assert "HubSpot" in html
    assert catalogue.say("page.status_progress", "en", done=1, total=3) in html
    preferences.unsubscribe(world.desk, MARIA, "en")
    assert catalogue.say("page.unsubscribe_again_heading", "en") not in world.client.get(world.unsubscribe_path()).text


def test_it_works_on_postgresql(tmp_path: Path) -> None:
    with postgres() as url:
        world = make_world(tmp_path, DATABASE_URL=url)
        unsubscribed(world)
        assert set(steps(world, again(world))) == {"mailgun", "hubspot", "microsoft"}
        world.desk.db.engine.dispose()
