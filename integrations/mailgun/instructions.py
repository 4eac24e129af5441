"""How Mailgun carries out each operation, and what a person does where the API is off or cannot."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.MANUAL,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RECTIFY: Support.COMPOSED,
}

INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: "Mailgun: for each sending domain search the address under Sending > Suppressions (all tabs) and "
    "Sending > Logs; then under Sending > Mailing lists open each list and search its members.",
    Operation.EXPORT: "Mailgun: under Sending > Logs filter by recipient and export; copy the person's rows under "
    "Sending > Suppressions and their entry in each mailing list. Attach the files to the request.",
    Operation.ERASE: "Mailgun: delete the person's entry in each list under Sending > Mailing lists, and on the "
    "Allowlist tab of Sending > Suppressions. Leave unsubscribes, complaints and bounces: deleting them would "
    "re-enable mail. Logs and stored messages expire with the plan (30 days at most).",
    Operation.RESTRICT: "Mailgun: add the address under Sending > Suppressions > Unsubscribes of each marketing domain "
    "(all tags), and set it to unsubscribed in each mailing list.",
    Operation.LIFT: "Mailgun: only if the person asked for mail again, set their list entries to subscribed under "
    "Sending > Mailing lists. Remove an unsubscribe row only if it was made for the restriction: the same row also "
    "stands for an objection to advertising, which the lifting does not undo.",
    Operation.SUPPRESS: "Mailgun: add the address under Sending > Suppressions > Unsubscribes of each marketing domain "
    "(all tags), and set it to unsubscribed in each mailing list.",
    Operation.RECTIFY: "Mailgun: correct name and address of the person's entry in each list under Sending > Mailing "
    "lists. If the address changes, add the new one under Unsubscribes wherever the old one stands.",
}
