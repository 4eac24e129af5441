"""Paddle, the merchant of record: processor, and its customer events."""

from integrations.paddle.events import PaddleEvents
from integrations.paddle.instructions import INSTRUCTIONS, SUPPORTS
from integrations.paddle.processor import PaddleProcessor
from integrations.paddle.settings import PaddleSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="paddle",
    label="Paddle.com, Inc.",
    settings=PaddleSettings,
    channels={"paddle": PaddleEvents},
    processor=PaddleProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.paddle.twin.PaddleTwin",
)
