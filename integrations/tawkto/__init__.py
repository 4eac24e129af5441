"""tawk.to: live chat that can only begin a conversation by mail; as a processor everything is done by a person."""

from integrations.tawkto.channel import TawktoChannel
from integrations.tawkto.manual import INSTRUCTIONS, SUPPORTS
from integrations.tawkto.settings import TawktoSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="tawkto",
    label="tawk.to, inc.",
    settings=TawktoSettings,
    channels={"tawkto": TawktoChannel},
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.tawkto.twin.TawktoTwin",
)
