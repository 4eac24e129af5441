"""Smartsupp: live chat channel with bot replies, and processor."""

from integrations.smartsupp.channel import SmartsuppChannel
from integrations.smartsupp.processor import INSTRUCTIONS, SUPPORTS, SmartsuppProcessor
from integrations.smartsupp.settings import SmartsuppSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="smartsupp",
    label="Smartsupp.com, s.r.o",
    settings=SmartsuppSettings,
    channels={"smartsupp": SmartsuppChannel},
    processor=SmartsuppProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.smartsupp.twin.SmartsuppTwin",
)
