"""Slack, the way back, and the twin, over real HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from threading import Thread
from typing import Any

import jsonschema
import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from dsr.errors import (
    NotFound,
    VendorRateLimited,
    VendorRefused,
)
from dsr.messages import AgentCommand, ConversationRef, Evidence, InboundMessage, Reply
from dsr.model import Identities, Identity, Operation
from integrations.slack import twin as twin_module
from integrations.slack.channel import SlackChannel
from integrations.slack.processor import SlackProcessor
from integrations.slack.settings import SlackSettings
from integrations.slack.twin import SlackTwin
from tests.slack import (
    REF,
    SPECS,
    asked,
    conversation,
    fresh,
    instruction,
    slack,
    with_users,
    workspace,
)
from tests.twins import MARIA, STRANGER, Inbox, Served, receiving


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


@pytest.fixture(scope="module")
def app() -> Iterator[Inbox]:
    with receiving() as app:
        yield app


@pytest.fixture
def inbox(served: Served, app: Inbox) -> Inbox:
    app.deliveries.clear()
    app.status, app.accept = 200, slack().verify
    fresh(served, app.url)
    return app


def test_the_workspace_vouches_for_a_full_members_confirmed_address(channel: SlackChannel) -> None:
    message = asked(channel)
    assert (message.address, message.evidence, message.author_name) == (MARIA, Evidence.SIGNED, "Maria Pop")


@pytest.mark.parametrize(
    "fields",
    [
        {"is_email_confirmed": False},
        {"is_email_confirmed": None},
        {"is_email_confirmed": "true"},
        {"deleted": True},
        {"is_bot": True},
        {"is_stranger": True},
        {"is_restricted": True},
        {"is_ultra_restricted": True},
        {"team_id": "T0OTHER001"},
        {"id": "U0SOMEBODY"},
    ],
)
def test_anybody_elses_address_is_a_claim(served: Served, channel: SlackChannel, fields: dict[str, Any]) -> None:
    with_users(served, **fields)
    message = asked(channel)
    assert (message.address, message.evidence) == (MARIA, Evidence.CLAIM)


def test_no_address_is_no_evidence(served: Served, channel: SlackChannel) -> None:
    with_users(served, profile={"email": None})
    assert asked(channel).evidence is Evidence.NONE
    assert asked(channel, "T0DESK0001:U0NOBODY").evidence is Evidence.NONE


def test_another_workspaces_id_proves_nothing(channel: SlackChannel) -> None:
    assert asked(channel, "T0OTHER001:UACCMARIA").evidence is Evidence.CLAIM


def test_an_address_is_compared_in_lower_case(served: Served, channel: SlackChannel) -> None:
    with_users(served, profile={"email": " Maria.Pop@Example.com "})
    assert asked(channel).address == MARIA


def test_a_reply_is_plain_text_and_can_be_found_again(served: Served, channel: SlackChannel) -> None:
    assert not channel.said(REF, "x", idempotency_key="k1")
    channel.reply(REF, Reply("Use <code> & *this* <!channel>"), idempotency_key="k1")
    for n in range(5):  # others come after it, on several pages
        channel.reply(REF, Reply(f"later {n}"), idempotency_key=f"later-{n}")
    message = conversation(served, "DACCMARIA")[-6]
    assert message["text"] == "Use &lt;code&gt; &amp; *this* &lt;!channel&gt;"
    assert message["bot_id"] == "B0BOT00001"
    assert message["metadata"] == {"event_type": "privacy_desk", "event_payload": {"key": "k1"}}
    assert channel.said(REF, "x", idempotency_key="k1")
    assert not channel.said(REF, "Use <code> & *this* <!channel>", idempotency_key="k2")


def test_a_note_goes_to_the_agents_and_names_the_member(served: Served, channel: SlackChannel) -> None:
    before = len(conversation(served, "DACCMARIA"))
    channel.note(REF, "Erasure: the person has lost the mailbox & needs you.", idempotency_key="n1")
    (message,) = conversation(served, "C0PRIVACY")
    assert message["text"] == "About <@UACCMARIA>:\nErasure: the person has lost the mailbox &amp; needs you."
    assert len(conversation(served, "DACCMARIA")) == before
    assert channel.said(REF, "", idempotency_key="n1")


def test_an_announcement_has_buttons_that_come_back_as_commands(
    served: Served, channel: SlackChannel, inbox: Inbox
) -> None:
    channel.tell_agents("New: erasure, m…@example.com, due 2026-12-23", reference="PR-7K2M9X", idempotency_key="a1")
    (message,) = conversation(served, "C0PRIVACY")
    assert message["text"] == "New: erasure, m…@example.com, due 2026-12-23"
    section, actions = message["blocks"]
    assert section["text"]["text"] == message["text"]
    buttons = actions["elements"]
    assert [(b["action_id"], b["value"]) for b in buttons] == [
        (a, "PR-7K2M9X") for a in ("show", "approve", "withdraw")
    ]
    assert ["confirm" in b for b in buttons] == [False, True, True]
    assert channel.said(REF, "", idempotency_key="a1")
    assert channel.said(ConversationRef("slack", ""), "", idempotency_key="a1")
    press = {"user": "U0AGENT", "action": buttons[1]["action_id"], "reference": buttons[1]["value"]}
    served.twin(SlackTwin).records["commands"].clear()
    inbox.status = 500  # so that the twin does not wait for an answer
    requests.post(f"{served.url('slack')}/_twin/press", json=press, timeout=10)
    (command,) = channel.parse(inbox.deliveries[0])
    assert isinstance(command, AgentCommand)
    assert command.text == "approve PR-7K2M9X"


def test_an_announcement_without_a_reference_has_no_buttons(served: Served, channel: SlackChannel) -> None:
    channel.tell_agents("The list of processors changed. " * 400, reference=None, idempotency_key="a2")
    (message,) = conversation(served, "C0PRIVACY")
    assert {block["type"] for block in message["blocks"]} == {"section"}
    assert len(message["blocks"]) > 1


def test_the_immediate_answer_to_a_command_is_for_the_agent_alone() -> None:
    answer = slack().command_response("Nothing <open>")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"response_type": "ephemeral", "text": "Nothing &lt;open&gt;"}


def test_a_command_is_answered_at_its_response_url(served: Served, channel: SlackChannel, inbox: Inbox) -> None:
    """The app answers 200 at once, and the worker later at the URL."""

    def worker() -> None:
        while not inbox.deliveries:
            time.sleep(0.01)
        (command,) = channel.parse(inbox.deliveries[0])
        assert isinstance(command, AgentCommand)
        channel.answer_command(command.response_url, "Opened PR-7K2M9X")

    thread = Thread(target=worker)
    thread.start()
    typed = {"user": "U0AGENT", "text": "open a@example.com erasure"}
    answer = requests.post(f"{served.url('slack')}/_twin/command", json=typed, timeout=10).json()
    thread.join()
    assert answer == {"status": 200, "response": {}, "answers": ["Opened PR-7K2M9X"]}
    assert inbox.deliveries[0].path == "/slack/events"
    channel.verify(inbox.deliveries[0])
    (shown,) = served.state("slack")["ephemeral"]
    assert (shown["user"], shown["text"]) == ("U0AGENT", "Opened PR-7K2M9X")
    for _ in range(4):
        channel.answer_command(shown["response_url"], "more")
    with pytest.raises(NotFound):  # the sixth
        channel.answer_command(shown["response_url"], "too much")


def test_an_answer_goes_nowhere_but_to_the_hooks_host(channel: SlackChannel) -> None:
    for url in ("https://hooks.slack.com.evil.example/x", "http://169.254.169.254/", "file:///etc/passwd", "", "x"):
        with pytest.raises(VendorRefused):
            channel.answer_command(url, "Opened")
    with pytest.raises(VendorRefused):
        slack().answer_command("http://hooks.slack.com/commands/1", "Opened")


def test_identities_of_a_conversation_are_the_members_id(channel: SlackChannel) -> None:
    assert channel.identities(REF) == (Identity("slack.user", "UACCMARIA"),)
    assert channel.identities(ConversationRef("slack", "D1")) == ()


def test_what_a_member_says_arrives_signed(served: Served, channel: SlackChannel, inbox: Inbox) -> None:
    said = served.say("slack", email=MARIA, text="Please delete me: maria.pop@example.com", deliver=True)
    assert said.status_code == 200
    assert said.json()["conversation"] == "DACCMARIA"
    assert said.json()["delivered"] == 200
    (given,) = inbox.deliveries
    assert given.path == "/slack/events"
    channel.verify(given)
    (message,) = channel.parse(given)
    assert isinstance(message, InboundMessage)
    assert message.text == "Please delete me: maria.pop@example.com"
    assert message.conversation == REF
    assert channel.complete(message).evidence is Evidence.SIGNED
    served.say("slack", user="UACCMARIA", text="again", deliver=True)
    (again,) = channel.parse(inbox.deliveries[1])
    assert isinstance(again, InboundMessage)
    assert again.event_id != message.event_id
    assert again.sent_at > message.sent_at


def test_saying_fails_when_the_app_refuses(served: Served, inbox: Inbox) -> None:
    inbox.status = 503
    said = served.say("slack", email=MARIA, text="hello", deliver=True)
    assert (said.status_code, said.json()["delivered"]) == (503, 503)


@pytest.mark.parametrize("email", ["stranger@elsewhere.example", "not an address", ""])
def test_somebody_whom_the_workspace_does_not_know_is_a_claim(
    served: Served, channel: SlackChannel, inbox: Inbox, email: str
) -> None:
    assert served.say("slack", email=email, text="hello", deliver=True, role="lead", extra=1).status_code == 200
    (message,) = channel.parse(inbox.deliveries[0])
    assert isinstance(message, InboundMessage)
    assert channel.complete(message).evidence is (Evidence.CLAIM if email else Evidence.NONE)


def test_a_stranger_with_a_members_address_is_a_claim(served: Served, channel: SlackChannel, inbox: Inbox) -> None:
    served.say("slack", user="U0EVIL", email=MARIA, text="delete me", deliver=True)
    (message,) = channel.parse(inbox.deliveries[0])
    assert isinstance(message, InboundMessage)
    completed = channel.complete(message)
    assert (completed.address, completed.evidence) == (MARIA, Evidence.CLAIM)


def test_a_conversation_can_be_continued_and_joined(served: Served, channel: SlackChannel, inbox: Inbox) -> None:
    first = served.say("slack", email=MARIA, text="one", deliver=True).json()["conversation"]
    assert served.say("slack", conversation=first, text="two", deliver=True).json()["conversation"] == first
    served.say("slack", conversation=first, email="ion.ionescu@example.com", text="three", deliver=True)
    people = []
    for given in inbox.deliveries:
        (message,) = channel.parse(given)
        assert isinstance(message, InboundMessage)
        assert message.conversation.id == first
        people.append(message.conversation.person)
    assert people == ["T0DESK0001:UACCMARIA", "T0DESK0001:UACCMARIA", "T0DESK0001:UACCION"]


def test_an_immediate_answer_is_shown_to_a_command_but_not_to_a_button(
    served: Served, channel: SlackChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twin_module, "WAIT", 0.1)
    body = channel.command_response("Two open requests").body.encode()
    monkeypatch.setattr(SlackTwin, "_send", lambda *args: (200, body))
    url = f"{served.url('slack')}/_twin"
    typed = requests.post(f"{url}/command", json={"user": "U0AGENT", "text": "list"}, timeout=10).json()
    assert (typed["status"], typed["response"]["text"], typed["answers"]) == (200, "Two open requests", [])
    pressed = {"user": "U0AGENT", "action": "show", "reference": "PR-7K2M9X"}
    requests.post(f"{url}/press", json=pressed, timeout=10)
    assert [e["text"] for e in served.state("slack")["ephemeral"]] == ["Two open requests"]


def test_state_shows_people_and_conversations(served: Served) -> None:
    state = served.state("slack")
    people = {user["id"]: user["email"] for user in state["users"]}
    assert people["UACCMARIA"] == MARIA
    assert "U0AGENT" in people
    ids = {c["id"] for c in state["conversations"]}
    assert {"C0PRIVACY", "DACCMARIA"} <= ids
    assert all(m["text"] for c in state["conversations"] for m in c["messages"])
    assert "meta" not in state


def test_the_twin_limits_each_method(served: Served, channel: SlackChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlackTwin, "calls_per_minute", 2)
    channel.check()
    channel.check()
    with pytest.raises(VendorRateLimited) as raised:
        channel.check()
    assert raised.value.retry_after is not None
    assert raised.value.retry_after > 30
    assert asked(channel).address == MARIA


def test_the_official_client_gets_on_with_the_twin(served: Served) -> None:
    """The twin is no invention of ours: slack_sdk calls it as it calls Slack."""
    client = WebClient("xoxb-of-the-test", base_url=served.url("slack") + "/")
    assert client.auth_test()["user_id"] == "U0BOT"
    user = client.users_lookupByEmail(email=MARIA)["user"]
    channel = client.conversations_open(users=user["id"])["channel"]["id"]
    metadata = {"event_type": "t", "event_payload": {"key": "k"}}
    posted = client.chat_postMessage(channel=channel, text="hello", metadata=metadata)
    pages = [
        page["messages"] for page in client.conversations_history(channel=channel, include_all_metadata=True, limit=2)
    ]
    assert [len(page) for page in pages] == [2, 2, 2]
    assert pages[0][0]["metadata"] == metadata
    client.chat_delete(channel=channel, ts=posted["ts"])
    for wrong in (
        lambda: client.chat_delete(channel=channel, ts=posted["ts"]),
        lambda: client.chat_delete(channel=channel, ts=pages[2][1]["ts"]),
        lambda: client.users_info(user="U0NOBODY"),
        lambda: client.chat_postMessage(channel="C0NOWHERE", text="x"),
        lambda: WebClient("xoxb-wrong", base_url=served.url("slack") + "/").auth_test(),
        lambda: WebClient(base_url=served.url("slack") + "/").auth_test(),
    ):
        with pytest.raises(SlackApiError):
            wrong()


# The specification is of 2021: these came later.
NEWER_ARGUMENTS = {"metadata", "include_all_metadata", "limit"}
NEWER_FIELDS = {"response_metadata", "metadata"}


@pytest.mark.skipif(not SPECS.exists(), reason="Slack's specification is not beside the repository")
def test_calls_and_answers_agree_with_the_specification(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, set[str], dict[str, Any]]] = []
    original = twin_module.call

    def without_newer(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name not in NEWER_FIELDS}

    def noted(workspace: Any, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        answer = original(workspace, method, arguments)
        calls.append((method, set(arguments), json.loads(json.dumps(answer), object_hook=without_newer)))
        return answer

    monkeypatch.setattr(twin_module, "call", noted)
    channel = SlackChannel(served.settings(SlackSettings))
    processor = SlackProcessor(served.settings(SlackSettings), None)  # type: ignore[arg-type]
    channel.check()
    asked(channel)
    channel.reply(REF, Reply("hello"), idempotency_key="k")
    channel.note(ConversationRef("slack", "DACCION", "T0DESK0001:UACCION"), "stays", idempotency_key="n")
    processor.find(Identities.of_email(STRANGER))
    for file in processor.export(instruction(Operation.EXPORT)):
        list(file.rows or ())
    processor.perform(instruction(Operation.ERASE))
    specification = json.loads((SPECS / "slack_web_openapi_v2.json").read_text())
    assert len({method for method, _, _ in calls}) == 9
    for method, arguments, answer in calls:
        (operation,) = specification["paths"][f"/{method}"].values()
        parameters = {p["name"]: p.get("required", False) for p in operation["parameters"] if p["name"] != "token"}
        assert arguments - NEWER_ARGUMENTS <= set(parameters), method
        assert {name for name, required in parameters.items() if required} <= arguments, method
        schema = {**operation["responses"]["200"]["schema"], "definitions": specification["definitions"]}
        problems = [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(answer)]
        assert not problems, method
