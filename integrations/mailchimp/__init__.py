"""MailChimp: processor (audiences and e-commerce) and its audience webhooks."""

from integrations.mailchimp.events import MailchimpEvents
from integrations.mailchimp.instructions import INSTRUCTIONS, SUPPORTS
from integrations.mailchimp.processor import MailchimpProcessor
from integrations.mailchimp.settings import MailchimpSettings
from integrations.vendor import Vendor

VENDOR = Vendor(
    name="mailchimp",
    label="MailChimp",
    settings=MailchimpSettings,
    channels={"mailchimp": MailchimpEvents},
    processor=MailchimpProcessor,
    instructions=INSTRUCTIONS,
    supports=SUPPORTS,
    twin="integrations.mailchimp.twin.MailchimpTwin",
)
