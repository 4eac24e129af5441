"""Suppression lists of Communication Services Email: one for each sender, kept by Azure Resource Manager.

https://learn.microsoft.com/azure/communication-services/quickstarts/email/manage-suppression-list-management-sdks
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from dsr.errors import VendorAnswerUnexpected
from integrations.microsoft.api import Object, Service
from integrations.microsoft.settings import MicrosoftSettings

API_VERSION = {"api-version": "2025-09-01"}
NAMESPACE = uuid.UUID("6f0d2c1e-5a4b-5c3d-8e2f-1a0b9c8d7e6f")  # of the ids that we choose; never change it

NOTE = "objection to marketing"


class Suppressions:
    """The lists of all senders of one domain. Addresses are compared and stored in lower case."""

    def __init__(self, settings: MicrosoftSettings) -> None:
        self._service = management(settings)
        self._lists = f"{settings.email_domain}/suppressionLists"
        self._senders = settings.senders

    def add(self, email: str) -> int:
        """Put the address on every sender's list; returns the number of lists.

        The id is derived from the address, so a second time changes nothing. No name is stored.
        """
        known = self._known()
        for sender in self._senders:
            id = known.get(sender) or self._create(sender)
            path = f"{self._lists}/{id}/suppressionListAddresses/{uuid.uuid5(NAMESPACE, email)}"
            body = {"properties": {"email": email, "notes": NOTE}}
            now = self._service.object("PUT", path, params=API_VERSION, json=body)
            if str(_properties(now).get("email")).lower() != email:
                raise VendorAnswerUnexpected("microsoft", "did not take an address onto a suppression list")
        return len(self._senders)

    def remove(self, email: str) -> int:
        """Take the entry that `add` made off every sender's list; returns how many entries of others stay."""
        known = self._known()
        for sender in self._senders:
            if id := known.get(sender):
                path = f"{self._lists}/{id}/suppressionListAddresses/{uuid.uuid5(NAMESPACE, email)}"
                self._service.call("DELETE", path, params=API_VERSION, accept=(204,))
        left = [row for row in self.rows((email,)) if row["sender"] in self._senders]
        if any(row.get("notes") == NOTE for row in left):
            raise VendorAnswerUnexpected("microsoft", "still lists an address that it said it removed")
        return len(left)

    def rows(self, emails: tuple[str, ...]) -> Iterator[Object]:
        """The entries of these addresses; there is no filter, so every list is read to its end."""
        for sender, id in self._known().items():
            for row in self._service.listing(f"{self._lists}/{id}/suppressionListAddresses", API_VERSION):
                if str(_properties(row).get("email")).strip().lower() in emails:
                    yield {"sender": sender, **_properties(row)}

    def complete(self, emails: tuple[str, ...]) -> bool:
        """Does every sender's list hold every address?"""
        there = {(row["sender"], str(row.get("email")).strip().lower()) for row in self.rows(emails)}
        return all((sender, email) in there for sender in self._senders for email in emails)

    def check(self) -> None:
        self._known()

    def _known(self) -> dict[str, str]:
        found = self._service.listing(self._lists, API_VERSION)
        return {str(_properties(one).get("listName")): str(one.get("name")) for one in found}

    def _create(self, sender: str) -> str:
        id = str(uuid.uuid5(NAMESPACE, f"list:{sender}"))
        body = {"properties": {"listName": sender}}
        made = self._service.object("PUT", f"{self._lists}/{id}", params=API_VERSION, json=body)
        if _properties(made).get("listName") != sender:
            raise VendorAnswerUnexpected("microsoft", "did not make a suppression list")
        return id


def management(settings: MicrosoftSettings) -> Service:
    host = "management.azure.com"
    return Service(settings, "management", host, f"https://{host}/.default")


def _properties(item: Object) -> Object:
    found = item.get("properties")
    return found if isinstance(found, dict) else {}
