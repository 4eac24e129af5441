"""Microsoft Azure: Blob Storage, Communication Services Email and Log Analytics as one processor."""

from integrations.microsoft.instructions import INSTRUCTIONS
from integrations.microsoft.processor import SUPPORTS, MicrosoftProcessor
from integrations.microsoft.settings import MicrosoftSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="microsoft",
    label="Microsoft, Inc.",
    settings=MicrosoftSettings,
    processor=MicrosoftProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.microsoft.twin.MicrosoftTwin",
)
