"""Meta (Facebook): custom audiences, leads, and the data deletion callback."""

from integrations.meta.channel import MetaDataDeletion
from integrations.meta.instructions import INSTRUCTIONS, SUPPORTS
from integrations.meta.processor import MetaProcessor
from integrations.meta.settings import MetaSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="meta",
    label="Facebook, Inc.",
    settings=MetaSettings,
    channels={MetaDataDeletion.name: MetaDataDeletion},
    processor=MetaProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.meta.twin.MetaTwin",
)
