"""Mailgun: processor (lists, events), its event webhooks, and the desk's own mail, in and out."""

from integrations.mailgun.channel import MailgunChannel
from integrations.mailgun.instructions import INSTRUCTIONS, SUPPORTS
from integrations.mailgun.processor import MailgunProcessor
from integrations.mailgun.settings import MailgunSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="mailgun",
    label="Mailgun Technologies, Inc.",
    settings=MailgunSettings,
    channels={"mailgun": MailgunChannel},
    processor=MailgunProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.mailgun.twin.MailgunTwin",
)
