"""Atlassian: Jira issues, Confluence pages, and accounts. Processor only."""

from integrations.atlassian.instructions import INSTRUCTIONS, SUPPORTS
from integrations.atlassian.processor import AtlassianProcessor
from integrations.atlassian.settings import AtlassianSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="atlassian",
    label="Atlassian, Inc",
    settings=AtlassianSettings,
    processor=AtlassianProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.atlassian.twin.AtlassianTwin",
)
