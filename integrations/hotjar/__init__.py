"""Hotjar: processor (user look-up with deletion, survey answers)."""

from integrations.hotjar.processor import INSTRUCTIONS, SUPPORTS, HotjarProcessor
from integrations.hotjar.settings import HotjarSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="hotjar",
    label="HotJar",
    settings=HotjarSettings,
    processor=HotjarProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.hotjar.twin.HotjarTwin",
)
