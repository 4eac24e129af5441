"""Intercom: live chat channel and processor."""

from integrations.intercom.channel import IntercomChannel
from integrations.intercom.processor import INSTRUCTIONS, SUPPORTS, IntercomProcessor
from integrations.intercom.settings import IntercomSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="intercom",
    label="Intercom, Inc.",
    settings=IntercomSettings,
    channels={"intercom": IntercomChannel},
    processor=IntercomProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.intercom.twin.IntercomTwin",
)
