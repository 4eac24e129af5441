"""Dropbox: the company's own folders with customers' documents. Processor only."""

from integrations.dropbox.instructions import INSTRUCTIONS, SUPPORTS
from integrations.dropbox.processor import DropboxProcessor
from integrations.dropbox.settings import DropboxSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="dropbox",
    label="Dropbox, Inc.",
    settings=DropboxSettings,
    processor=DropboxProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.dropbox.twin.DropboxTwin",
)
