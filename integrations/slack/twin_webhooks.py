"""What Slack sends to the app: bodies of events, commands and button presses, signed as Slack signs them."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from integrations.slack.mrkdwn import escape
from integrations.slack.signature import SIGNATURE, TIMESTAMP, sign

TEAM, APP, BOT_USER, BOT = "T0DESK0001", "A0DESK0001", "U0BOT", "B0BOT00001"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def as_sent(text: str) -> str:
    """What a person typed, as Slack passes it on: escaped, with links and addresses marked up."""
    text = re.sub(r"https?://[^\s<>|]+", lambda m: f"<{m[0]}>", escape(text))
    return re.sub(r"(?<![\w.+:|/@-])([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", r"<mailto:\1|\1>", text)


def message_event(channel: str, message: Mapping[str, Any], number: str) -> bytes:
    """`message` in a direct message (https://docs.slack.dev/reference/events/message.im)."""
    authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}
    body = {
        "token": "deprecated",
        "team_id": TEAM,
        "api_app_id": APP,
        "event": {
            **message,
            "client_msg_id": str(uuid.uuid4()),
            "channel": channel,
            "channel_type": "im",
            "event_ts": message["ts"],
        },
        "type": "event_callback",
        "event_id": f"Ev0{number}",
        "event_time": int(float(message["ts"])),
        "authorizations": [{**authorization, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
    }
    return json.dumps(body).encode()


def slash_command(user: str, channel: str, text: str, response_url: str, trigger_id: str) -> bytes:
    """https://docs.slack.dev/interactivity/implementing-slash-commands"""
    fields = {
        "token": "deprecated",
        "team_id": TEAM,
        "team_domain": "desk",
        "channel_id": channel,
        "channel_name": "privacy",
        "user_id": user,
        "user_name": user.lower(),
        "command": "/privacy",
        "text": escape(text),
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }
    return urlencode(fields).encode()


def button_press(user: str, channel: str, action: str, value: str, response_url: str, trigger_id: str) -> bytes:
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": TEAM},
        "api_app_id": APP,
        "token": "deprecated",
        "container": {"type": "message", "channel_id": channel, "is_ephemeral": False},
        "trigger_id": trigger_id,
        "team": {"id": TEAM, "domain": "desk"},
        "channel": {"id": channel, "name": "privacy"},
        "response_url": response_url,
        "actions": [{"action_id": action, "block_id": "b1", "value": value, "type": "button"}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def signed(secret: str, body: bytes, content_type: str) -> dict[str, str]:
    """The headers of a delivery that is sent now."""
    timestamp = str(int(time.time()))
    return {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        TIMESTAMP.title(): timestamp,
        SIGNATURE.title(): sign(secret, timestamp, body),
    }
