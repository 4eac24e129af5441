"""How Google carries out each operation, and what a person does where the API is off or cannot."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.MANUAL,  # neither API says whether a person is there
    Operation.EXPORT: Support.MANUAL,
    Operation.ERASE: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,  # off the lists; Analytics is stopped on the site, by a person
    Operation.LIFT: Support.MANUAL,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RECTIFY: Support.MANUAL,
}

_EXPLORER = "In Google Analytics open Explore > User explorer and look for the person's user id or client id"
_ID = (
    "Analytics knows no e-mail address: take the user id from the company's own database, or ask the person for the "
    "value of the _ga cookie in their browser (the part after GA1.1.)."
)
_LISTS = "in Google Ads open Tools > Audience manager, and from each customer list remove the address of the request"
_SITE = (
    "ask the web team to stop Analytics for this account (consent mode: analytics_storage denied, or the ga-disable "
    "switch of the property)"
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: f"{_EXPLORER}. {_ID} Google Ads shows only the size of a customer list, never who is on it.",
    Operation.EXPORT: f"{_EXPLORER}, open the entry and choose Export data. {_ID} Add the file to the package, never "
    "to a chat; if no id is to be had, note that Analytics cannot be searched for the person. Customer lists cannot be "
    "exported: say in the package that they hold a hash of the address.",
    Operation.ERASE: f"{_EXPLORER}, open the entry and choose Delete user. {_ID} If no id is to be had, note that. "
    f"Then {_LISTS} (upload a file with it, action Remove), and keep it out of future uploads. If Analytics is "
    "exported to BigQuery, have the rows with that user_id or user_pseudo_id deleted there.",
    Operation.SUPPRESS: f"Keep the address out of every future upload, and {_LISTS} (upload a file with it, action "
    "Remove). Analytics has no switch for one person.",
    Operation.RESTRICT: f"Analytics has no restriction of one person: {_SITE}. If the person was not taken off the "
    f"customer lists yet, {_LISTS} (upload a file with it, action Remove).",
    Operation.LIFT: "Have the web team switch Analytics on again for this account, if the person agrees. Put the "
    "address on a customer list again only with a fresh consent: nothing is added by itself.",
    Operation.RECTIFY: "Events in Analytics cannot be changed. For a new e-mail address, "
    f"{_LISTS} (the old one), and add the new one with the next upload if the person has consented.",
}
ANALYTICS_BY_HAND = (
    "The customer lists of Google Ads are done. For at least one Analytics property no identifier of the person is "
    "known that it could delete by. "
)
NOT_PROCESSED = "Google Ads took the removal and did not process all of it ({reasons}). "

SERVERS = Residue(
    "Analytics events on Google's servers",
    "gone from reports on users within 72 hours; Google's servers follow with the next deletion run",
    "about two months",
)
REPORTS = Residue("aggregated Analytics reports", "totals without identifiers, which Google does not recalculate")
EXPORTED = Residue(
    "Analytics data exported to BigQuery, if the company does so", "outside the API: a deletion job of its own"
)
SHARED = Residue("customer lists that another Ads account shares with this one", "only their owner can change them")
NO_LISTS = "The Ads account has no customer list with contact data."
MAIL_ALONE = (
    "Subscribing to mail again puts nobody back where advertisements are aimed at people; nothing is to be done."
)
