"""Slack: direct messages to the bot, the agents' commands, and the workspace as a processor."""

from __future__ import annotations

from integrations.slack.channel import SlackChannel
from integrations.slack.processor import INSTRUCTIONS, SUPPORTS, SlackProcessor
from integrations.slack.settings import SlackSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="slack",
    label=SlackProcessor.label,
    settings=SlackSettings,
    channels={SlackChannel.name: SlackChannel},
    processor=SlackProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.slack.twin.SlackTwin",
)
