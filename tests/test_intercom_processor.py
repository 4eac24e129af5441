"""Intercom as a processor, over real HTTP to the twin."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from dsr.errors import CredentialsRejected
from dsr.messages import ConversationRef, Reply
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Right
from integrations.intercom import VENDOR
from integrations.intercom.channel import IntercomChannel
from integrations.intercom.processor import IntercomProcessor
from integrations.intercom.settings import IntercomSettings
from integrations.intercom.twin import IntercomTwin
from tests.contracts import ProcessorContract, consume
from tests.openapi import Specification, recording
from tests.twins import MARIA, Served, serving

ENV = {
    "INTERCOM_ACCESS_TOKEN": "dG9rOnRlc3Q",
    "INTERCOM_CLIENT_SECRET": "intercom-test-secret",
    "INTERCOM_ADMIN_ID": "7000",
}


class TestIntercomProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    changes: ClassVar = {"name": "Maria Ionescu", "phone": "+40 722 333 444"}

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        hers = [c for c in state["contacts"] if c["email"] == MARIA]
        if operation is Operation.ERASE:
            left = [m for c in state["conversations"] for m in c["messages"] if m["author"]["email"] == MARIA]
            return not hers and not left and not state["tickets"]
        if operation is Operation.SUPPRESS:
            return all(
                c["unsubscribed_from_emails"] and c["subscriptions"] == {"91": "opt_out", "92": "opt_out"} for c in hers
            )
        if operation is Operation.RESTRICT:
            return all(c["archived"] and "privacy_restricted" in c["tags"] for c in hers)
        if operation is Operation.LIFT:
            return not any(c["archived"] or "privacy_restricted" in c["tags"] for c in hers)
        return all(c["name"] == "Maria Ionescu" and c["phone"] == "+40 722 333 444" for c in hers)


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(IntercomTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served) -> Served:
    shared_world.twin(IntercomTwin).reset()
    return shared_world


@pytest.fixture
def processor(world: Served) -> IntercomProcessor:
    return IntercomProcessor(world.settings(IntercomSettings))


def instruction(operation: Operation, subject: Identities, right: Right = Right.ERASURE, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key", changes)


MARIAS = Identities.of_email(MARIA)


def conversation_with(world: Served, text: str = "Hello") -> ConversationRef:
    said = world.say("intercom", email=MARIA, text=text).json()
    return ConversationRef("intercom", said["conversation"], said["contact"])


def messages_of(world: Served, ref: ConversationRef) -> list[dict[str, Any]]:
    (found,) = [c for c in world.state("intercom")["conversations"] if c["id"] == ref.id]
    return list(found["messages"])


def test_find_counts_duplicates_and_the_archived_contact(processor: IntercomProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"contacts": 3, "conversations": 5, "tickets": 1}
    assert {i.type for i in found.identities} == {"intercom.contact"}
    assert not found.ambiguous


def test_an_archived_contact_without_a_conversation_is_found_by_its_id(
    world: Served, processor: IntercomProcessor
) -> None:
    twin = world.twin(IntercomTwin)
    (lena,) = twin.find_contacts("lena.berg@example.com")
    twin.records["contacts"][lena["id"]] = {**lena, "archived": True}
    lenas = Identities.of_email("lena.berg@example.com")
    assert processor.find(lenas).nothing
    by_id = lenas.plus([Identity("intercom.contact", lena["id"])])
    assert processor.find(by_id).held == {"contacts": 1}
    assert processor.erase(instruction(Operation.ERASE, by_id)).counts["contacts"] == 1
    assert twin.find_contacts("lena.berg@example.com") == []


def test_erasure_is_permanent_names_what_it_touched_and_what_stays(world: Served, processor: IntercomProcessor) -> None:
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.counts == {"contacts": 3, "conversations": 5, "tickets": 1}
    assert len([i for i in receipt.identities if i.type == "intercom.contact"]) == 3
    assert any("rating" in r.what for r in receipt.residue)
    assert len(world.state("intercom")["ratings"]) == 1
    assert processor.erase(instruction(Operation.ERASE, MARIAS)).outcome is Outcome.NO_MATCH


def test_an_interrupted_erasure_finds_the_rest_again_at_whatever_call_it_broke(
    world: Served, processor: IntercomProcessor
) -> None:
    twin = world.twin(IntercomTwin)
    processor.erase(instruction(Operation.ERASE, MARIAS))
    changing = [n for n, call in enumerate(world.calls("intercom")) if call.startswith("DELETE")]
    assert len(changing) == 9
    for at in changing:
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]  # not repeated by the transport, so the try ends here
        with pytest.raises(CredentialsRejected):
            processor.erase(instruction(Operation.ERASE, MARIAS))
        processor.erase(instruction(Operation.ERASE, MARIAS))
        assert twin.find_contacts(MARIA) == [], at
        assert not twin.records["conversations"], at
        assert not twin.records["tickets"], at


def test_a_search_that_still_shows_the_deleted_is_not_believed(world: Served, processor: IntercomProcessor) -> None:
    twin = world.twin(IntercomTwin)
    twin.delete_contact(twin.find_contacts("lena.berg@example.com")[0])
    for ghost in list(twin.records["ghosts"]):
        twin.records["ghosts"][ghost] = {**twin.records["ghosts"][ghost], "until": time.time() + 60}
    assert processor.find(Identities.of_email("lena.berg@example.com")).nothing


def test_two_accounts_with_one_address_stop_for_an_agent(world: Served, processor: IntercomProcessor) -> None:
    twin = world.twin(IntercomTwin)
    twin.new_contact(MARIA, "Another Maria", "user", "acc-other")
    assert processor.find(MARIAS).ambiguous
    assert processor.erase(instruction(Operation.ERASE, MARIAS)).outcome is Outcome.MANUAL
    assert len(twin.find_contacts(MARIA)) == 4
    both = MARIAS.plus([Identity("account_id", "acc-maria"), Identity("account_id", "acc-other")])
    assert not processor.find(both).ambiguous


def test_a_known_contact_that_now_has_another_address_stops_for_an_agent(
    world: Served, processor: IntercomProcessor
) -> None:
    (ion,) = world.twin(IntercomTwin).find_contacts("ion.ionescu@example.com")
    subject = MARIAS.plus([Identity("intercom.contact", ion["id"])])
    assert processor.find(subject).ambiguous
    assert processor.erase(instruction(Operation.ERASE, subject)).outcome is Outcome.MANUAL


def test_in_a_conversation_with_others_only_her_words_go(world: Served, processor: IntercomProcessor) -> None:
    ref = conversation_with(world, "my secret words")
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    world.say("intercom", conversation=ref.id, email=MARIA, text="more of my words")
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    bodies = [m["body"] for m in messages_of(world, ref)]
    assert bodies == ["This message was deleted", "Ion's words", "This message was deleted"]
    assert any("other people" in r.what for r in receipt.residue)
    assert MARIA not in json.dumps(messages_of(world, ref))
    assert processor.find(MARIAS.plus(receipt.identities)).nothing
    assert processor.find(Identities.of_email("ion.ionescu@example.com")).held == {"contacts": 1, "conversations": 1}


@pytest.mark.parametrize("text", ["", "see the file"], ids=["file alone", "file with a text"])
def test_a_file_that_she_sent_into_a_conversation_with_others_is_a_task_and_never_called_redacted(
    text: str, world: Served, processor: IntercomProcessor
) -> None:
    ref, twin = conversation_with(world, "my words"), world.twin(IntercomTwin)
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    world.say("intercom", conversation=ref.id, email=MARIA, text="see the file")
    conversation = twin.records["conversations"][ref.id]
    file = {"type": "upload", "name": "passport.pdf", "url": "https://files.example/1"}
    conversation["parts"][-1] |= {"body": text or None, "attachments": [file]}
    twin.records["conversations"][ref.id] = conversation
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    assert receipt.outcome is Outcome.MANUAL
    assert ref.id in receipt.note
    assert MARIA not in receipt.note
    assert any(r.what.startswith("files") for r in receipt.residue)
    assert not twin.find_contacts(MARIA), "everything else is erased"


def test_a_conversation_that_still_names_her_as_its_author_is_held(world: Served, processor: IntercomProcessor) -> None:
    """How Intercom shows the author of what others keep is not documented: the second look finds out."""
    ref, twin = conversation_with(world, "mine"), world.twin(IntercomTwin)
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    conversation = twin.records["conversations"][ref.id]
    conversation["source"]["author"]["email"] = MARIA
    twin.records["conversations"][ref.id] = conversation
    assert processor.find(MARIAS.plus(receipt.identities)).held == {"conversations": 1}


def test_the_export_is_complete_and_masks_others(world: Served, processor: IntercomProcessor) -> None:
    ref = conversation_with(world, "hers")
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    rows = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT, MARIAS))}
    sizes = {name: len(found) for name, found in rows.items() if found}
    assert sizes == {
        "contacts.json": 3,
        "notes.json": 4,
        "subscriptions.json": 1,
        "events.json": 7,
        "conversations.json": 6,
        "tickets.json": 1,
    }
    told = json.dumps(rows["conversations.json"])
    assert "Choose Upload in the left menu" in told
    for hidden in ("Ion's words", "ion.ionescu", "Andrei", "andrei@"):
        assert hidden not in told


def test_an_age_report_tags_and_locks_nobody_out(world: Served, processor: IntercomProcessor) -> None:
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.AGE_REPORT))
    hers = [c for c in world.state("intercom")["contacts"] if c["email"] == MARIA]
    assert all("privacy_under_16_reported" in c["tags"] and c["unsubscribed_from_emails"] for c in hers)
    assert [c["archived"] for c in hers] == [False, False, True]


def test_suppressing_somebody_unknown_creates_nobody(world: Served, processor: IntercomProcessor) -> None:
    before = len(world.state("intercom")["contacts"])
    unknown = Identities.of_email("new@example.net")
    assert processor.suppress(instruction(Operation.SUPPRESS, unknown)).outcome is Outcome.NO_MATCH
    assert len(world.state("intercom")["contacts"]) == before


def test_a_company_is_for_an_agent_but_the_rest_is_changed(world: Served, processor: IntercomProcessor) -> None:
    lenas = Identities.of_email("lena.berg@example.com")
    asked = instruction(Operation.RECTIFY, lenas, Right.RECTIFICATION, name="Lena B.", company="Berg AG")
    receipt = processor.rectify(asked)
    assert (receipt.outcome, receipt.counts) == (Outcome.MANUAL, {"contacts": 1})
    (lena,) = world.twin(IntercomTwin).find_contacts("lena.berg@example.com")
    assert lena["name"] == "Lena B."


def test_subscribing_again_leaves_a_contact_with_one_of_our_tags(world: Served, processor: IntercomProcessor) -> None:
    again = instruction(Operation.LIFT, MARIAS, Right.UNSUBSCRIBE)
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.OBJECTION))
    assert processor.perform(again).outcome is Outcome.MANUAL
    assert all(c["unsubscribed_from_emails"] for c in world.twin(IntercomTwin).find_contacts(MARIA))


def test_lifting_without_a_trace_of_the_person_asks_an_agent(processor: IntercomProcessor) -> None:
    unknown = Identities.of_email("new@example.net")
    assert processor.lift(instruction(Operation.LIFT, unknown)).outcome is Outcome.MANUAL


def test_calls_and_answers_keep_to_intercoms_specification(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    specification = Specification("intercom/api.intercom.io-2.16.yaml")
    exchanges = recording(monkeypatch)
    channel, processor = (
        IntercomChannel(world.settings(IntercomSettings)),
        IntercomProcessor(world.settings(IntercomSettings)),
    )
    ref = conversation_with(world)
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    channel.check()
    channel.reply(ref, Reply("A reply"), idempotency_key="k")
    channel.note(ref, "A note", idempotency_key="k")
    assert channel.said(ref, "A note", idempotency_key="k")
    consume(processor, instruction(Operation.EXPORT, MARIAS))
    processor.suppress(instruction(Operation.SUPPRESS, MARIAS, Right.AGE_REPORT))
    processor.suppress(instruction(Operation.SUPPRESS, Identities.of_email("lena.berg@example.com"), Right.UNSUBSCRIBE))
    processor.perform(instruction(Operation.LIFT, Identities.of_email("lena.berg@example.com"), Right.UNSUBSCRIBE))
    processor.rectify(instruction(Operation.RECTIFY, MARIAS, name="Maria I.", phone="+40722"))
    restricted = processor.restrict(instruction(Operation.RESTRICT, MARIAS))
    with_ids = MARIAS.plus(restricted.identities)
    processor.lift(instruction(Operation.LIFT, with_ids))
    processor.erase(instruction(Operation.ERASE, with_ids))
    processor.find(with_ids)
    assert len({(method, status) for method, _, _, status, _ in exchanges}) >= 5
    found = [problem for exchange in exchanges for problem in specification.problems(*exchange)]
    assert sorted(set(found)) == []


def test_a_merged_contact_leads_to_the_one_that_it_is_now(world: Served, processor: IntercomProcessor) -> None:
    twin = world.twin(IntercomTwin)
    (lena,) = twin.find_contacts("lena.berg@example.com")
    twin.records["merged"]["aaaaaaaaaaaaaaaaaaaaaaaa"] = {"into": lena["id"]}
    known = Identities((Identity("email", "lena.berg@example.com"), Identity("intercom.contact", "a" * 24)))
    assert processor.find(known).held == {"contacts": 1}
    of_another = MARIAS.plus([Identity("intercom.contact", "a" * 24)])
    assert processor.find(of_another).ambiguous


def test_calls_are_exported_with_their_transcripts(world: Served, processor: IntercomProcessor) -> None:
    twin = world.twin(IntercomTwin)
    (lena,) = twin.find_contacts("lena.berg@example.com")
    call = twin.new_conversation(lena, "<p>Call</p>", source_type="phone_call")
    transcript = [{"text": "Good morning"}]
    twin.records["calls"]["1"] = {"type": "call", "id": "1", "conversation_id": call["id"], "transcript": transcript}
    lenas = Identities.of_email("lena.berg@example.com")
    assert consume(processor, instruction(Operation.EXPORT, lenas))["calls.json"] == 1


def test_what_the_api_does_not_show_of_a_long_shared_conversation_is_told(
    world: Served, processor: IntercomProcessor
) -> None:
    twin, ref = world.twin(IntercomTwin), conversation_with(world)
    world.say("intercom", conversation=ref.id, email="ion.ionescu@example.com", text="Ion's words")
    conversation = twin.records["conversations"][ref.id]
    agent = {"type": "admin", "id": "7001", "name": "Andrei", "email": "andrei@example.org"}
    conversation["parts"] += [twin.new_part(agent, "<p>x</p>") for _ in range(501)]
    twin.records["conversations"][ref.id] = conversation
    rows = [r for f in processor.export(instruction(Operation.EXPORT, MARIAS)) for r in f.rows or ()]
    assert [r["older_parts_not_shown"] for r in rows if r.get("id") == ref.id] == [2]
    receipt = processor.erase(instruction(Operation.ERASE, MARIAS))
    assert any("newest 500" in r.what for r in receipt.residue)
