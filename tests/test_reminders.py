"""Warnings before the due date, the two clocks, and CCPA as a second regime; the test moves the desk's clock."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from dsr import agents, clocks, commands, finishing, reminders, requests, resubscription, sweep
from dsr.model import RequestStatus, Right
from dsr.store.tables import outgoing
from tests.pages_desk import World, make_world

S = RequestStatus
ZONE = ZoneInfo("Europe/Bucharest")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def warnings(world: World) -> list[str]:
    return [m["subject"] + " " + m["text"] for m in world.mails(world.desk.policy.dpo.email)]


def run(world: World, *words: str) -> str:
    result = world.app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_the_dpo_is_warned_14_7_3_and_1_days_before_and_when_it_is_overdue_once_each(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    due = world.row(reference).due_at
    told = []
    for _ in range(100):  # every eight hours, until after the due date
        world.clock.pass_(hours=8)
        before = len(warnings(world))
        reminders.warn(world.desk)
        reminders.warn(world.desk)
        if len(warnings(world)) > before:
            told.append((due - world.clock()) / timedelta(days=1))
    assert [round(days) for days in told] == [14, 7, 3, 1, 0]
    assert all(n - 8 / 24 <= days <= n for n, days in zip((14, 7, 3, 1, 0), told, strict=True)), told
    assert "in 1 day:" in warnings(world)[-2]
    assert all(reference in text and "maria" not in text for text in warnings(world))


def test_the_sweep_warns_and_the_agents_channel_hears_it(world: World) -> None:
    world.desk.channels["slack"] = "slack"
    reference = world.verified(Right.EXPORT)
    world.clock.pass_(days=17)
    sweep.once(world.desk)
    with world.desk.db.read() as conn:
        rows = conn.execute(sa.select(outgoing).where(outgoing.c.key.like("warning:%")).order_by(outgoing.c.id)).all()
        said = [(row.kind, world.desk.vault.open(conn, row.key_id, row.body_enc)["text"]) for row in rows]
    assert [kind for kind, _ in said] == ["agents", "mail"]
    assert all(f"{reference} is due on 23 December 2026, in 14 days" in text for _, text in said)


def test_a_request_recognised_late_is_warned_of_at_once_and_only_of_the_latest_day(world: World) -> None:
    with world.desk.db.write() as conn:
        requests.open_request(
            world.desk,
            conn,
            Right.EXPORT,
            "late@example.com",
            received_at=world.clock() - timedelta(days=28),
            channel="agent",
            status=S.IDENTITY_PENDING,
            opened_by="customer",
        )
    assert len(reminders.warn(world.desk)) == 1
    assert len(warnings(world)) == 1
    assert "in 4 days" in warnings(world)[0], "the days of 14 and 7 have passed, that of 3 is to come"
    world.clock.pass_(days=1)
    assert len(reminders.warn(world.desk)) == 1
    assert "in 3 days" in warnings(world)[1]


def test_what_has_ended_is_not_warned_of_and_an_extension_starts_anew(world: World) -> None:
    ended, extended = world.verified(Right.ACCESS), world.verified(Right.EXPORT)
    world.move(ended, S.COMPLETED)
    world.clock.pass_(days=20)
    assert reminders.warn(world.desk) == [extended]
    with world.desk.db.write() as conn:
        agents.answer(world.desk, conn, "ana", f"extend {extended} number")
    world.clock.pass_(days=10)
    assert reminders.warn(world.desk) == []
    world.clock.now = world.row(extended).due_at - timedelta(days=13)
    assert reminders.warn(world.desk) == [extended]
    assert "23 February 2027" in warnings(world)[-1]


def test_promotional_mail_is_due_to_stop_in_48_hours_and_the_dpo_is_warned_in_hours(world: World) -> None:
    reference = run(world, "dsr", "open", "maria.pop@example.com", "unsubscribe").strip()
    row = world.row(reference)
    assert row.due_at - row.received_at == timedelta(hours=48)
    assert row.extended_due_at == row.due_at
    shown = json.loads(run(world, "dsr", "show", reference, "--json"))
    assert [step["rule"] for step in shown["derivation"]] == ["gdpr-receipt", "gdpr-opt-out"]
    page = world.client.get(world.link("status", reference)).get_data(as_text=True)
    assert "25 November 2026 at 14:00" in page
    assert "every sender within 48 hours" in page
    told = []
    for _ in range(47):
        world.clock.pass_(hours=1)
        if reminders.warn(world.desk):
            told.append((row.due_at - world.clock()) / timedelta(hours=1))
    assert told == [24, 6]
    assert "is due on 25 November 2026 at 14:00, in 24 hours: unsubscribe" in warnings(world)[0]
    assert "in 6 hours" in warnings(world)[1]


def test_subscribing_again_is_no_right_and_has_no_48_hours(world: World) -> None:
    reference = world.request(Right.UNSUBSCRIBE, channel=resubscription.CHANNEL)
    assert world.row(reference).due_at.astimezone(ZONE).date().isoformat() == "2026-12-23"


def test_what_is_overdue_is_said_every_week_and_no_extension_is_offered_that_the_law_refuses(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    world.clock.pass_(days=60)
    assert reminders.warn(world.desk) == [reference]
    assert f"{reference} was due on 23 December 2026 and is overdue: export · in progress" in warnings(world)[0]
    assert reminders.warn(world.desk) == [], "once"
    world.clock.pass_(days=7)
    assert reminders.warn(world.desk) == [reference]
    assert len(warnings(world)) == 2
    assert not any("-" in text.partition(" is ")[2] or "extend" in text for text in warnings(world))
    world.move(reference, S.COMPLETED)
    world.clock.pass_(days=30)
    assert reminders.warn(world.desk) == []


def test_an_extension_is_offered_only_where_it_can_be_had(world: World) -> None:
    export, objection = world.verified(Right.EXPORT), world.request(Right.OBJECTION)
    world.clock.pass_(days=20)
    assert set(reminders.warn(world.desk)) == {export, objection}
    assert {text.count("/privacy extend") for text in warnings(world) if export in text} == {1}
    assert {text.count("/privacy extend") for text in warnings(world) if objection in text} == {0}


# ---- two clocks ------------------------------------------------------------------------------------------------------


def test_both_clocks_are_kept_and_the_earlier_is_acted_by(world: World) -> None:
    reference = world.request(Right.EXPORT)
    assert clocks.of(world.desk.policy, world.row(reference)).waiting_since == world.clock()
    world.clock.pass_(days=5)
    with world.desk.db.write() as conn:
        commands.verified(world.desk, conn, reference, by="code")
    found = clocks.of(world.desk.policy, world.row(reference))
    assert found.suspended_due is not None
    assert found.suspended_due.date().isoformat() == "2026-12-28"
    assert found.act_by == found.due == world.row(reference).due_at
    shown = json.loads(run(world, "dsr", "show", reference, "--json"))
    assert shown["clocks"]["suspended_due"].startswith("2026-12-28")
    assert shown["clocks"]["act_by"].startswith("2026-12-23")
    assert shown["derivation"][-1]["rule"] == "gdpr-identity"
    page = world.client.get(world.link("status", reference)).get_data(as_text=True)
    assert "28 December 2026" in page
    assert "We act by the earlier date." in page


def test_the_certificate_shows_every_step_with_its_article_and_date(world: World) -> None:
    reference = world.verified(Right.ERASURE)
    with world.desk.db.write() as conn:
        request = requests.get(world.desk, conn, reference)
        issued = finishing.certificate(world.desk, conn, request, {})
    assert "2026-12-23: one month from receipt, GDPR Art. 12(3)" in issued.derivation
    assert "GDPR Art. 12(6)" in issued.derivation
    assert "two further months" not in issued.derivation, "it was not extended"


def test_a_newer_calendar_does_not_move_a_due_date_on_file(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    moved = world.row(reference).due_at - timedelta(days=1)
    with world.desk.db.write() as conn:
        requests.update(conn, reference, due_at=moved)
    assert clocks.of(world.desk.policy, world.row(reference)).due == moved


# ---- CCPA ------------------------------------------------------------------------------------------------------------


def test_ccpa_counts_its_own_days_whatever_identity_takes(world: World) -> None:
    reference = run(world, "dsr", "open", "maria.pop@example.com", "erasure", "--regime", "ccpa").strip()
    row = world.row(reference)
    assert row.regime == "ccpa"
    assert row.due_at.astimezone(ZONE).date().isoformat() == "2027-01-07", "45 calendar days, no working day"
    world.clock.pass_(days=9)
    with world.desk.db.write() as conn:
        commands.verified(world.desk, conn, reference, by="code")
    found = clocks.of(world.desk.policy, world.row(reference))
    assert (found.due, found.suspended_due) == (row.due_at, None)
    shown = json.loads(run(world, "dsr", "show", reference, "--json"))
    assert [s["rule"] for s in shown["derivation"]] == [
        "ccpa-receipt",
        "ccpa-answer",
        "ccpa-acknowledge",
        "ccpa-opt-out",
    ]
    assert shown["clocks"]["acknowledge_by"].startswith("2026-12-08"), "10 business days; Thanksgiving is none"
    page = world.client.get(world.link("status", reference)).get_data(as_text=True)
    assert "45 calendar days from receipt" in page


def test_ccpa_is_extended_by_45_days_with_notice(world: World) -> None:
    with world.desk.db.write() as conn:
        said = agents.answer(world.desk, conn, "ana", "open maria.pop@example.com export ccpa")
        reference = "PR-" + said.partition("PR-")[2][:6]
        assert "7 January 2027" in said
        assert "21 February 2027" in agents.answer(world.desk, conn, "ana", f"extend {reference} complexity")
    assert "longer than 45 days" in world.mails()[-1]["text"]


def test_a_ccpa_request_whose_receipt_nobody_confirmed_is_warned_of_in_time(world: World) -> None:
    opened = [run(world, "dsr", "open", f"{n}@example.com", "erasure", "--regime", "ccpa").strip() for n in "ab"]
    with world.desk.db.write() as conn:  # the code of the second one has arrived
        mine = outgoing.c.reference == opened[1]
        conn.execute(outgoing.update().where(mine).values(sent_at=world.clock()))
    reminders.warn(world.desk)
    assert warnings(world) == []
    world.clock.pass_(days=12, hours=11)  # 5 December, three days before the tenth business day
    assert reminders.warn(world.desk) == [opened[0]]
    assert len(warnings(world)) == 1
    assert "receipt is to be confirmed by 8 December 2026" in warnings(world)[0]
    assert reminders.warn(world.desk) == []


def test_a_ccpa_opt_out_has_15_business_days(world: World) -> None:
    reference = run(world, "dsr", "open", "maria.pop@example.com", "unsubscribe", "--regime", "ccpa").strip()
    row = world.row(reference)
    assert row.due_at.astimezone(ZONE).date().isoformat() == "2026-12-15"
    assert row.extended_due_at == row.due_at
    assert [step["rule"] for step in json.loads(row.derivation)["derivation"]] == ["ccpa-receipt", "ccpa-opt-out"]
    world.clock.pass_(days=9)
    assert reminders.warn(world.desk) == [reference], "14 days before the 15 December"


def test_the_command_line_derives_both_regimes_and_both_clocks(world: World) -> None:
    shown = run(world, "deadline", "2026-03-05", "--regime", "ccpa")
    assert "due      2026-04-19T23:59:59" in shown
    assert "ccpa" not in shown
    assert "Cal. Civ. Code" in shown
    shown = run(world, "deadline", "2026-03-05", "--identity-asked", "2026-03-06", "--identity-proved", "2026-03-16")
    assert "if waiting for proof suspends the period (disputed)" in shown
    assert "act by   2026-04-06" in shown


def test_an_unknown_regime_is_told(world: World) -> None:
    with world.desk.db.write() as conn:
        said = agents.answer(world.desk, conn, "ana", "open maria.pop@example.com export lgpd")
    assert "no such regime; known: gdpr, ccpa" in said
