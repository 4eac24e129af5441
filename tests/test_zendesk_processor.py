"""Zendesk as a processor over both of its stores, over real HTTP to the twins."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import VendorAnswerUnexpected, VendorError, VendorRefused
from dsr.model import (
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Receipt,
    ReceiptStatus,
    Right,
)
from integrations import transport
from integrations.zendesk.erasure import JOURNAL
from integrations.zendesk.processor import ZendeskProcessor
from integrations.zendesk.settings import ZendeskSettings
from integrations.zendesk.twin import ZendeskTwin
from integrations.zendesk.twin_seed import AGENT_ID, COLLEAGUE_ID, messaging_id, support_id
from tests.contracts import PATIENT, consume, impatient
from tests.twins import MARIA, STRANGER, Served, serving
from tests.zendesk import ENV, SUPPORT_ENV, TWINS, effect_in_messaging, effect_in_support, urls

# ---- one by one ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(*TWINS, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    for twin in shared_world.twins.values():
        twin.reset()
    return shared_world


def connect(world: Served, env: Mapping[str, str] = ENV) -> ZendeskProcessor:
    settings = ZendeskSettings.from_env({**env, **urls(world.base_url)})
    assert settings is not None
    return ZendeskProcessor(settings)


@pytest.fixture
def processor(world: Served) -> ZendeskProcessor:
    return connect(world)


def order(operation: Operation, subject: Identities, right: Right = Right.ERASURE, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key", changes)


MARIAS = Identities.of_email(MARIA)


def finish(processor: ZendeskProcessor, receipt: Receipt) -> Receipt:
    for _ in range(40):
        if receipt.status is not ReceiptStatus.IN_PROGRESS or receipt.outcome is Outcome.MANUAL:
            break
        time.sleep(min(receipt.ready_after_days * 0.02, 0.05) + 0.001)
        kept = dataclasses.replace(receipt, counts={}, identities=(), ready_after_days=0)  # as the engine does
        receipt = processor.status(kept)
    return receipt


def erase(processor: ZendeskProcessor, subject: Identities = MARIAS) -> Receipt:
    return finish(processor, processor.erase(order(Operation.ERASE, subject)))


def put(world: Served, twin: str, kind: str, key: str, /, **fields: Any) -> None:
    records = world.twins[twin].records
    with records.lock:
        records[kind][key] = {**records[kind].get(key, {}), **fields}


def test_find_counts_every_kind_of_record(processor: ZendeskProcessor) -> None:
    found = processor.find(MARIAS)
    assert dict(found.held) == {
        "users": 1,
        "deleted users": 1,
        "tickets": 5,
        "comments in other people's tickets": 1,
        "suspended tickets": 1,
        "messaging users": 1,
        "messaging conversations": 4,
    }
    assert not found.ambiguous
    assert set(found.identities) == {
        Identity("zendesk.user", str(support_id(MARIA))),
        Identity("zendesk.user", str(support_id(MARIA) + 1)),
        Identity("zendesk.messaging_user", messaging_id(MARIA)),
    }


def test_search_is_fuzzy_and_matching_is_not(world: Served, processor: ZendeskProcessor) -> None:
    put(world, "zendesk", "users", str(support_id("lena.berg@example.com")), email="x.maria.pop@example.com")
    assert processor.find(MARIAS).held["users"] == 1
    assert processor.find(Identities.of_email("pop@example.com")).nothing


def test_a_secondary_address_is_found_in_any_spelling(world: Served, processor: ZendeskProcessor) -> None:
    user = world.twin(ZendeskTwin).records["users"][str(support_id(MARIA))]
    more = {"id": 7, "user_id": user["id"], "type": "email", "value": "Maria@Pop.example", "verified": False}
    put(world, "zendesk", "users", str(user["id"]), identities=[*user["identities"], more])
    assert processor.find(Identities.of_email("maria@pop.example")).held["users"] == 1


def test_two_accounts_with_one_address_stop_everything_but_suppression(
    world: Served, processor: ZendeskProcessor
) -> None:
    other = dict(world.twin(ZendeskTwin).records["users"][str(support_id(MARIA))])
    put(world, "zendesk", "users", "4711", **{**other, "id": 4711, "external_id": "acc-other"})
    assert processor.find(MARIAS).ambiguous
    for operation in (Operation.ERASE, Operation.RESTRICT, Operation.LIFT, Operation.RECTIFY):
        receipt = processor.perform(order(operation, MARIAS, name="X"))
        assert receipt.outcome is Outcome.MANUAL, operation
    with pytest.raises(VendorRefused):
        list(processor.export(order(Operation.EXPORT, MARIAS)))
    assert processor.perform(order(Operation.SUPPRESS, MARIAS)).counts["users"] == 2


def test_a_known_id_with_somebody_elses_address_is_left_alone(world: Served, processor: ZendeskProcessor) -> None:
    lena = messaging_id("lena.berg@example.com")
    for kind, id in (("zendesk.user", str(COLLEAGUE_ID)), ("zendesk.messaging_user", lena)):
        found = processor.find(MARIAS.plus([Identity(kind, id)]))
        assert found.ambiguous
        assert Identity(kind, id) not in found.identities


def test_an_agent_of_the_account_is_not_deleted(world: Served, processor: ZendeskProcessor) -> None:
    agent = Identities.of_email(ENV["ZENDESK_EMAIL"])
    receipt = processor.erase(order(Operation.ERASE, agent))
    assert receipt.outcome is Outcome.MANUAL
    assert str(AGENT_ID) in world.twin(ZendeskTwin).records["users"]


def test_erasure_is_permanent_and_tells_what_it_did(world: Served, processor: ZendeskProcessor) -> None:
    receipt = processor.erase(order(Operation.ERASE, MARIAS))
    assert receipt.status is ReceiptStatus.IN_PROGRESS
    assert MARIA not in receipt.handle
    known = receipt.identities
    receipt = finish(processor, receipt)
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.COMPLETED, Outcome.PARTIAL)
    assert dict(receipt.counts) == {
        "messaging users": 1,
        "suspended tickets": 1,
        "redacted comments": 1,
        "tickets": 5,
        "users": 2,
    }
    assert [r.what for r in receipt.residue] == ["comments in other people's tickets"]
    state = world.state("zendesk")
    assert {u["name"] for u in state["permanently_deleted_users"]} == {"Permanently Deleted User"}
    assert not state["deleted_users"]
    assert not state["deleted_tickets"]
    (shared,) = (t for t in state["tickets"] if t["requester_id"] == COLLEAGUE_ID)
    assert [set(c["body"]) == {"\u2587"} for c in shared["comments"]] == [False, True]
    again = processor.find(MARIAS.plus(known))
    assert again.nothing
    second = finish(processor, processor.erase(order(Operation.ERASE, MARIAS.plus(known))))
    assert (second.status, second.outcome) == (ReceiptStatus.COMPLETED, Outcome.DONE)
    assert erase(processor).outcome is Outcome.NO_MATCH


def test_nothing_is_done_before_every_product_says_complete(world: Served, processor: ZendeskProcessor) -> None:
    world.twin(ZendeskTwin).world.day = 1000.0
    try:
        receipt = processor.erase(order(Operation.ERASE, Identities.of_email("ion.ionescu@example.com")))
        assert (receipt.status, receipt.ready_after_days) == (ReceiptStatus.IN_PROGRESS, 0.01)  # jobs still run
        assert str(support_id("ion.ionescu@example.com")) in world.twin(ZendeskTwin).records["users"]
        for job in world.twin(ZendeskTwin).records["job_statuses"].values():
            job["at"] -= 100
        receipt = processor.status(receipt)
        assert (receipt.status, receipt.ready_after_days) == (ReceiptStatus.IN_PROGRESS, 1.0)
    finally:
        world.twin(ZendeskTwin).world.day = 0.02
    assert finish(processor, receipt).status is ReceiptStatus.COMPLETED


def test_a_ticket_that_a_crash_left_soft_deleted_is_found_again(world: Served, processor: ZendeskProcessor) -> None:
    """The notes of the user remember it, since a deleted ticket no longer leads to its requester."""
    twin = world.twin(ZendeskTwin)
    id = next(i for i, t in twin.records["tickets"].items() if t["requester_id"] == support_id(MARIA))
    put(world, "zendesk", "users", str(support_id(MARIA)), notes=f"{JOURNAL}{id}")
    put(world, "zendesk", "deleted_tickets", id, **twin.records["tickets"].pop(id))
    assert erase(processor).counts["tickets"] == 5
    assert not world.state("zendesk")["deleted_tickets"]


class Killed(Exception):
    """The worker died."""


def test_an_erasure_killed_after_any_call_is_finished_by_the_next_try(
    world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor did what it was asked, and nobody wrote it down: for every call that changes something."""
    real = transport.Transport.call
    left = [0]

    def dying(self: transport.Transport, method: str, path: str, **more: Any) -> Any:
        answer = real(self, method, path, **more)
        if method != "GET":
            left[0] -= 1
            if left[0] == 0:
                raise Killed
        return answer

    monkeypatch.setattr(transport.Transport, "call", dying)
    for n in range(1, 100):  # each change in turn
        for twin in world.twins.values():
            twin.reset()
        left[0] = n
        try:
            erase(connect(world))
        except Killed:
            left[0] = 0
            assert erase(connect(world)).status is ReceiptStatus.COMPLETED
        else:
            break
        support, messaging = world.state("zendesk"), world.state("zendesk-messaging")
        assert not support["deleted_tickets"], f"killed after change {n}"
        assert effect_in_support(Operation.ERASE, support), n
        assert effect_in_messaging(Operation.ERASE, messaging), n
    assert n > 15, "the erasure changes more than that"


def test_a_job_that_failed_is_started_again(world: Served, processor: ZendeskProcessor) -> None:
    twin = world.twin(ZendeskTwin)
    id = next(i for i, t in twin.records["tickets"].items() if t["requester_id"] == support_id(MARIA))
    put(world, "zendesk", "deleted_tickets", id, **twin.records["tickets"].pop(id))
    handle = json.dumps({"jobs": {"forgotten": id}})
    receipt = finish(processor, Receipt(ReceiptStatus.IN_PROGRESS, handle=handle))
    assert receipt.status is ReceiptStatus.COMPLETED
    assert not world.state("zendesk")["deleted_tickets"]


@pytest.mark.parametrize("handle", ["", "{", "[]", '{"other": 1}'])
def test_a_handle_that_is_not_ours_is_no_success(processor: ZendeskProcessor, handle: str) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        processor.status(Receipt(ReceiptStatus.IN_PROGRESS, handle=handle))


def test_what_the_api_will_not_redact_a_person_redacts(
    world: Served, processor: ZendeskProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = processor._support.one

    def refuse(method: str, path: str, key: str, **more: Any) -> Any:
        if path.startswith("comment_redactions"):
            raise VendorRefused("zendesk", "refused the call (403)", 403)
        return real(method, path, key, **more)

    monkeypatch.setattr(processor._support, "one", refuse)
    receipt = erase(processor)
    assert receipt.outcome is Outcome.MANUAL
    assert "Redact this person's comments in tickets 35" in receipt.note
    assert not any(u["email"] == MARIA for u in world.state("zendesk")["users"])


def test_without_messaging_its_profile_is_a_persons_task(world: Served) -> None:
    processor = connect(world, SUPPORT_ENV)
    assert processor.find(MARIAS).held["messaging users"] == 1
    receipt = erase(processor)
    assert receipt.outcome is Outcome.MANUAL
    assert "messaging profile" in receipt.note
    assert any(u["email"] == MARIA for u in world.state("zendesk-messaging")["users"])


def test_the_visitor_who_asked_is_erased_by_the_conversations_id(world: Served, processor: ZendeskProcessor) -> None:
    world.say("zendesk-messaging", email="", text="delete my data", name="M")
    id = next(u["id"] for u in world.state("zendesk-messaging")["users"] if not u["email"])
    found = processor.find(Identities.of_email(STRANGER).plus([Identity("zendesk.messaging_user", id)]))
    assert dict(found.held) == {"messaging users": 1, "messaging conversations": 1}
    assert not found.ambiguous


def test_a_proxys_404_proves_nothing(world: Served, processor: ZendeskProcessor) -> None:
    subject = MARIAS.plus([Identity("zendesk.user", str(support_id(MARIA)))])
    for twin in ("zendesk", "zendesk-messaging"):
        world.fault(twin, "404", 60)
        with pytest.raises(VendorError):
            processor.find(subject)
        world.twins[twin].faults.clear()


def test_an_export_holds_what_is_hers_and_masks_others(world: Served, processor: ZendeskProcessor) -> None:
    twin = world.twin(ZendeskTwin)
    id, ticket = next((i, t) for i, t in twin.records["tickets"].items() if len(t["comments"]) > 4)
    guest = {**ticket["comments"][0], "id": 999_999_999, "author_id": COLLEAGUE_ID, "body": "secret of a colleague"}
    put(world, "zendesk", "tickets", id, comments=[*ticket["comments"], guest])
    exported = processor.export(order(Operation.EXPORT, MARIAS))
    files: dict[str, list[Any]] = {f.name: list(f.rows or ()) for f in exported}
    assert {name: len(rows) for name, rows in files.items()} == {
        "users.json": 2,
        "identities.json": 3,
        "tickets.json": 5,
        "comments.json": 9,
        "internal_notes.json": 1,
        "comments_in_other_tickets.json": 1,
        "connections.json": 6,
        "suspended_tickets.json": 1,
        "messaging_users.json": 1,
        "messaging_messages.json": 16,
    }
    text = json.dumps(files)
    assert "secret of a colleague" not in text
    assert "Our account cannot send." not in text
    assert {r["author"] for r in files["comments.json"]} == {"you", "support", "another person"}
    assert files["connections.json"][0]["system"]["ip_address"] == "192.0.2.17"
    assert consume(processor, order(Operation.EXPORT, Identities.of_email(STRANGER))) == {}


@pytest.mark.parametrize(
    ("right", "tags"),
    [
        (Right.UNSUBSCRIBE, {"privacy_no_marketing"}),
        (Right.OBJECTION, {"privacy_no_marketing", "privacy_objection"}),
        (Right.AGE_REPORT, {"privacy_no_marketing", "privacy_under_16_reported"}),
    ],
)
def test_suppression_tags_by_right_keeps_other_tags_and_locks_nobody_out(
    world: Served, processor: ZendeskProcessor, right: Right, tags: set[str]
) -> None:
    put(world, "zendesk", "users", str(support_id(MARIA)), tags=["vip"])
    processor.perform(order(Operation.SUPPRESS, MARIAS, right))
    user = world.twin(ZendeskTwin).records["users"][str(support_id(MARIA))]
    assert set(user["tags"]) == tags | {"vip"}
    assert user["suspended"] is False
    unknown = processor.perform(order(Operation.SUPPRESS, Identities.of_email(STRANGER), right))
    assert unknown.outcome is Outcome.NO_MATCH
    assert not any(u["email"] == STRANGER for u in world.state("zendesk")["users"])


def test_a_new_address_replaces_the_old_one_in_both_stores(world: Served, processor: ZendeskProcessor) -> None:
    change = order(Operation.RECTIFY, MARIAS, Right.RECTIFICATION, email="maria@new.example", company="New SRL")
    receipt = processor.perform(change)
    assert receipt.outcome is Outcome.MANUAL
    assert "company" in receipt.note
    user = world.twin(ZendeskTwin).records["users"][str(support_id(MARIA))]
    assert user["email"] == "maria@new.example"
    assert [i["value"] for i in user["identities"] if i["type"] == "email"] == ["maria@new.example"]
    (person,) = (u for u in world.state("zendesk-messaging")["users"] if u["id"] == messaging_id(MARIA))
    assert person["profile"]["email"] == "maria@new.example"
    again = order(Operation.RECTIFY, MARIAS.plus([Identity("account_id", "acc-maria")]), email="maria@new.example")
    assert processor.perform(again).outcome is Outcome.DONE
