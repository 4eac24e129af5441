"""What Sentry can do, how a person does it by hand, and what stays there anyway.

Sentry deletes whole issues, never single events: https://docs.sentry.io/api/events/remove-an-issue/
"""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.NONE,  # Sentry writes to no customer
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}

_OPEN = (
    'In Sentry open Issues, choose all projects and the longest period, and search for user.email:"ADDRESS" (without '
    "is:unresolved), then for the address in message and in User Feedback, and open Replays with the same search. "
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many issues, feedback entries and replays there are.",
    Operation.EXPORT: _OPEN + "Save each event of the person as JSON (the link in the event's header).",
    Operation.ERASE: _OPEN + "Delete the issues whose Users tag shows nobody else, and the replays. An issue with "
    "other people's events: delete it as a whole, or note the date on which the person's last event leaves retention, "
    "or ask support@sentry.io with organisation, project and user.email under GDPR Art. 17.",
    Operation.RESTRICT: "Sentry cannot restrict one person. Make your application stop calling Sentry.setUser for "
    "this account; if that is not enough, add a rule under Settings > Security & Privacy > Advanced Data Scrubbing (it "
    "holds for everybody, and for new events only).",
    Operation.LIFT: "Let your application call Sentry.setUser for this account again; take back the scrubbing rule "
    "if one was made for it.",
    Operation.RECTIFY: "Events at Sentry are a record of what happened and cannot be edited. Correct the data in your "
    "own database, so that new events carry it; if the old ones must not stay, delete their issues as for an erasure.",
}
TWO_PEOPLE = (
    "Events with this address carry different user ids, or events with this account id carry another address: decide "
    "who is meant. "
)
NOTHING = "No event, feedback or replay of the retention period carries the address (or account id, where it counts)."

NUMBERS = Residue("aggregated numbers, and entries in the organisation's audit log", "they name no customer")
SPELLINGS = Residue(
    "events that write the address with capital letters, if there are any",
    "Sentry finds an address only as it is written; they leave with the retention period",
)
JOBS = Residue("the record of the replays' deletion, whose search names the person", "Sentry keeps what its jobs did")
COPIES = Residue(
    "copies that alerts sent to mail, Slack or Jira", "Sentry cannot take them back; the desk asks those separately"
)
