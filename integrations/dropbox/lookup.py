"""Which files and folders are about a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identities, Identity
from integrations.dropbox.api import Account, Api, Object
from integrations.dropbox.names import fits, patterns_of
from integrations.dropbox.settings import DropboxSettings

FOLDER = "dropbox.folder"
TEXTS = (".csv", ".txt", ".json", ".md", ".html", ".xml", ".vcf", ".eml", ".log", ".tsv")  # what we can read ourselves
READ_UP_TO = 5 * 2**20  # bytes of a hit that is read to see whether it names the person
_ANY_ADDRESS = re.compile(r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")


@dataclass
class Holding:
    """What is held about one person.

    Args:
        folders: the person's own folders, deleted ones too.
        files: live files in them.
        deleted: entries in them that were deleted and can be recovered.
        elsewhere: files outside that name the person, or whose contents we cannot read.
        doubtful: somebody else may be meant.
    """

    account: Account
    folders: list[Object] = field(default_factory=list)
    files: list[Object] = field(default_factory=list)
    deleted: list[Object] = field(default_factory=list)
    elsewhere: list[Object] = field(default_factory=list)
    doubtful: bool = False

    @property
    def counts(self) -> dict[str, int]:
        gone = [f for f in self.folders if f[".tag"] == "deleted"]
        found = {
            "folders": len(self.folders) - len(gone),
            "files": len(self.files),
            "recoverable": len(gone) + len(self.deleted),
            "files_elsewhere": len(self.elsewhere),
        }
        return {kind: n for kind, n in found.items() if n}

    @property
    def live(self) -> list[Object]:
        return [f for f in self.folders if f[".tag"] == "folder"]

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(Identity(FOLDER, str(f["id"])) for f in self.live)


class Lookup:
    """Args:
    api: where to ask.
    settings: names the folders.
    """

    def __init__(self, api: Api, settings: DropboxSettings) -> None:
        self._api = api
        self._roots = (settings.accounts_folder, settings.restricted_folder)
        self._patterns = patterns_of(settings.folder_names)
        self._search_folder = settings.search_folder

    def holding(self, subject: Identities) -> Holding:
        """The person's folders with what is in them, and other files that the search finds by the address.

        A folder of the customers is the person's if its whole name fits a configured pattern and has no other address;
        one that has the account id or the address among other words is doubtful. A search hit elsewhere is never more
        than a hint.
        """
        emails = [e.strip().lower() for e in subject.of("email") if e.strip()]
        held = Holding(self._api.account())
        self._own_folders(subject, emails, held)
        for folder in held.live:
            for entry in self._api.listing(path_of(folder), held.account.root, recursive=True):
                if entry.get("path_lower") == folder.get("path_lower"):
                    continue
                if entry[".tag"] == "file":
                    held.files.append(entry)
                elif entry[".tag"] == "deleted":
                    held.deleted.append(entry)
        inside = [f"{f['path_lower']}/" for f in held.folders]
        held.elsewhere = list(self._elsewhere(emails, inside, held.account.root))
        return held

    def _own_folders(self, subject: Identities, emails: list[str], held: Holding) -> None:
        root, accounts = held.account.root, [a for a in subject.of("account_id") if a]
        seen: set[str] = set()
        for parent in self._roots:
            for entry in self._api.listing(parent, root, recursive=False):
                if entry[".tag"] != "file" and any(carries(entry["name"], m) for m in (*emails, *accounts)):
                    others = {a.lower() for a in _ANY_ADDRESS.findall(entry["name"])} - set(emails)
                    if others or not fits(entry["name"], self._patterns, emails, accounts):
                        held.doubtful = True
                    held.folders.append(entry)
                    seen.add(str(entry.get("id")))
        for id in subject.of(FOLDER):
            known = None if id in seen else self._api.metadata(_id(id), root)
            if known is not None:
                held.doubtful = True  # ours by an earlier look-up, but renamed or moved away by somebody
                held.folders.append(known)

    def _elsewhere(self, emails: list[str], inside: list[str], root: str) -> Iterator[Object]:
        """Hits outside the person's folders. A live one is asked for again: the search forgets late."""
        seen: set[str] = set()
        for email in emails:
            for status in ("active", "deleted"):
                for how, hit in self._api.search(f'"{email}"', self._search_folder, status, root):
                    path = path_of(hit).lower()
                    if path in seen or any(f"{path}/".startswith(own) for own in inside):
                        continue
                    seen.add(path)
                    if status == "deleted":
                        now = self._api.metadata(path, root, deleted=True)
                    else:
                        now = self._api.metadata(_id(str(hit["id"])), root)
                    if now is not None and self._names(how, now, email, root):
                        yield now

    def _names(self, how: str, entry: Object, email: str, root: str) -> bool:
        """Whether a hit names the person; a file that we cannot read may."""
        name = entry["name"] if entry[".tag"] == "folder" else entry["name"].rpartition(".")[0] or entry["name"]
        if carries(entry["name"], email) or carries(name, email):  # `.pdf` is no part of the address before it
            return True
        if how in ("filename", "metadata") or entry[".tag"] == "folder":
            return False  # the search looks at words; this name has a longer address, or the words apart
        readable = entry["name"].lower().endswith(TEXTS) and int(entry.get("size", READ_UP_TO + 1)) <= READ_UP_TO
        if entry[".tag"] != "file" or not readable:
            return True
        text = b"".join(self._api.download(entry, root)).decode("utf-8", "replace")
        return carries(text, email)


def carries(text: str, mark: str) -> bool:
    """Whether a text has the address or id as a whole, not as a part of a longer one."""
    return re.search(rf"(?<![\w.+%'-]){re.escape(mark)}(?![\w@-]|\.\w)", text, re.IGNORECASE) is not None


def path_of(entry: Object) -> str:
    """Where an entry is, as Dropbox compares paths.

    Raises:
        VendorAnswerUnexpected: it has no path: not mounted in this Dropbox.
    """
    path = entry.get("path_lower")
    if not isinstance(path, str) or not path.startswith("/"):
        raise VendorAnswerUnexpected("dropbox", "a file or folder without its path")
    return path


def _id(id: str) -> str:
    if not id.startswith("id:"):
        raise VendorAnswerUnexpected("dropbox", "an id of a shape that Dropbox does not give")
    return id
