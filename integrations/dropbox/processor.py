"""Dropbox as a processor: the folders that the company keeps for its customers.

Files: https://www.dropbox.com/developers/documentation/http/documentation#files
What a deletion keeps: https://help.dropbox.com/delete-restore/permanently-delete-files
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Support,
    done,
    manual,
    no_match,
)
from integrations.dropbox import instructions as texts
from integrations.dropbox.api import Api, Object, RouteError
from integrations.dropbox.lookup import FOLDER, Holding, Lookup, path_of
from integrations.dropbox.settings import DropboxSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

DAYS_OF_RECOVERY = {"basic": 30, "pro": 180, "business": 180}
SHOWN = (".tag", "name", "path_display", "size", "client_modified", "server_modified", "content_hash")
NOTHING = "No folder carries the account id or the address, and the search finds no file that names it."


class DropboxProcessor(Processor):
    """Finds by the names of folders and by the search; deletes for good where the account is Business."""

    name: ClassVar[str] = "dropbox"
    label: ClassVar[str] = "Dropbox, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = texts.SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", FOLDER})
    instructions: ClassVar[Mapping[Operation, str]] = texts.INSTRUCTIONS

    def __init__(self, settings: DropboxSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._lookup = Lookup(self._api, settings)
        self._accounts, self._restricted = settings.accounts_folder, settings.restricted_folder

    def find(self, subject: Identities) -> Findings:
        """Counts; deleted files that can be recovered are held, too."""
        held = self._lookup.holding(subject)
        return Findings(held=held.counts, identities=held.identities, ambiguous=held.doubtful)

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """The files in the person's folders with a list of them; deleted ones and those elsewhere are only listed."""
        held = self._lookup.holding(instruction.subject)
        if held.doubtful:
            raise VendorRefused("dropbox", "a folder may be somebody else's: an agent exports it")
        listed = [*held.files, *held.deleted]
        yield DataFile("files.json", iter([{key: f[key] for key in SHOWN if key in f} for f in listed]))
        about = "outside your folder, may name you; a person looks at it"
        yield DataFile("files_elsewhere.json", iter([{"id": f.get("id"), "what": about} for f in held.elsewhere]))
        for file in held.files:
            content = self._api.download(file, held.account.root)
            yield DataFile(
                f"files{_safe(file)}", content=content, media_type="application/octet-stream", origin=Origin.PROVIDED
            )

    def erase(self, instruction: Instruction) -> Receipt:
        """Delete the person's folders for good, with what was deleted in them before.

        Every deletion is followed by a look-up. An account that is not Business can only delete softly: the rest is
        for a person. Files elsewhere are never deleted on the strength of a name or a search hit.
        """
        held = self._lookup.holding(instruction.subject)
        if held.doubtful:
            return manual(texts.SEVERAL + texts.INSTRUCTIONS[Operation.ERASE])
        if not held.counts:
            return no_match(NOTHING)
        business, root = held.account.business, held.account.root
        days = DAYS_OF_RECOVERY[held.account.kind]
        for entry in [*held.deleted, *held.folders] if business else held.live:
            self._api.delete(path_of(entry), root, for_good=business)
        note = "" if business or not held.folders else texts.NOT_BUSINESS.format(days=days)
        note += texts.ELSEWHERE.format(n=len(held.elsewhere)) if held.elsewhere else ""
        residue = (texts.COPIES,) if business else (texts.COPIES, texts.recoverable(days))
        more = {"counts": held.counts, "identities": held.identities, "residue": residue}
        return manual(note, **more) if note else done(**more)  # type: ignore[arg-type]  # checked by Receipt

    def restrict(self, instruction: Instruction) -> Receipt:
        """Move the person's folders to the restricted folder, which only the data protection officer may open."""
        return self._move(instruction, self._accounts, self._restricted)

    def lift(self, instruction: Instruction) -> Receipt:
        """Move them back."""
        return self._move(instruction, self._restricted, self._accounts)

    def check(self) -> None:
        self._api.account()

    def _move(self, instruction: Instruction, source: str, target: str) -> Receipt:
        held = self._lookup.holding(instruction.subject)
        by_hand = texts.INSTRUCTIONS[instruction.operation]
        if held.doubtful:
            return manual(texts.SEVERAL + by_hand)
        if not held.live:
            return self._nothing_to_move(held)
        parent = self._api.metadata(target, held.account.root)
        if parent is None or parent[".tag"] != "folder":
            # Dropbox would make it, open to everybody who sees its parent.
            raise VendorRefused("dropbox", "the folder to move to does not exist; make it with the right access first")
        for folder in held.live:
            if path_of(folder).startswith(f"{source.lower()}/"):
                try:
                    self._api.move(path_of(folder), f"{target}/{folder['name']}", held.account.root)
                except RouteError as error:
                    if not error.code.startswith("to/conflict"):
                        raise
                    return manual(texts.IN_THE_WAY + by_hand, identities=held.identities)
        note = texts.ELSEWHERE.format(n=len(held.elsewhere)) if held.elsewhere else ""
        return done({"folders": len(held.live)}, identities=held.identities, note=note)

    def _nothing_to_move(self, held: Holding) -> Receipt:
        if held.elsewhere:
            return manual(texts.ELSEWHERE.format(n=len(held.elsewhere)))
        return no_match(NOTHING)


def _safe(file: Object) -> str:
    """A file's path inside the package."""
    steps = (re.sub(r"[^\w.@() -]", "_", step).strip(". ") or "_" for step in path_of(file).strip("/").split("/"))
    return "/" + "/".join(steps)
