"""Slack as a channel: direct messages to the bot, and the agents' commands and buttons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from dsr.errors import PayloadNotUnderstood, VendorError
from dsr.messages import ConversationRef, Delivery, Evidence, Inbound, InboundMessage, Reply, WebhookResponse
from dsr.model import Identity
from integrations.channel import Channel
from integrations.slack.api import SlackApi, part, refused_as
from integrations.slack.bolt import ACTIONS, CHANNEL, Dispatcher
from integrations.slack.mrkdwn import escape, sections
from integrations.slack.settings import SlackSettings
from integrations.slack.signature import verify
from integrations.transport import post_to_outside_url

EVENT_TYPE = "privacy_desk"  # of the metadata that our messages carry
LOOK_BACK = 200  # messages; an interrupted reply is found among the latest


class SlackChannel(Channel):
    """One workspace. `person` of a conversation is `team:member`; both together name somebody."""

    name: ClassVar[str] = CHANNEL
    label: ClassVar[str] = "Slack"
    vendor: ClassVar[str] = "slack"

    def __init__(self, settings: SlackSettings) -> None:
        self._settings = settings
        self._secret = settings.signing_secret.get_secret_value()
        self._api = SlackApi(settings)
        self._bolt = Dispatcher()

    def verify(self, delivery: Delivery) -> None:
        verify(self._secret, delivery, delivery.received_at)

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        return self._bolt.dispatch(delivery)[0]

    def respond(self, delivery: Delivery) -> WebhookResponse:
        """The challenge of the handshake; else an empty acknowledgement, which shows an agent nothing yet."""
        try:
            return self._bolt.dispatch(delivery)[1]
        except PayloadNotUnderstood:
            return WebhookResponse()

    def command_response(self, text: str) -> WebhookResponse:
        """The answer to a command, in the response itself; only the agent sees it."""
        return WebhookResponse(body=json.dumps(_ephemeral(text)), content_type="application/json")

    def is_agent(self, user: str) -> bool:
        """Whether this member may use commands."""
        return user in self._settings.agent_ids

    def complete(self, message: InboundMessage) -> InboundMessage:
        """Add the author's address. The workspace vouches for a full member's confirmed address; anything else
        (a guest, a member of another organisation, a deactivated account) is a claim."""
        team, _, member = message.conversation.person.partition(":")
        try:
            user = part(self._api.ask("users.info", user=member), "user")
        except VendorError as error:
            if refused_as(error, "user_not_found", "user_not_visible"):
                return message
            raise
        profile = part(user, "profile")
        name = str(profile.get("real_name") or user.get("name") or "")
        address = profile.get("email")
        if not isinstance(address, str) or not address.strip():
            return replace(message, author_name=name)
        evidence = Evidence.SIGNED if user.get("id") == member and _vouched_for(user, team) else Evidence.CLAIM
        return replace(message, address=address.strip().lower(), evidence=evidence, author_name=name)

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        self._post(conversation.id, escape(message.text), {"key": idempotency_key})

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None:
        """Slack has no internal notes: it goes to the agents' channel and mentions the member, so that an agent
        can write to them. The member's id in the metadata lets the erasure find the note."""
        member = conversation.person.partition(":")[2]
        about = f"About <@{member}>:\n" if member else ""
        payload = {"key": idempotency_key, "member": member}
        self._post(self._settings.agent_channel, about + escape(text), payload)

    def tell_agents(self, text: str, *, reference: str | None, idempotency_key: str) -> None:
        """Announce something in the agents' channel.

        Args:
            text: plain text without personal data.
            reference: of the request that the buttons act on; None: no buttons.

        Raises:
            VendorError: it was not posted, or nobody knows (see `said`).
        """
        blocks: list[dict[str, Any]] = [
            {"type": "section", "text": {"type": "mrkdwn", "text": piece}} for piece in sections(text)[:49]
        ]
        if reference:
            blocks.append({"type": "actions", "elements": [_button(action, reference) for action in ACTIONS]})
        self._post(self._settings.agent_channel, escape(text), {"key": idempotency_key}, blocks=blocks)

    def answer_command(self, response_url: str, text: str) -> None:
        """Answer a command or a button later: at most five times, within 30 minutes, at the URL that came with it.

        Raises:
            VendorError: the URL is not Slack's, is used up or expired, or the call failed.
        """
        answer = {**_ephemeral(text), "replace_original": False}
        post_to_outside_url(self.vendor, response_url, allowed_base=self._settings.hooks_base, json=answer)

    def said(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> bool:
        """Looks for the key in the metadata of our latest messages, there and in the agents' channel. Were Slack
        ever to leave the metadata out of the history, this says no and the message comes twice."""
        for channel in filter(None, dict.fromkeys((conversation.id, self._settings.agent_channel))):
            history = self._api.each("conversations.history", "messages", channel=channel, include_all_metadata="true")
            if any(sent_payload(m).get("key") == idempotency_key for m in islice(history, LOOK_BACK)):
                return True
        return False

    def identities(self, conversation: ConversationRef) -> tuple[Identity, ...]:
        member = conversation.person.partition(":")[2]
        return (Identity("slack.user", member),) if member else ()

    def check(self) -> None:
        self._api.ask("auth.test")

    def _post(self, channel: str, text: str, payload: dict[str, str], **more: Any) -> None:
        metadata = {"event_type": EVENT_TYPE, "event_payload": payload}
        self._api.tell(
            "chat.postMessage",
            channel=channel,
            text=text,
            metadata=metadata,
            unfurl_links=False,
            unfurl_media=False,
            **more,
        )


def sent_payload(message: dict[str, Any]) -> dict[str, Any]:
    """The metadata that we gave a message; empty if it is not ours."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _vouched_for(user: dict[str, Any], team: str) -> bool:
    lesser = ("deleted", "is_bot", "is_stranger", "is_restricted", "is_ultra_restricted")
    return (
        user.get("is_email_confirmed") is True
        and user.get("team_id") == team
        and not any(user.get(flag) for flag in lesser)
    )


def _ephemeral(text: str) -> dict[str, Any]:
    return {"response_type": "ephemeral", "text": escape(text)}


def _button(action: str, reference: str) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action,
        "value": reference,
        "text": {"type": "plain_text", "text": action.capitalize()},
    }
    if action != "show":
        button["style"] = "primary" if action == "approve" else "danger"
        button["confirm"] = {
            "title": {"type": "plain_text", "text": f"{action.capitalize()} {reference}?"},
            "text": {"type": "plain_text", "text": "This is recorded under your name."},
            "confirm": {"type": "plain_text", "text": action.capitalize()},
            "deny": {"type": "plain_text", "text": "Cancel"},
        }
    return button
