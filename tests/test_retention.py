"""The end of what the desk holds itself: requests, persons' keys, and every kind of row after its time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import anchor, audit, commands, inbox, outgoing, own_data, receipts, requests, retention
from dsr.messages import ContactChanged, ConversationRef, InboundMessage, Reply
from dsr.model import Identities, Instruction, Operation, RequestStatus, Right
from dsr.store import tables
from dsr.store.vault import KeyDestroyed
from tests.pages_desk import MARIA, World, make_world

S = RequestStatus
ION = "ion.ionescu@example.com"
PROOF = timedelta(days=3 * 365 + 2)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def writes(world: World, text: str, address: str = MARIA, id: str = "c1", state: bool = True) -> str:
    """A message in a conversation, handled; returns the conversation's id."""
    ref = ConversationRef("intercom", id, f"person-of-{id}")
    event = InboundMessage(f"event-{id}-{text}", ref, text, world.clock(), address=address, author_name="Maria Pop")
    inbox.store(world.desk, "intercom", [event])
    with world.desk.db.write() as conn:
        conversation, key_id = inbox.conversation_of(world.desk, conn, ref, ref.person)
        conn.execute(tables.messages.update().values(handled_at=world.clock()))
        if state:
            sealed = world.desk.vault.seal(conn, key_id, {"stage": "idle"})
            conn.execute(
                tables.conversations.update()
                .where(tables.conversations.c.id == conversation)
                .values(state_enc=sealed, updated_at=world.clock())
            )
            outgoing.reply(world.desk, conn, ref, conversation, key_id, Reply("Understood."), f"turn:{id}:{text}")
    return conversation


def of(world: World, reference: str, conversation: str) -> None:
    with world.desk.db.write() as conn:
        requests.update(conn, reference, conversation_id=conversation)


def all_sent(world: World) -> None:
    with world.desk.db.write() as conn:
        conn.execute(outgoing.outgoing.update().values(sent_at=world.clock()))


def rows(world: World, table: sa.Table, *where: Any) -> list[Any]:
    with world.desk.db.read() as conn:
        return list(conn.execute(sa.select(table).where(*where)))


def erased(world: World) -> str:
    """An erasure asked for in a conversation and carried out; its mails are out."""
    conversation = writes(world, "please delete my account")
    reference = world.verified(Right.ERASURE)
    of(world, reference, conversation)
    world.move(reference, S.IN_PROGRESS, S.COMPLETED)
    all_sent(world)
    return reference


def key_of(world: World, reference: str) -> Any:
    key_id = world.row(reference).key_id
    return rows(world, tables.keys, tables.keys.c.id == key_id)[0]


def test_of_an_erasure_nothing_personal_stays_once_its_mails_are_out(world: World) -> None:
    conversation = writes(world, "please delete my account")
    reference = world.verified(Right.ERASURE)
    of(world, reference, conversation)
    world.move(reference, S.IN_PROGRESS, S.COMPLETED)
    retention.settle(world.desk, reference)
    assert world.row(reference).address_masked, "its mails are not out yet"
    all_sent(world)
    retention.settle(world.desk, reference)
    row = world.row(reference)
    assert (row.address_enc, row.identities_enc, row.details_enc, row.address_masked) == (None, None, None, "")
    assert row.right == "erasure"
    assert row.address_hash == world.desk.vault.hash("address", MARIA)
    assert not rows(world, tables.conversations)
    assert not rows(world, tables.messages)
    assert {r.body_enc for r in rows(world, tables.outgoing)} == {b""}
    assert key_of(world, reference).wrapped, "until the proof period is over"


@pytest.mark.parametrize("end", [S.COMPLETED, S.WITHDRAWN])
def test_no_identifier_at_a_vendor_stays_in_the_receipt_of_a_step_that_was_cancelled_or_ended_by_hand(
    world: World, end: RequestStatus
) -> None:
    reference = world.verified(Right.ERASURE)
    left = {"handle": "users:377922500012", "note": "erase user 377922500012", "problem": "user 377922500012 stays"}
    with world.desk.db.write() as conn:
        receipts.plan(world.desk, conn, reference, [("zendesk", Operation.ERASE, 1)], None)
        conn.execute(tables.receipts.update().values(status="in_progress", outcome="manual", **left))
    retention.settle(world.desk, reference)
    assert rows(world, tables.receipts)[0].handle, "while it is open, they are needed"
    if end is S.COMPLETED:
        with world.desk.db.write() as conn:
            commands.complete_task(world.desk, conn, "U1", reference, "zendesk", "erase")
        world.move(reference, S.IN_PROGRESS)
    world.move(reference, end)
    all_sent(world)
    retention.settle(world.desk, reference)
    row = rows(world, tables.receipts)[0]
    assert (row.handle, row.note, row.problem) == ("", "", None)
    assert row.outcome == "manual", "what was done is still known"


def test_the_persons_key_is_destroyed_after_the_proof_period_and_the_audit_stays_sound(world: World) -> None:
    reference = erased(world)
    retention.settle_due(world.desk)
    world.clock.pass_(days=3 * 365 - 1)
    retention.settle_due(world.desk)
    assert key_of(world, reference).wrapped
    anchor.drop(world.desk)
    world.clock.pass_(days=3)
    retention.settle_due(world.desk)
    key = key_of(world, reference)
    assert key.wrapped is None
    assert key.destroyed_at == world.clock()
    with world.desk.db.write() as conn, pytest.raises(KeyDestroyed):
        world.desk.vault.seal(conn, key.id, "again")
    anchor.drop(world.desk)
    lines = anchor.read(anchor.path(world.desk.settings))
    good, fault = audit.verify(world.desk, lines)
    assert fault is None
    assert good == lines[-1].seq
    assert rows(world, tables.audit)[-1].what == "key.destroyed"
    later = world.request(Right.EXPORT)
    assert world.row(later).key_id != key.id, "who comes again is a new person to the desk"


def test_proof_period_can_be_set(world: World) -> None:
    settings = world.desk.settings.model_copy(update={"proof_period": 5.0})
    object.__setattr__(world.desk, "settings", settings)
    reference = erased(world)
    retention.settle_due(world.desk)
    world.clock.pass_(seconds=6)
    retention.settle_due(world.desk)
    assert key_of(world, reference).wrapped is None


def test_a_key_stays_while_another_request_of_the_person_is_open_or_in_its_proof_period(world: World) -> None:
    reference = erased(world)
    retention.settle_due(world.desk)
    world.clock.pass_(days=100)
    other = world.verified(Right.OBJECTION)
    world.clock.pass_(days=PROOF.days)
    retention.settle_due(world.desk)
    assert key_of(world, reference).wrapped
    assert world.row(other).address_enc
    world.move(other, S.COMPLETED)
    all_sent(world)
    retention.settle_due(world.desk)
    assert key_of(world, other).wrapped
    world.clock.pass_(days=PROOF.days)
    retention.settle_due(world.desk)
    assert key_of(world, reference).wrapped is None


def test_an_erasure_leaves_what_an_open_request_needs_and_what_others_wrote(world: World) -> None:
    mine, theirs = writes(world, "send me my data", id="c2"), writes(world, "hello", ION, id="c3")
    open_ = world.verified(Right.EXPORT)
    of(world, open_, mine)
    reference = erased(world)
    retention.settle(world.desk, reference)
    assert world.row(open_).address_enc
    assert {r.id for r in rows(world, tables.conversations)} == {mine, theirs}
    with world.desk.db.read() as conn:
        assert requests.get(world.desk, conn, open_).address == MARIA


def test_older_conversations_and_requests_go_with_an_erasure(world: World) -> None:
    writes(world, "an old question about my invoice", id="old")
    old = world.verified(Right.OBJECTION)
    world.move(old, S.COMPLETED)
    reference = erased(world)
    with world.desk.db.read() as conn:
        held = own_data.find(world.desk, conn, world.row(reference).address_hash)
    assert held.counts == {"requests": 2, "conversations": 2, "messages": 2, "mails": 4}
    retention.settle(world.desk, reference)
    assert not rows(world, tables.conversations)
    assert world.row(old).details_enc is None
    with world.desk.db.read() as conn:
        assert own_data.find(world.desk, conn, world.row(reference).address_hash).counts == {}


@pytest.mark.parametrize("end", [S.WITHDRAWN, S.EXPIRED])
def test_a_request_that_ends_otherwise_loses_its_address_at_once_and_its_words_after_the_proof_period(
    world: World, end: RequestStatus
) -> None:
    reference = world.request(Right.ERASURE)
    world.move(reference, end)
    retention.settle_due(world.desk)
    row = world.row(reference)
    assert row.address_enc is None
    assert row.details_enc
    assert row.finished_at == world.clock()
    world.clock.pass_(days=PROOF.days)
    retention.settle_due(world.desk)
    assert world.row(reference).details_enc is None
    assert key_of(world, reference).wrapped is None


def test_an_export_keeps_its_address_while_its_package_can_be_fetched(world: World) -> None:
    reference = world.verified(Right.EXPORT)
    world.package(reference)
    world.move(reference, S.COMPLETED)
    all_sent(world)
    retention.settle_due(world.desk)
    assert world.row(reference).address_enc
    world.clock.pass_(days=8)
    assert retention.purge(world.desk)["packages"] == 1
    retention.settle_due(world.desk)
    assert world.row(reference).address_enc is None


# -- rows after their time ---------------------------------------------------------------------------------------------


def test_what_is_none_of_our_business_is_gone_after_a_day(world: World) -> None:
    writes(world, "where is my invoice?", state=False)
    inbox.store(world.desk, "hubspot", [ContactChanged("e1", "hubspot", MARIA)])
    with world.desk.db.write() as conn:
        conn.execute(tables.messages.update().values(handled_at=world.clock()))
    world.clock.pass_(hours=23)
    assert not any(retention.purge(world.desk).values())
    world.clock.pass_(hours=2)
    removed = retention.purge(world.desk)
    assert (removed["passing"], removed["conversations"]) == (2, 1)
    assert not rows(world, tables.messages)
    assert {key.wrapped for key in rows(world, tables.keys)} == {None}
    assert len(rows(world, tables.deliveries)) == 2, "so that the same delivery stays known"


def test_each_kind_goes_after_its_time_and_not_before(world: World) -> None:
    writes(world, "delete me please")
    all_sent(world)
    with world.desk.db.write() as conn:
        conn.execute(tables.workers.insert().values(executor_id="w1", seen_at=world.clock()))
    inbox.put_in_quarantine(world.desk, "intercom", "odd", b"{}")
    world.link("status", "PR-000000", lifetime=timedelta(days=1))
    world.clock.pass_(days=29)
    assert {k for k, n in retention.purge(world.desk).items() if n} == {"links"}
    world.clock.pass_(days=2)
    assert {k for k, n in retention.purge(world.desk).items() if n} == {"messages", "mails", "quarantine", "workers"}
    world.clock.pass_(days=60)
    assert {k for k, n in retention.purge(world.desk).items() if n} == {"conversations"}
    assert {key.wrapped for key in rows(world, tables.keys)} == {None}


def test_the_conversation_of_an_open_request_stays(world: World) -> None:
    conversation = writes(world, "delete me please")
    of(world, world.request(Right.ERASURE), conversation)
    world.clock.pass_(days=400)
    retention.purge(world.desk)
    assert [row.id for row in rows(world, tables.conversations)] == [conversation]


def test_what_waits_to_be_handled_or_sent_is_never_purged(world: World) -> None:
    ref = ConversationRef("intercom", "c9", "p9")
    inbox.store(world.desk, "intercom", [InboundMessage("e9", ref, "hello", world.clock())])
    world.request(Right.ERASURE)
    with world.desk.db.write() as conn:
        key_id = world.desk.vault.new_key(conn)
        outgoing.reply(world.desk, conn, ref, "x", key_id, Reply("hi"), "k1")
    world.clock.pass_(days=4000)
    retention.purge(world.desk)
    assert len(rows(world, tables.messages)) == 1
    assert rows(world, tables.outgoing)[0].body_enc != own_data.GONE


def test_a_purge_goes_in_chunks_and_takes_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 4)
    for n in range(9):
        world.link("status", f"PR-{n}", lifetime=timedelta(days=1))
    world.clock.pass_(days=3)
    assert retention.purge(world.desk)["links"] == 9
    assert not rows(world, tables.links)


def test_the_runbook_names_every_retention() -> None:
    runbook = (Path(__file__).parent.parent / "docs" / "runbook.md").read_text("utf-8")
    for kind, period in retention.periods().items():
        assert f"| {kind} |" in runbook
        line = next(line for line in runbook.splitlines() if line.startswith(f"| {kind} |"))
        assert f"{period.days} day" in line
    assert set(retention.periods()) == {*retention._KINDS, "engine"} - {"packages"}


def test_every_encrypted_column_has_an_end(world: World) -> None:
    """A new encrypted column must be thought of in `own_data` or `retention`, and then be named here."""
    ended = {
        "requests": {"address_enc", "identities_enc", "details_enc"},
        "receipts": {"identities_enc"},
        "decisions": {"details_enc"},
        "conversations": {"ref_enc", "state_enc"},
        "messages": {"body_enc"},
        "outgoing": {"body_enc"},
        "quarantine": {"body_enc"},
    }
    there = {t.name: {c.name for c in t.columns if c.name.endswith("_enc")} for t in tables.metadata.sorted_tables}
    assert {name: columns for name, columns in there.items() if columns} == ended


# -- the desk as a holder ----------------------------------------------------------------------------------------------


def instruction(world: World, operation: Operation, reference: str) -> Instruction:
    return Instruction(reference, Right.ERASURE, operation, Identities.of_email(MARIA), "k")


def test_an_export_contains_the_persons_requests_and_what_they_wrote_where_they_were_proved(world: World) -> None:
    holder = world.app.extensions["connections"].processors[own_data.NAME]
    claimed = writes(world, "I claim to be Maria", id="claimed")
    proved = writes(world, "please send me my data", id="proved")
    of(world, world.request(Right.EXPORT), claimed)
    reference = world.verified(Right.EXPORT)
    of(world, reference, proved)
    files = {f.name: list(f.rows) for f in holder.export(instruction(world, Operation.EXPORT, reference))}
    assert {row["reference"]: row["status"] for row in files["requests.json"]}[reference] == "in_progress"
    assert [row["text"] for row in files["messages.json"]] == ["please send me my data"]
    assert "details" not in str(files)


def test_the_desks_own_step_of_an_erasure_spares_that_erasure_and_counts_what_went(world: World) -> None:
    holder = world.app.extensions["connections"].processors[own_data.NAME]
    writes(world, "an old question", id="old")
    all_sent(world)
    conversation = writes(world, "please delete my account")
    reference = world.verified(Right.ERASURE)
    of(world, reference, conversation)
    assert holder.find(Identities.of_email(MARIA)).held == {"conversations": 1, "messages": 1, "mails": 1}
    receipt = holder.erase(instruction(world, Operation.ERASE, reference))
    assert receipt.counts == {"conversations": 1, "messages": 1, "mails": 1}
    found = holder.find(Identities.of_email(MARIA))
    assert found.nothing
    assert found.residue[0].kept_by_law
    assert [row.id for row in rows(world, tables.conversations)] == [conversation]
    assert world.row(reference).address_enc
