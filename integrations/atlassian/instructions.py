"""What works at Atlassian and how, what a person does there, and what stays."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.NONE,  # no mailing goes out from here
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}

_SEARCH = (
    'In Jira open Filters > Advanced issue search and search for text ~ "\\"the e-mail address\\""; in Confluence use '
    "the search with the address in quotation marks, and look into the trash of each space. "
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _SEARCH + "Note how many issues and pages are about this person, and whether there is an account "
    "(admin.atlassian.com > Users).",
    Operation.EXPORT: _SEARCH + "Export the issues (Export > XML), save their attachments, and export the pages as "
    "PDF. Take out what other people wrote about themselves.",
    Operation.ERASE: _SEARCH + "Delete the issues that are this person's own requests. In other issues delete this "
    "person's comments and files and take the address out of the fields. Delete the pages and purge them from the "
    "trash; in other people's pages take the address out and delete the old versions that have it. Then remove the "
    "user from the site (admin.atlassian.com > Users).",
    Operation.RESTRICT: _SEARCH + "Set a security level on each issue (More > Security level) that only the data "
    "protection officer may see, and restrict each page to the same people (the padlock, Specific people).",
    Operation.LIFT: _SEARCH + "Take the security level off each issue and the restriction off each page.",
    Operation.RECTIFY: _SEARCH + "Correct the text of each issue and page. The name and address of an account are "
    "changed by its owner (id.atlassian.com), of a managed account under admin.atlassian.com > Managed accounts, of a "
    "customer under Jira Service Management > Customers.",
}

SEVERAL = (
    "Somebody else may be meant: an account that the search names hides its address, or a known account now carries "
    "another one. Compare under admin.atlassian.com > Users. "
)
STAFF = (
    "This person may use Jira by licence, as employees do, and issues that they reported may be the company's work or "
    "other people's requests: nothing was deleted. Decide with the data protection officer what is about this person. "
    "Then: "
)
HISTORY = (
    "The change history of these issues still has the address, and no API changes it without Atlassian Guard Premium: "
    "{keys}. For each either clone the issue without the data and delete the original, or ask Atlassian Support "
    "(support.atlassian.com) to clear the history. "
)
NOT_REDACTED = (
    "A redaction by Atlassian Guard failed. Redact by hand: open the issue, select the address, choose Redact. "
)
SHARED = (
    "These requests of the person have other customers' words in them and were left alone: {keys}. Take out what is "
    "about this person, or delete the issue if the others need it no longer. "
)
PORTAL_ONLY = (
    "The person is a portal-only customer; the log-in was revoked, but no API deletes the account. In "
    "admin.atlassian.com choose the organisation > Apps > the site > Jira Service Management > Portal-only customers > "
    "the person > ... > Delete account. It cannot be undone. "
)

HISTORY_STAYS = Residue(
    "old values of fields in the change history of other people's issues",
    "Jira offers no way to change a history without Atlassian Guard Premium; a person sees to it",
)
BACKUPS = Residue("deleted issues and pages in Atlassian's back-ups", "back-ups run out by themselves", "30 days")
GRACE = Residue("a managed Atlassian account", "its deletion can be cancelled during a grace period", "14 days")
