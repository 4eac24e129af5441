"""What works at Dropbox and how, what a person does there, and what stays."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Operation, Residue, Support

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.NONE,  # a store of files mails nobody
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.COMPOSED,
    Operation.RECTIFY: Support.MANUAL,
}

_SEARCH = (
    "Sign in to dropbox.com, open the folder of the customers and look for the one with the account id or the e-mail "
    "address in its name; then search everywhere for the address, also under Deleted files. "
)
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _SEARCH + "Note how many files there are.",
    Operation.EXPORT: _SEARCH + "Select the folder and choose Download. Of files elsewhere that are about several "
    "people give only this person's part.",
    Operation.ERASE: _SEARCH + "Delete the folder, then open Deleted files, select it and choose Permanently delete. "
    "Take this person out of files that are about several people, and delete their older versions.",
    Operation.RESTRICT: _SEARCH + "Move the folder to the restricted folder, which only the data protection officer "
    "may open.",
    Operation.LIFT: "Move the person's folder from the restricted folder back to the folder of the customers.",
    Operation.RECTIFY: _SEARCH + "Correct the documents, or add a note with the right facts to the folder where a "
    "document must stay as it was signed. Rename the folder if its name is wrong.",
}

SEVERAL = (
    "A folder has this person's account id or address among other words, is named after somebody else too, or was this "
    "person's and now has another name: first find out whose it is. "
)
ELSEWHERE = (
    "{n} files outside the person's folder may be about the person: search for the e-mail address in Dropbox, also "
    "under Deleted files, and open each hit. A name or a search hit alone proves nothing, so nothing was deleted or "
    "moved there. Delete permanently what is only about this person, and take the person out of the rest. "
)
NOT_BUSINESS = (
    "This is not a Dropbox Business account, so the files could only be moved to the deleted files. Open "
    "dropbox.com > Deleted files, select the person's folder and choose Permanently delete, or wait until the {days} "
    "days of recovery are over. "
)
IN_THE_WAY = "There is a folder of the same name on both sides, so nothing was moved. Merge the two folders by hand: "

COPIES = Residue(
    "copies that other people downloaded, synchronised or were sent",
    "they are outside Dropbox; the company asks those who have them (Art. 19)",
)
RECOVERABLE_WHY = "a Dropbox account that is not Business cannot delete for good by API"


def recoverable(days: int) -> Residue:
    """Files in the deleted files of an account that is not Business."""
    return Residue("deleted files that can still be recovered", RECOVERABLE_WHY, f"{days} days")
