"""HubSpot: processor (contacts and what hangs on them) and its signed events."""

from integrations.hubspot.events import HubspotEvents
from integrations.hubspot.instructions import INSTRUCTIONS, SUPPORTS
from integrations.hubspot.processor import HubspotProcessor
from integrations.hubspot.settings import HubspotSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="hubspot",
    label="HubSpot",
    settings=HubspotSettings,
    channels={"hubspot": HubspotEvents},
    processor=HubspotProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.hubspot.twin.HubspotTwin",
)
