"""MaxMind, IP geolocation: processor, and the list of privacy exclusions."""

from integrations.maxmind.processor import INSTRUCTIONS, SUPPORTS, MaxmindProcessor
from integrations.maxmind.settings import MaxmindSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="maxmind",
    label="MaxMind, Inc",
    settings=MaxmindSettings,
    processor=MaxmindProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.maxmind.twin.MaxmindTwin",
)
