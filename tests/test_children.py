"""A report about a child: the same answer whether or not there is an account, a hold, and what two agents decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import inbox, suppression, turns
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import RequestStatus
from dsr.store import tables
from tests.clocked import Office, office
from tests.test_enumeration import masked
from tests.twins import MARIA

S = RequestStatus
STRANGER = "teacher@example.net"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def report(desk: Office, child: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """A stranger reports; the reference, and every byte that anybody is told (conversation, mails)."""
    ref = ConversationRef("intercom", name, f"person-{name}")
    text = f"An 11 year old child is using your service with the account {child}, please do something."
    message = InboundMessage(f"event-{name}", ref, text, desk.now(), STRANGER, Evidence.CLAIM)
    assert inbox.store(desk.desk, "intercom", [message]) == 1
    with desk.desk.db.write() as conn:
        conversation, _ = inbox.conversation_of(desk.desk, conn, ref, ref.person)
    turns.take_turns(desk.desk, conversation, lambda m: m)
    with desk.desk.db.read() as conn:
        o, q = tables.outgoing.c, tables.requests.c
        reference = conn.execute(sa.select(q.reference).where(q.conversation_id == conversation)).scalar_one()
        rows = conn.execute(sa.select(tables.outgoing).where(o.kind.in_(["reply", "mail"])).order_by(o.id)).all()
        said = [
            (row.kind, masked(desk.desk.vault.open(conn, row.key_id, row.body_enc)["text"]))
            for row in rows
            if row.lane == f"conversation:{conversation}" or row.kind == "mail"
        ]
    return str(reference), said


def held(desk: Office) -> tuple[bool, bool]:
    """Is Maria's account restricted in the company's database, and archived at Intercom?"""
    accounts = desk.served.state("own_database")["accounts"]
    contacts = desk.served.state("intercom")["contacts"]
    mine = next(a for a in accounts if a["email"] == MARIA)
    contact = next(c for c in contacts if c["email"] == MARIA)
    return bool(mine["restricted"]), bool(contact["archived"])


def flags(desk: Office) -> str:
    return str(next(a for a in desk.served.state("own_database")["accounts"] if a["email"] == MARIA)["flags"] or "")


def hold(desk: Office) -> str:
    reference, _ = report(desk, MARIA, "known")
    assert "is being held" in desk.slack("ana", f"approve {reference}")
    desk.settle(reference)
    assert held(desk) == (True, True), "the hold is visible in the twins"
    assert "under_16" in flags(desk)
    return reference


def both(desk: Office, reference: str, decision: str) -> str:
    first = desk.slack("ana", f"child {reference} {decision}")
    assert "Check: 1." in first
    again = desk.slack("ana", f"child {reference} {decision}")
    assert "proposed" in again, "the same agent twice is not four eyes"
    return desk.slack("dan", f"child {reference} {decision}")


def suppressed(desk: Office) -> list[str]:
    with desk.desk.db.read() as conn:
        return suppression.suppressed(desk.desk, conn, [MARIA])


def test_known_and_unknown_children_give_the_same_bytes_and_the_same_mails(desk: Office) -> None:
    known, said_of_known = report(desk, MARIA, "known")
    unknown, said_of_unknown = report(desk, "nobody.here@example.net", "unknown")
    assert said_of_known == said_of_unknown
    assert [kind for kind, _ in said_of_known] == ["reply"], "one answer, and no mail to anybody"
    for reference in (known, unknown):
        desk.slack("ana", f"approve {reference}")
        desk.settle(reference)
    assert held(desk) == (True, True)
    assert desk.mails(STRANGER) == desk.mails(MARIA) == []


def test_parental_consent_lifts_the_hold_and_leaves_advertising_stopped(desk: Office) -> None:
    reference = hold(desk)
    assert "hold is being lifted" in both(desk, reference, "consent")
    desk.settle(reference)
    assert held(desk) == (False, False)
    assert suppressed(desk) == [MARIA]
    assert desk.status(reference) in (S.COMPLETED, S.PARTIALLY_COMPLETED)
    assert desk.mails() == [], "nobody was proved, so nobody is told"


def test_a_false_report_has_a_way_back(desk: Office) -> None:
    reference = hold(desk)
    assert "everything is being lifted" in both(desk, reference, "false")
    desk.settle(reference)
    assert held(desk) == (False, False)
    assert "under_16" not in flags(desk)
    contact = next(c for c in desk.served.state("intercom")["contacts"] if c["email"] == MARIA)
    assert "under_16" not in str(contact.get("tags"))
    assert suppressed(desk) == []
    assert desk.status(reference) is S.WITHDRAWN


def test_an_erasure_of_a_childs_account_waits_its_cooling_off_time_and_its_owner_is_told(desk: Office) -> None:
    reference = hold(desk)
    object.__setattr__(desk.desk.settings, "cooling_off", 3600.0)
    said = both(desk, reference, "erase")
    erasure = "PR-" + said.rpartition("PR-")[2][:6]
    assert desk.status(erasure) is S.COOLING_OFF
    assert "/not-me/" in desk.mails()[-1]["text"]
    assert desk.row(erasure).verified_by == "two agents (GDPR Art. 17(1)(f))"
    assert held(desk) == (True, True), "held until it is gone"
    desk.ahead += timedelta(hours=2)
    desk.settle(erasure)
    assert not desk.held("own_database")
    assert not desk.held("intercom")


def test_the_report_without_an_account_and_what_is_no_report_cannot_be_decided(desk: Office) -> None:
    reference = hold(desk)
    assert "decide erase, consent or false" in desk.slack("ana", f"child {reference} maybe")
    both(desk, reference, "false")
    assert "waits for a decision" in desk.slack("ana", f"child {reference} erase")


def test_a_changed_mind_of_the_second_agent_is_a_new_proposal(desk: Office) -> None:
    reference = hold(desk)
    desk.slack("ana", f"child {reference} erase")
    assert "proposed: false" in desk.slack("dan", f"child {reference} false")
    assert desk.status(reference) is S.WAITING_FOR_AGENT
    assert desk.run("child", reference, "false", "--as", "ana")[0] == 0
    assert desk.status(reference) is S.WITHDRAWN
