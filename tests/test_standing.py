"""Restrictions and objections are asked after again: set again where they fell, DPO and agents told, address kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import commands, requests, retention, standing, sweep
from dsr.model import RequestStatus, Right
from dsr.store import tables
from integrations.registry import VENDORS
from tests.clocked import Office, office
from tests.twins import MARIA
from workflows import request
from workflows import standing as looking

S = RequestStatus
DAYS = 30


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def done(desk: Office, reference: str) -> str:
    """Everything is carried out, also by hand, and every mail is sent."""
    desk.settle(reference)
    r = tables.receipts.c
    with desk.desk.db.write() as conn:
        by_hand = tables.receipts.update().where(r.reference == reference, r.outcome == "manual")
        conn.execute(by_hand.values(status="completed", verdict="accepted"))
    desk.advance(reference, S.COMPLETED)
    with desk.desk.db.write() as conn:
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    retention.settle(desk.desk, reference)
    return reference


def objected(desk: Office) -> str:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.OBJECTION, MARIA, received_at=desk.now(), channel="agent"
        )
        commands.verified(desk.desk, conn, reference, by="code")
    return done(desk, reference)


def account(desk: Office) -> dict[str, Any]:
    rows = desk.served.twins["own_database"].state()["accounts"]
    return next(row for row in rows if row["email"] == MARIA)


def forget_at_the_company(desk: Office, column: str) -> None:
    """Somebody imports an old table: the flag is gone."""
    engine = desk.served.twins["own_database"]._engine()  # type: ignore[attr-defined]
    with engine.begin() as conn:
        conn.execute(sa.text(f"UPDATE accounts SET {column} = 0 WHERE email = :email"), {"email": MARIA})


def due(desk: Office) -> list[str]:
    with desk.desk.db.write() as conn:
        return list(standing.claim(desk.desk, conn))


def alarms(desk: Office) -> list[str]:
    return [m["text"] for m in desk.mails(desk.desk.policy.dpo.email)]


def test_the_address_stays_while_the_restriction_stands_and_only_then(desk: Office) -> None:
    restriction = done(desk, desk.proved(Right.RESTRICTION))
    export = desk.proved(Right.RECTIFICATION)
    with desk.desk.db.write() as conn:
        requests.move(desk.desk, conn, export, S.COMPLETED, who="desk", why="test")
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    for reference in (restriction, export):
        retention.settle(desk.desk, reference)
    assert desk.row(restriction).address_enc
    assert desk.row(restriction).key_id
    assert desk.row(export).address_enc is None
    desk.ahead += timedelta(days=365 * 4)
    retention.settle_due(desk.desk)
    assert desk.row(restriction).address_enc, "the law's restriction has no end of its own"


def test_the_sweep_asks_after_the_interval_and_once(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    asked: list[str] = []
    monkeypatch.setattr(type(desk.desk.tasks), "look_again", lambda _, conn, ref: asked.append(ref))
    desk.ahead += timedelta(days=DAYS - 1)
    sweep.once(desk.desk)
    assert asked == []
    desk.ahead += timedelta(days=1, minutes=1)
    sweep.once(desk.desk)
    sweep.once(desk.desk)
    assert asked == [reference]


def test_what_stands_is_left_alone_and_asked_again_after_the_interval(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    desk.ahead += timedelta(days=DAYS, minutes=1)
    assert due(desk) == [reference]
    looking.look(desk.worker, reference)
    assert alarms(desk) == []
    assert desk.row(reference).look_at > desk.now() + timedelta(days=DAYS - 1)
    assert "standing.asked" in desk.audited(reference)
    assert due(desk) == []


def test_what_fell_is_set_again_and_dpo_and_agents_are_told_without_a_name(desk: Office) -> None:
    reference = objected(desk)
    forget_at_the_company(desk, "restricted")
    forget_at_the_company(desk, "marketing_opt_out")
    looking.look(desk.worker, reference)
    assert account(desk)["restricted"]
    assert account(desk)["marketing_opt_out"]
    told = alarms(desk)
    assert len(told) == 2
    assert all(reference in text and "was set again" in text and MARIA not in text for text in told)
    assert desk.status(reference) is S.COMPLETED, "the request itself was answered"


def test_who_signs_in_at_intercom_again_is_archived_again(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    twin = desk.served.twins["intercom"]
    for contact in twin.records["contacts"].values():
        contact["archived"] = False
    looking.look(desk.worker, reference)
    assert all(c["archived"] for c in twin.state()["contacts"] if c["email"] == MARIA)
    assert len(alarms(desk)) == 1


def test_who_does_not_answer_is_asked_again_tomorrow(desk: Office) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    desk.ahead += timedelta(days=DAYS, minutes=1)
    due(desk)
    desk.served.twins["intercom"].faults[:] = ["401"] * 60
    looking.look(desk.worker, reference)
    desk.served.twins["intercom"].faults.clear()
    assert desk.now() < desk.row(reference).look_at <= desk.now() + timedelta(days=1)


def test_what_cannot_be_set_again_is_a_task_with_instructions(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = done(desk, desk.proved(Right.RESTRICTION))
    intercom = desk.worker.connections.processors["intercom"]
    monkeypatch.setattr(intercom, "stands", lambda instruction: False)
    monkeypatch.setattr(intercom, "perform", lambda i: (_ for _ in ()).throw(_refused()))
    looking.look(desk.worker, reference)
    row = desk.receipt(reference, "intercom", "restrict")
    assert (row.status, row.outcome) == ("in_progress", "manual")
    assert "privacy_restricted" in row.note
    assert f"/privacy done {reference} intercom restrict" in alarms(desk)[0]
    assert "is noted as done" in desk.slack("ana", f"done {reference} intercom restrict")
    assert desk.receipt(reference, "intercom", "restrict").status == "completed"


def _refused() -> Exception:
    from dsr.errors import VendorRefused

    return VendorRefused("intercom", "no")


def test_a_lifted_restriction_is_asked_after_no_more_and_its_address_goes(desk: Office) -> None:
    reference = objected(desk)
    desk.slack("ana", f"refuse {reference} A21LegalClaims The claim is before the court.")
    desk.slack("dan", f"refuse {reference} confirm")
    desk.ahead += timedelta(days=8)
    request.advance(desk.worker, reference)
    r = tables.receipts.c
    with desk.desk.db.write() as conn:
        conn.execute(tables.receipts.update().where(r.outcome == "manual").values(status="completed"))
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    desk.ahead += timedelta(days=DAYS)
    assert due(desk) == []
    retention.settle(desk.desk, reference)
    assert desk.row(reference).address_enc is None


def test_with_an_erasure_nothing_is_left_that_could_be_restricted(desk: Office) -> None:
    restriction = done(desk, desk.proved(Right.RESTRICTION))
    erasure = done(desk, desk.proved(Right.ERASURE))
    assert desk.status(erasure) is S.COMPLETED
    retention.settle(desk.desk, restriction)
    row = desk.row(restriction)
    assert (row.look_at, row.address_enc, row.identities_enc) == (None, None, None)


def test_an_objection_that_was_never_proved_keeps_no_address(desk: Office) -> None:
    with desk.desk.db.write() as conn:
        reference = commands.open_without_proof(
            desk.desk, conn, Right.OBJECTION, MARIA, received_at=desk.now(), channel="agent"
        )
    desk.settle(reference)
    r = tables.receipts.c
    with desk.desk.db.write() as conn:
        conn.execute(tables.receipts.update().where(r.outcome == "manual").values(status="completed"))
    desk.ahead += timedelta(days=400)
    request.advance(desk.worker, reference)
    assert desk.status(reference) is S.COMPLETED
    with desk.desk.db.write() as conn:
        conn.execute(tables.outgoing.update().values(sent_at=desk.now()))
    retention.settle(desk.desk, reference)
    assert (desk.row(reference).look_at, desk.row(reference).address_enc) == (None, None)


def test_the_readme_names_the_processors_that_can_be_asked() -> None:
    from integrations.processor import Processor

    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    sentence = readme.partition("asked again every 30 days at ")[2].partition(";")[0]
    able = {v.name for v in VENDORS if v.processor and v.processor.stands is not Processor.stands}
    named = {name: {"own_database": "the own database", "microsoft": "Azure"}.get(name, name) for name in able}
    assert all(words.lower() in sentence.lower() for words in named.values()), (named, sentence)
    assert len(able) == 7
