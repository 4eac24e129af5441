"""What the API does at Zendesk, and how a person does it by hand."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Support

SUPPORTS: Mapping[Operation, Support] = dict.fromkeys(Operation, Support.COMPOSED)

_SEARCH = "In Zendesk search for the e-mail address (Search > Users, and Search > Tickets with requester:ADDRESS). "
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _SEARCH + "Note how many users, tickets and messaging conversations there are, look in Views > "
    "Suspended tickets and Deleted tickets too; two accounts: ask the DPO.",
    Operation.EXPORT: _SEARCH + "Save the user's profile, and print each ticket of the user to PDF without internal "
    "notes about others.",
    Operation.ERASE: _SEARCH + "Make sure that every record is this person. Delete the tickets, then in Views > "
    "Deleted tickets choose Delete permanently, and delete mail from the address in Suspended tickets. In tickets of "
    "other people open each comment of this person and choose Redact. Then open the user, choose Delete, and in Admin "
    "Center > People > Deleted users choose Permanently delete. Delete the messaging user with "
    "DELETE /v2/apps/{app}/users/{id}.",
    Operation.SUPPRESS: _SEARCH + "Add the tag privacy_no_marketing to the user, for an age report also "
    "privacy_under_16_reported, for an objection privacy_objection.",
    Operation.RESTRICT: _SEARCH + "Open the user, choose Suspend access and add the tag privacy_restricted.",
    Operation.LIFT: _SEARCH + "Open the user, choose Unsuspend access and remove the tag privacy_restricted.",
    Operation.RECTIFY: _SEARCH + "Edit the fields on the user's profile; a company is changed as the user's "
    "organization.",
}
