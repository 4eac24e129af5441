"""How Meta carries out each operation, and what a person does where the API is off or cannot."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,  # leads; nobody can ask who is in an audience
    Operation.EXPORT: Support.COMPOSED,  # leads
    Operation.ERASE: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.MANUAL,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RECTIFY: Support.MANUAL,
}

_AUDIENCES = (
    "in Meta Ads Manager open Audiences, and in each custom audience made from a customer list choose Edit > Remove "
    "people and upload a file with the address of the request"
)
_LEADS = "in Meta Business Suite open All tools > Instant forms (leads centre) and search the address of the request"
_INBOX = "Look also in the inbox of the page and of Instagram, if the person wrote there."
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: f"For leads, {_LEADS}; note how many there are. {_INBOX} Audiences do not show who is in them.",
    Operation.EXPORT: f"For leads, {_LEADS} and download them. {_INBOX} Add the files to the package, never to a chat. "
    "Audiences cannot be exported: say in the package that they may hold a hash of the address.",
    Operation.ERASE: f"First {_AUDIENCES}. Then {_LEADS} and delete each lead. {_INBOX} Delete that conversation. Keep "
    "the address out of future uploads, and ask every business with which an audience is shared to remove it as well.",
    Operation.SUPPRESS: f"Keep the address out of every future upload, and {_AUDIENCES}.",
    Operation.RESTRICT: f"Keep the address out of every future upload, and {_AUDIENCES}. Leads stay; do not use them.",
    Operation.LIFT: "Nothing is added by itself. Put the address into an audience again (Ads Manager > Audiences > "
    "Edit > Add people) only if the person agrees to it anew.",
    Operation.RECTIFY: "Leads cannot be changed: correct the copy in the company's own systems, and delete the lead in "
    f"the leads centre if it is wrong. For a new e-mail address, {_AUDIENCES} (the old one), and add the new one with "
    "the next upload if the person has consented.",
}
FLAGGED_AUDIENCES = (
    "Meta has flagged {count} custom audience(s) of the ad accounts (operation status 471): their members cannot be "
    "edited. In Ads Manager > Audiences resolve the warning, or delete the audience, and then repeat this step: "
)
EVENTS = Residue(
    "events of the Meta pixel or Conversions API, if the company sends them",
    "Meta offers no deletion for one person; the person can disconnect the site in Accounts Centre > Your activity "
    "off Meta technologies",
)
SHARED = Residue(
    "copies of an audience at businesses with which it was shared, if any", "only those businesses can change them"
)
UNKNOWABLE = "Meta tells nobody who is in a custom audience; no lead with the address is left"
NO_AUDIENCES = "The ad accounts have no custom audience made from a customer list."
EFFECT = "Meta takes up to 24 hours until the person is out of the audiences."
MAIL_ALONE = (
    "Subscribing to mail again puts nobody back where advertisements are aimed at people; nothing is to be done."
)
