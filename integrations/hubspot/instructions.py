"""What HubSpot can do, how a person does it by hand, and what stays there anyway.

Kinds of deletion: https://knowledge.hubspot.com/privacy-and-consent/understand-restorable-and-permanent-contact-deletions
"""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.NATIVE,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.COMPOSED,
    Operation.RECTIFY: Support.COMPOSED,
}

_OPEN = "In HubSpot open CRM > Contacts and search for the e-mail address (also under Actions > Restore records). "
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many contacts, activities, tickets and conversations there are; if two contacts "
    "carry the address, ask the DPO which of them is meant.",
    Operation.EXPORT: _OPEN + "Open the contact, choose Actions > View all properties and Actions > Export contact "
    "data, and save its conversations from the inbox as text.",
    Operation.ERASE: _OPEN + "If the contact was deleted before, restore it. Opt it out of all e-mail, delete its "
    "tickets and conversations, then choose Actions > Delete > Permanently delete. Plain deletion can be undone for 90 "
    "days and is not enough. Never delete an address that no contact carries: HubSpot would only block it.",
    Operation.SUPPRESS: _OPEN + "Open the contact, choose Subscriptions > Opt out of all email. For an age report set "
    "the property privacy_under_16_reported to true, for an objection privacy_objection.",
    Operation.RESTRICT: _OPEN + "Set the property privacy_restricted to true. Take the contact out of running "
    "workflows, sequences and ad audiences, set it as a non-marketing contact, and make sure that their enrolment "
    "criteria exclude privacy_restricted.",
    Operation.LIFT: _OPEN + "Set the property privacy_restricted to false; enrol the contact again where it belongs.",
    Operation.RECTIFY: _OPEN + "Edit the properties of the contact. A linked company is changed in its own record.",
}
# Re-subscribing an opted-out address needs a legal basis and may be refused (communication-preferences v4).
RESUBSCRIBE = (
    "HubSpot keeps an opt-out of all e-mail until the person takes it back: open the contact, choose Subscriptions > "
    "Resubscribe, which mails the person a link to confirm."
)
TWO_PEOPLE = "More than one person may be meant: look at the contacts and decide. "
EXCLUDE = (
    "The property privacy_restricted is set, and nothing at HubSpot obeys it by itself. Take the contact out of "
    "running workflows, sequences and ad audiences, set it as a non-marketing contact, and make sure that enrolment "
    "criteria and lists exclude privacy_restricted."
)
NOTHING = "No contact carries the address. Contacts that were deleted before are found by their id alone."

BLOCKED = Residue("an anonymised entry in HubSpot's block list", "it keeps imports from adding the address again")
OPTED_OUT = Residue(
    "the e-mail opt-out of the address", "so that no promotional mail goes out if the address comes back"
)
COUNTS = Residue("anonymised numbers in reports", "aggregates of HubSpot's analytics, without the person")
RECYCLE_BIN = Residue("deleted activities and tickets in the recycle bin", "HubSpot offers no earlier purge", "90 days")
SHARED = Residue("activities and tickets that also belong to other contacts", "they cannot be split")
BUSINESS = Residue(
    "companies and deals that the contact was linked to", "records of the business, no longer linked to the person"
)
