"""Slack's variables."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from integrations.vendor import VendorSettings

API_URL = "https://slack.com/api"
HOOKS_URL = "https://hooks.slack.com"


class SlackSettings(VendorSettings):
    """Variables `SLACK_…`.

    Args:
        bot_token: the bot's token (`xoxb-…`).
        signing_secret: with which Slack signs events, commands and button presses.
        agent_channel: id of the channel (`C…`, `G…`) where agents are told things; the bot must be a member.
        agents: ids of the members who may use commands, comma-separated; nobody may if it is empty.
        api_url: base of the Web API.
        hooks_url: scheme and host of the response URLs that commands bring; by default Slack's own, or, when
            `api_url` points elsewhere, that host.
    """

    prefix: ClassVar[str] = "SLACK"

    bot_token: SecretStr
    signing_secret: SecretStr
    agent_channel: str
    agents: str = ""
    api_url: str = API_URL
    hooks_url: str = ""

    @field_validator("api_url", "hooks_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not (urlsplit(value).scheme in ("http", "https") and urlsplit(value).netloc):
            raise ValueError("must be an absolute URL")
        return value.rstrip("/")

    @property
    def agent_ids(self) -> frozenset[str]:
        return frozenset(id.strip() for id in self.agents.split(",") if id.strip())

    @property
    def hooks_base(self) -> str:
        if self.hooks_url or self.api_url == API_URL:
            return self.hooks_url or HOOKS_URL
        parts = urlsplit(self.api_url)
        return f"{parts.scheme}://{parts.netloc}"
