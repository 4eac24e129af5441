"""Mailgun: processor (mailing lists, suppression lists, events), its event webhooks, and the desk's own mail."""

from integrations.mailgun.events import MailgunEvents
from integrations.mailgun.instructions import INSTRUCTIONS, SUPPORTS
from integrations.mailgun.processor import MailgunProcessor
from integrations.mailgun.settings import MailgunSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="mailgun",
    label="Mailgun Technologies, Inc.",
    settings=MailgunSettings,
    channels={"mailgun": MailgunEvents},
    processor=MailgunProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.mailgun.twin.MailgunTwin",
)
