"""Google: Analytics and the customer lists of Google Ads."""

from integrations.google.instructions import INSTRUCTIONS, SUPPORTS
from integrations.google.processor import GoogleProcessor
from integrations.google.settings import GoogleSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="google",
    label="Google, Inc.",
    settings=GoogleSettings,
    processor=GoogleProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.google.twin.GoogleTwin",
)
