"""Sentry: processor (issues that hold only one person, replays) and its signed webhooks."""

from integrations.sentry.events import SentryEvents
from integrations.sentry.instructions import INSTRUCTIONS, SUPPORTS
from integrations.sentry.processor import SentryProcessor
from integrations.sentry.settings import SentrySettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="sentry",
    label="Sentry by Functional Software, Inc",
    settings=SentrySettings,
    channels={"sentry": SentryEvents},
    processor=SentryProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.sentry.twin.SentryTwin",
)
