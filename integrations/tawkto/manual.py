"""What a person does at tawk.to: no public call finds, exports, changes or erases anything of one visitor.

https://help.tawk.to/article/rest-api
"""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Support

# By hand even where tawk.to sends no mail itself: its contacts may be used for mail elsewhere.
SUPPORTS: Mapping[Operation, Support] = dict.fromkeys(Operation, Support.MANUAL)

_OPEN = (
    "In the tawk.to dashboard open the property, then Inbox and Contacts, and search each for the person's e-mail "
    "address. Look also for chats without an address whose text names it. "
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many chats, tickets and contacts there are; a match by name only is not a match.",
    Operation.EXPORT: _OPEN + "Open each chat and ticket and send its transcript to the desk's own mailbox; export the "
    "contact (Contacts > Export, as CSV, keep only this person's row). Add the files to the package, then delete the "
    "copies from the mailbox.",
    Operation.ERASE: _OPEN + "Delete each chat, then each ticket, then the contact. Search again: nothing is found. "
    "What the dashboard does not let you delete, ask tawk.to's support to delete, and keep their confirmation. Note on "
    "this task who deleted and when. Delete also transcripts that were sent to mailboxes.",
    Operation.SUPPRESS: _OPEN + "Add the tag privacy-no-marketing to the contact and leave it out of every list that "
    "is exported for mail. For an age report use the tag privacy-under-16-reported. Do not ban: that would lock the "
    "person out.",
    Operation.RESTRICT: _OPEN + "Add the tag privacy-restricted to the contact and its chats, tell the agents not to "
    "use them, and leave the contact out of every export.",
    Operation.LIFT: _OPEN + "Remove the tag privacy-restricted from the contact and its chats.",
    Operation.RECTIFY: _OPEN + "Edit the contact (name, e-mail, phone). Words in a chat stay as they were said.",
}
