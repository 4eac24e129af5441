"""What works at Baremetrics and how, and what a person does there."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.NONE,  # it sends no promotional mail; Recover writes about failed payments
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.COMPOSED,
}

_OPEN = "In Baremetrics open Customers, search for the e-mail address and open each profile; note its source and id. "
_CAMPAIGNS = (
    "Look in Recover and in Cancellation Insights whether the person is in an active campaign; if so, remove them. "
)
SYNCED = (
    "The customer stands in a source that is synchronised from the billing system, where the API deletes nothing. "
    f"1. Delete or redact the customer in the billing system and wait for the next synchronisation. 2. {_OPEN}"
    "3. If the profile is still there, ask Baremetrics' support (hello@baremetrics.com or the chat in the application) "
    "to remove the profile and its events; quote the account, the source, the customer's id, Article 17 GDPR and the "
    f"date. 4. {_CAMPAIGNS}5. Look again after 30 days: a full synchronisation can bring a deleted customer back."
)
RECTIFY_SYNCED = (
    _OPEN + "In a synchronised source, or for anything but name and e-mail address, correct the billing system; "
    "Baremetrics follows with the next synchronisation."
)

INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many profiles there are in which sources.",
    Operation.EXPORT: _OPEN + "Save the profile with its events, subscriptions, charges and attributes.",
    Operation.ERASE: _OPEN
    + "In the Baremetrics source delete every subscription, then the customer; this changes past "
    "revenue figures. " + SYNCED,
    Operation.RESTRICT: _OPEN + _CAMPAIGNS + "Note in the profile that its use is restricted, and leave it out of "
    "segments and of exports to other tools.",
    Operation.LIFT: _OPEN + "Remove the note that the use of the profile is restricted.",
    Operation.RECTIFY: RECTIFY_SYNCED,
}
