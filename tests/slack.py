"""What the tests of Slack share: settings, the recorded message, and the twin's workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dsr.messages import ConversationRef, Delivery, InboundMessage
from dsr.model import Identities, Instruction, Operation, Right
from integrations.slack.channel import SlackChannel
from integrations.slack.settings import SlackSettings
from integrations.slack.twin import SlackTwin
from integrations.slack.twin_webhooks import JSON, signed
from tests.twins import MARIA, Served, delivery, serving

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ENV = {
    "SLACK_BOT_TOKEN": "xoxb-of-the-test",
    "SLACK_SIGNING_SECRET": SECRET,
    "SLACK_AGENT_CHANNEL": "C0PRIVACY",
    "SLACK_AGENTS": "U0AGENT, U0OTHER",
}
MESSAGE = (Path(__file__).parent / "fixtures/slack/message_im.json").read_bytes()
SPECS = Path(__file__).parents[2] / "shared/specs/slack"


def changed(**event: Any) -> bytes:
    """The recorded message with fields of its event replaced; None leaves a field out."""
    payload = json.loads(MESSAGE)
    payload["event"] = {k: v for k, v in {**payload["event"], **event}.items() if v is not None}
    return json.dumps(payload).encode()


def incoming(body: bytes, content_type: str = JSON) -> Delivery:
    return delivery(body, signed(SECRET, body, content_type), path="/slack/events")


def slack(**env: str) -> SlackChannel:
    settings = SlackSettings.from_env({**ENV, **env})
    assert settings is not None
    return SlackChannel(settings)


REF = ConversationRef("slack", "DACCMARIA", "T0DESK0001:UACCMARIA")


@contextmanager
def workspace() -> Iterator[Served]:
    """The twin, served."""
    with serving(SlackTwin, env=ENV) as served:
        yield served


def fresh(shared: Served, app_url: str = "") -> Served:
    """The twin as seeded."""
    twin = shared.twin(SlackTwin)
    twin.reset()
    twin._starts.clear()
    twin.world.app_url = app_url
    return shared


def conversation(served: Served, id: str) -> list[dict[str, Any]]:
    return next(c["messages"] for c in served.state("slack")["conversations"] if c["id"] == id)


def with_users(served: Served, **fields: Any) -> None:
    """Change Maria's user object."""
    users = served.twin(SlackTwin).records["users"]
    profile = {**users["UACCMARIA"]["profile"], **fields.pop("profile", {})}
    users["UACCMARIA"] = {**users["UACCMARIA"], **fields, "profile": profile}


def instruction(operation: Operation, subject: Identities | None = None) -> Instruction:
    right = Right.EXPORT if operation is Operation.EXPORT else Right.ERASURE
    return Instruction("PR-TEST01", right, operation, subject or Identities.of_email(MARIA), "key-1")


def asked(channel: SlackChannel, person: str = REF.person) -> InboundMessage:
    message = InboundMessage("Ev1", ConversationRef("slack", "D1", person), "hello", datetime.now(UTC))
    return channel.complete(message)
