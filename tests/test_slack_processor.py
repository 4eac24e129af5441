"""Slack as a processor, over real HTTP to the twin."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests

from dsr.errors import (
    VendorError,
    VendorRefused,
)
from dsr.messages import ConversationRef
from dsr.model import Identities, Identity, Operation, Outcome, ReceiptStatus
from integrations.slack import VENDOR
from integrations.slack.channel import SlackChannel
from integrations.slack.processor import SlackProcessor
from integrations.slack.settings import SlackSettings
from integrations.slack.twin import SlackTwin
from tests.contracts import PATIENT, ProcessorContract, impatient
from tests.slack import (
    ENV,
    REF,
    conversation,
    fresh,
    instruction,
    with_users,
    workspace,
)
from tests.twins import MARIA, STRANGER, Served


class TestSlackProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        raise AssertionError("every operation that changes something is with a person; see the tests below")


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with workspace() as shared:
        yield shared


@pytest.fixture
def served(shared: Served) -> Served:
    return fresh(shared)


@pytest.fixture
def channel(served: Served) -> SlackChannel:
    return SlackChannel(served.settings(SlackSettings))


@pytest.fixture
def processor(served: Served) -> SlackProcessor:
    return SlackProcessor(served.settings(SlackSettings), None)  # type: ignore[arg-type]


def test_find_counts_and_tells_what_will_stay(processor: SlackProcessor) -> None:
    found = processor.find(Identities.of_email(MARIA))
    assert dict(found.held) == {"profile": 1, "messages of the bot": 3}
    assert found.identities == (Identity("slack.user", "UACCMARIA"),)
    assert [residue.what for residue in found.residue] == ["messages that the person wrote to the privacy bot"]
    assert not found.ambiguous


def test_looking_opens_no_conversation_and_puts_no_address_into_a_url(
    served: Served, processor: SlackProcessor
) -> None:
    before = len(served.state("slack")["conversations"])
    processor.find(Identities.of_email("lena.berg@example.com"))
    assert len(served.state("slack")["conversations"]) == before
    assert not any("@" in call or "%40" in call for call in served.calls("slack"))


def test_erasure_deletes_what_the_bot_wrote_and_leaves_the_profile_to_the_owner(
    served: Served, channel: SlackChannel, processor: SlackProcessor
) -> None:
    channel.note(REF, "hand-over", idempotency_key="n1")
    channel.note(ConversationRef("slack", "DACCION", "T0DESK0001:UACCION"), "another", idempotency_key="n2")
    channel.tell_agents("New request", reference="PR-7K2M9X", idempotency_key="a1")
    receipt = processor.perform(instruction(Operation.ERASE))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, Outcome.MANUAL)
    assert dict(receipt.counts) == {"messages of the bot": 4}
    assert "Primary Owner" in receipt.note
    assert MARIA not in receipt.note
    assert receipt.identities == (Identity("slack.user", "UACCMARIA"),)
    assert len(receipt.residue) == 1
    assert [m["user"] for m in conversation(served, "DACCMARIA")] == ["UACCMARIA", "UACCMARIA"]
    assert [m["text"][:5] for m in conversation(served, "C0PRIVACY")] == ["About", "New r"]
    assert processor.find(Identities.of_email(MARIA)).held == {"profile": 1}
    again = processor.perform(instruction(Operation.ERASE))
    assert again.outcome is Outcome.MANUAL
    assert dict(again.counts) == {"messages of the bot": 0}


def test_after_the_owner_has_deleted_the_profile_nothing_is_held(served: Served, processor: SlackProcessor) -> None:
    receipt = processor.perform(instruction(Operation.ERASE))
    answer = requests.post(f"{served.url('slack')}/_twin/delete-profile", json={"email": MARIA}, timeout=10)
    assert answer.json() == {"deleted": "UACCMARIA"}
    subject = Identities.of_email(MARIA).plus(receipt.identities)
    found = processor.find(subject)
    assert found.nothing
    assert found.residue
    assert MARIA not in {user["email"] for user in served.state("slack")["users"]}
    second = processor.perform(instruction(Operation.ERASE, subject))
    assert second.outcome is Outcome.PARTIAL


def test_a_deactivated_members_profile_is_still_held(served: Served, processor: SlackProcessor) -> None:
    with_users(served, deleted=True)
    found = processor.find(Identities.of_email(MARIA))
    assert found.held["profile"] == 1
    with_users(served, deleted=True, profile={"email": None})
    by_id = Identities.of_email(MARIA).plus([Identity("slack.user", "UACCMARIA")])
    assert processor.find(by_id).held["profile"] == 1


def test_two_members_stop_the_erasure(served: Served, processor: SlackProcessor) -> None:
    subject = Identities.of_email(MARIA).plus([Identity("slack.user", "UACCPOPA")])
    assert processor.find(subject).ambiguous
    receipt = processor.perform(instruction(Operation.ERASE, subject))
    assert receipt.outcome is Outcome.MANUAL
    assert receipt.note.startswith("Two Slack members")
    assert len(conversation(served, "DACCMARIA")) == 5
    with pytest.raises(VendorRefused):
        list(processor.export(instruction(Operation.EXPORT, subject)))


def test_a_lookup_that_answers_with_another_address_finds_nobody(
    served: Served, processor: SlackProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = served.twin(SlackTwin)
    maria = twin.records["users"]["UACCMARIA"]
    monkeypatch.setattr(twin.workspace, "with_email", lambda email: [maria])
    assert processor.find(Identities.of_email(STRANGER)).nothing


def test_a_stranger_from_another_organisation_has_no_profile_here(served: Served, processor: SlackProcessor) -> None:
    said = served.say("slack", email="guest@elsewhere.example", text="hi").json()
    subject = Identities.of_email("guest@elsewhere.example").plus([Identity("slack.user", said["user"])])
    found = processor.find(subject)
    assert found.nothing
    assert found.residue


def test_no_task_is_opened_for_somebody_who_is_no_member(processor: SlackProcessor) -> None:
    nobody = Identities.of_email(STRANGER)
    for operation in (Operation.ERASE, Operation.RESTRICT, Operation.LIFT, Operation.RECTIFY):
        assert processor.perform(instruction(operation, nobody)).outcome is Outcome.NO_MATCH
    assert list(processor.export(instruction(Operation.EXPORT, nobody))) == []


def test_the_export_holds_profile_and_conversation(processor: SlackProcessor) -> None:
    files = {file.name: list(file.rows or ()) for file in processor.export(instruction(Operation.EXPORT))}
    assert set(files) == {"members.json", "profile-UACCMARIA.json", "direct-messages-DACCMARIA.json"}
    assert len(files["direct-messages-DACCMARIA.json"]) == 5
    assert files["profile-UACCMARIA.json"][0]["email"] == MARIA


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("fault", ["503", "error_in_200", "401", "404", "bad_json", "reset"])
def test_a_fault_during_the_erasure_is_never_told_as_done(
    served: Served, processor: SlackProcessor, at: int, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, **PATIENT)
    served.twin(SlackTwin).faults[:] = [""] * at + [fault] * 3
    receipt = None
    with contextlib.suppress(VendorError):
        receipt = processor.perform(instruction(Operation.ERASE))
    served.twin(SlackTwin).faults.clear()
    if receipt:
        assert receipt.outcome is Outcome.MANUAL
        assert processor.find(Identities.of_email(MARIA)).held == {"profile": 1}
    processor.perform(instruction(Operation.ERASE))
    assert processor.find(Identities.of_email(MARIA)).held == {"profile": 1}
