"""How MailChimp carries out each operation, and what a person does where the API is off."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.COMPOSED,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RECTIFY: Support.COMPOSED,
}

INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: "MailChimp: search the address under Audience > All contacts in every audience, archived contacts "
    "included (filter by status), and look for customers of connected stores.",
    Operation.EXPORT: "MailChimp: open the contact's profile in every audience and use Actions > Export contact data; "
    "add the orders of connected stores. Attach the files to the request.",
    Operation.ERASE: "MailChimp: in every audience first unsubscribe the contact, then open the profile and choose "
    "Actions > Permanently delete (not Archive). Delete the customer and the orders in connected stores too. If two "
    "customers share the address, find out which one asks before anything is deleted.",
    Operation.RESTRICT: "MailChimp: unsubscribe the contact in every audience and add the tag privacy_restricted.",
    Operation.LIFT: "MailChimp: remove the tag privacy_restricted from the contact in every audience. Do not "
    "re-subscribe: only the person can, by the sign-up form.",
    Operation.SUPPRESS: "MailChimp: unsubscribe the contact in every audience, SMS included.",
    Operation.RECTIFY: "MailChimp: correct the contact's fields in every audience, and the customer in connected "
    "stores. If MailChimp refuses a new address of an unsubscribed contact, leave it: nothing is sent there.",
}

# Only the person can come back from an unsubscribed or a deleted contact: https://mailchimp.com/developer/
RESUBSCRIBE = (
    "MailChimp subscribes nobody again who unsubscribed there: send the person the audience's sign-up form (Audience > "
    "Signup forms), and they confirm by MailChimp's own mail."
)
