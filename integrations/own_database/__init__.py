"""The company's own database: a SQL processor described in `policy.toml`."""

from integrations.own_database.processor import SUPPORTS, OwnDatabaseProcessor
from integrations.own_database.settings import OwnDatabaseSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="own_database",
    label="the company's own database",
    settings=OwnDatabaseSettings,
    processor=OwnDatabaseProcessor,
    supports=SUPPORTS,
    twin="integrations.own_database.twin.OwnDatabaseTwin",
)
