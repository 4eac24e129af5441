"""Baremetrics, subscription analytics: processor."""

from integrations.baremetrics.instructions import INSTRUCTIONS, SUPPORTS
from integrations.baremetrics.processor import BaremetricsProcessor
from integrations.baremetrics.settings import BaremetricsSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="baremetrics",
    label="Baremetrics",
    settings=BaremetricsSettings,
    processor=BaremetricsProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.baremetrics.twin.BaremetricsTwin",
)
