"""What the company's Dropbox would hold about the seeded people."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.dropbox.twin import DropboxTwin

RICHLY = "maria.pop@example.com"  # two folders, a deleted file, a document in the cloud, enough files for pages


def seed(twin: DropboxTwin, people: Iterable[Person]) -> None:
    """One folder each with a contract; `RICHLY` has more."""
    for path in ("/Clients", "/Restricted", "/Handbook"):
        twin.put(path)
    twin.put("/Handbook/Welcome.md", "How we work")
    for person in people:
        folder = f"/Clients/{person.name} ({person.email})"
        twin.put(folder, email=person.email)
        twin.put(f"{folder}/contract.txt", f"Contract with {person.name}, {person.email}")
        if person.email == RICHLY:
            _richly(twin, person, folder)


def _richly(twin: DropboxTwin, person: Person, folder: str) -> None:
    twin.put(f"{folder}/Lists")
    for month in ("January", "February", "March", "April"):
        twin.put(f"{folder}/Lists/{month}.csv", f"email,result\nx@example.net,{month}\n")
    twin.put(f"{folder}/Notes.gdoc", "", export_as="docx")
    twin.put(f"{folder}/draft.txt", f"Draft for {person.email}", deleted=time.time())
    archive = f"/Clients/Archive ({person.email})"
    twin.put(archive, email=person.email)
    twin.put(f"{archive}/invoice 2019.txt", f"Paid by {person.email}")
