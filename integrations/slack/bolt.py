"""Bolt sorts a verified delivery and acknowledges it; its listeners turn it into the house's events.

Bolt runs without network and without state: our own code has verified the delivery before, and de-duplicates and
stores after. It is given no headers and a parsed body (its own reader loses every form in which the word "payload"
occurs, and its logger writes bodies). What it raises on a strange shape is one thing to us: not understood.

Payloads: https://docs.slack.dev/reference/events/message.im,
https://docs.slack.dev/interactivity/implementing-slash-commands,
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field
from slack_bolt import App, BoltContext, BoltRequest
from slack_bolt.authorization import AuthorizeResult

from dsr.errors import PayloadNotUnderstood
from dsr.messages import AgentCommand, ConversationRef, Delivery, Inbound, InboundMessage, WebhookResponse
from integrations.slack.mrkdwn import unescape
from integrations.slack.signature import TIMESTAMP

CHANNEL = "slack"
ACTIONS = ("show", "approve", "withdraw")  # buttons under an announcement, and the commands that they stand for
# Messages that a person wrote; every other subtype (bot_message, message_changed, channel_join…) is no message to us.
WRITTEN = (None, "file_share", "me_message", "thread_broadcast")

Id = Annotated[str, Field(min_length=1, max_length=300)]


class _Message(BaseModel):
    channel: Id
    user: Id
    text: str = ""
    ts: Annotated[str, Field(pattern=r"^[0-9]{1,10}\.[0-9]{1,6}$")]  # unique in its channel; never a float


class _Envelope(BaseModel):
    event_id: Id
    team_id: Id
    event: _Message


class _Command(BaseModel):
    trigger_id: Id
    user_id: Id
    text: str = ""
    response_url: str = ""


class _Member(BaseModel):
    id: Id


class _Action(BaseModel):
    action_id: Id
    value: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$")]


class _Press(BaseModel):
    trigger_id: Id
    user: _Member
    actions: Annotated[list[_Action], Field(min_length=1)]
    response_url: str = ""


class Dispatcher:
    """One Bolt app, shared by all threads."""

    def __init__(self) -> None:
        quiet = logging.Logger("slack_bolt", logging.CRITICAL + 1)
        quiet.disabled = True
        self._app = App(
            logger=quiet,
            name="privacy-desk",
            process_before_response=True,
            raise_error_for_unhandled_request=True,
            signing_secret="",
            authorize=_authorize,
            request_verification_enabled=False,
            ignoring_self_events_enabled=False,  # would need the bot's id from the network; `_message` looks itself
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        self._app.error(_raise)
        self._app.event({"type": "message", "subtype": WRITTEN})(_message)
        self._app.event(re.compile(""))(_ignored)
        self._app.command(re.compile(""))(_command)
        self._app.block_action(re.compile(f"^({'|'.join(ACTIONS)})$"))(_press)

    def dispatch(self, delivery: Delivery) -> tuple[list[Inbound], WebhookResponse]:
        """What happened, and the acknowledgement.

        Raises:
            PayloadNotUnderstood: neither we nor Bolt know the shape.
        """
        try:
            request = BoltRequest(
                body=_payload(delivery), mode="socket_mode", context={"found": [], "sent_at": _sent_at(delivery)}
            )
            response = self._app.dispatch(request)
        except PayloadNotUnderstood:
            raise
        except Exception as error:  # Bolt meets a strange shape with whatever Python raises
            raise PayloadNotUnderstood(f"Slack sent something else ({type(error).__name__})") from None
        content_type = response.headers.get("content-type", ["text/plain; charset=utf-8"])[0]
        return request.context["found"], WebhookResponse(response.status, response.body, content_type)


def _payload(delivery: Delivery) -> dict[str, Any]:
    """Events are JSON; commands are a form; button presses are JSON in the form field `payload`."""
    text = delivery.body.decode()
    if delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(text, keep_blank_values=True))
        found = json.loads(form["payload"]) if "payload" in form else form
    else:
        found = json.loads(text)
    if not isinstance(found, dict):
        raise PayloadNotUnderstood("Slack sent something that is not an object")
    return found


def _sent_at(delivery: Delivery) -> datetime:
    """Commands and presses carry no time; the signed header does."""
    seconds = delivery.headers.get(TIMESTAMP, "")
    return datetime.fromtimestamp(int(seconds), UTC) if re.fullmatch("[0-9]{1,10}", seconds) else delivery.received_at


def _authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    """Calls go through our transport, so Bolt gets no token."""
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


def _raise(error: Exception) -> NoReturn:
    raise error


def _message(body: Mapping[str, Any], context: BoltContext) -> None:
    event = body["event"]
    ourselves = {a.get("user_id") for a in body.get("authorizations") or () if a.get("is_bot")} | {"USLACKBOT"}
    if event.get("channel_type") != "im" or event.get("bot_id") or event.get("user") in ourselves:
        return
    known = _Envelope.model_validate(body)
    seconds, _, fraction = known.event.ts.partition(".")
    context["found"].append(
        InboundMessage(
            event_id=known.event_id,
            conversation=ConversationRef(CHANNEL, known.event.channel, f"{known.team_id}:{known.event.user}"),
            text=unescape(known.event.text),
            sent_at=datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(fraction.ljust(6, "0"))),
        )
    )


def _ignored() -> None:
    """An event that we did not ask for is acknowledged, so that Slack does not repeat it."""


def _command(body: Mapping[str, Any], context: BoltContext) -> None:
    known = _Command.model_validate(body)
    text = unescape(known.text).strip()
    context["found"].append(AgentCommand(known.trigger_id, known.user_id, text, known.response_url, context["sent_at"]))
    context.ack()


def _press(body: Mapping[str, Any], context: BoltContext) -> None:
    known = _Press.model_validate(body)
    pressed = known.actions[0]
    text = f"{pressed.action_id} {pressed.value}"
    context["found"].append(AgentCommand(known.trigger_id, known.user.id, text, known.response_url, context["sent_at"]))
    context.ack()
