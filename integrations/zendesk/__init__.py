"""Zendesk: two channels (Support tickets, messaging) and one processor over both stores."""

from integrations.vendor import Vendor
from integrations.zendesk.channel import ZendeskChannel
from integrations.zendesk.instructions import INSTRUCTIONS, SUPPORTS
from integrations.zendesk.messaging import ZendeskMessagingChannel
from integrations.zendesk.processor import ZendeskProcessor
from integrations.zendesk.settings import MessagingSettings, ZendeskSettings

VENDOR = Vendor(
    name="zendesk",
    label="Zendesk, Inc.",
    settings=ZendeskSettings,
    channels={"zendesk": ZendeskChannel},
    processor=ZendeskProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.zendesk.twin.ZendeskTwin",
)

# Messaging has keys of its own, so it can be on while Support is off; its people are erased by the processor above.
MESSAGING = Vendor(
    name="zendesk-messaging",
    label="",
    settings=MessagingSettings,
    channels={"zendesk-messaging": ZendeskMessagingChannel},
    twin="integrations.zendesk.twin_messaging.ZendeskMessagingTwin",
)
