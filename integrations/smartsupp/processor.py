"""Smartsupp as a processor: contacts, conversations, visitors.

Reading is composed of several calls. No documented call deletes a contact or a conversation, so a person does it.

https://docs.smartsupp.com/rest-api/overview
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Support,
    manual,
    no_match,
)
from integrations.processor import Processor
from integrations.smartsupp.api import Api, Object, content_text
from integrations.smartsupp.settings import SmartsuppSettings

if TYPE_CHECKING:
    from dsr.policy import Policy

CONTACT = "smartsupp.contact"
SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.MANUAL,
    Operation.SUPPRESS: Support.MANUAL,
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}
_OPEN = "In the Smartsupp dashboard open Contacts and search for the e-mail address. "
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many contacts and conversations there are; a match by name only is not a match.",
    Operation.EXPORT: _OPEN + "Open each conversation of the contact and save its transcript; copy the fields of the "
    "contact into a file. Add both to the package.",
    Operation.ERASE: _OPEN + "Delete each conversation of the contact, then the contact. What the dashboard does not "
    "let you delete, ask support@smartsupp.com to delete for good, and keep their confirmation. Search again: nothing "
    "may be found. The e-mail address is left on the contact until then, so that it can be found.",
    Operation.SUPPRESS: _OPEN + "Smartsupp sends no newsletters: add the tag privacy-no-marketing to the contact, "
    "switch its consent (GDPR) off, and leave it out of every export for mailings and out of automated messages. For "
    "an age report use the tag privacy-under-16-reported. Do not ban: that would lock the person out.",
    Operation.RESTRICT: _OPEN + "Add the tag privacy-restricted to the contact, switch its consent (GDPR) off, and "
    "tell the agents not to use its conversations. Do not ban: that stops the chat, not the use of the data.",
    Operation.LIFT: _OPEN + "Remove the tag privacy-restricted. Consent is switched on again by the person alone.",
    Operation.RECTIFY: _OPEN + "Edit name, e-mail, phone and note on the contact. Words in a chat stay as they are.",
}
MINIMISED: Object = {"name": None, "phone": None, "note": None}
BLANKED = "The contact's name, phone number and note have been blanked. "
NOT_BLANKED = "Smartsupp did not let us blank the contact's fields: blank them by hand if deletion takes long. "
NOTHING = "No contact carries the address."
DOUBT = "More than one person may be meant: a contact known from the conversation carries another address. "
OF_AGENTS = frozenset({"agent_id", "agent_ids", "assigned_ids", "assigned_agent_ids", "group_id"})


@dataclass(frozen=True)
class Holding:
    """The contacts of a person by id; doubtful if a known contact carries somebody else's address."""

    contacts: Mapping[str, Object]
    doubtful: bool

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(Identity(CONTACT, id) for id in self.contacts)


class SmartsuppProcessor(Processor):
    """Finds by exact address and known contact ids; reads and minimises, but cannot delete."""

    name: ClassVar[str] = "smartsupp"
    label: ClassVar[str] = "Smartsupp.com, s.r.o"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", CONTACT})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: SmartsuppSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)

    def find(self, subject: Identities) -> Findings:
        """Counts of contacts and conversations. Smartsupp shows one contact an address; others are found by id."""
        held = self._holding(subject)
        counts = {
            "contacts": len(held.contacts),
            "conversations": sum(1 for id in held.contacts for _ in self._api.conversations(id)),
        }
        return Findings(
            held={kind: n for kind, n in counts.items() if n}, identities=held.identities, ambiguous=held.doubtful
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """Contacts, conversations with all messages, and the browsers from which the person wrote.

        Raises:
            VendorRefused: more than one person may be meant; an agent decides.
        """
        held = self._holding(instruction.subject)
        if held.doubtful:
            raise VendorRefused("smartsupp", "more than one person may be meant")
        if not held.contacts:
            return
        yield DataFile("contacts.json", iter([dict(c) for c in held.contacts.values()]), origin=Origin.PROVIDED)
        yield DataFile("conversations.json", self._conversations(held))
        yield DataFile("messages.json", self._messages(held), origin=Origin.PROVIDED)
        yield DataFile("visitors.json", self._visitors(held))

    def erase(self, instruction: Instruction) -> Receipt:
        """Blank what Smartsupp lets us blank, and hand the deletion to a person.

        The address stays on the contact: without it nobody would find what is still to be deleted. Whether contacts
        may be changed by PATCH is not documented; if Smartsupp refuses, the task says so.
        """
        held = self._holding(instruction.subject)
        if held.doubtful:
            return manual(DOUBT + INSTRUCTIONS[Operation.ERASE])
        if not held.contacts:
            return no_match(NOTHING)
        counts = {"contacts": len(held.contacts)}
        blanked = [self._blank(id, contact) for id, contact in held.contacts.items()]
        note = (BLANKED if all(blanked) else NOT_BLANKED) + INSTRUCTIONS[Operation.ERASE]
        return manual(note, counts=counts, identities=held.identities)

    def check(self) -> None:
        self._api.check()

    def _holding(self, subject: Identities) -> Holding:
        emails = subject.of("email")
        found = [c for email in emails if (c := self._api.contact_with(email))]
        found += [c for id in subject.of(CONTACT) if (c := self._api.contact(id))]
        contacts = {str(c["id"]): c for c in found}
        others = [c for c in contacts.values() if c.get("email") and str(c["email"]).strip().lower() not in emails]
        return Holding(contacts, doubtful=bool(emails and others))

    def _blank(self, id: str, contact: Object) -> bool:
        if not any(contact.get(field) for field in MINIMISED):
            return True
        try:
            self._api.update_contact(id, MINIMISED)
        except CredentialsRejected:
            raise
        except (VendorRefused, VendorAnswerUnexpected):
            return False
        return True

    def _conversations(self, held: Holding) -> Iterator[Object]:
        for id in held.contacts:
            for conversation in self._api.conversations(id):
                yield {k: v for k, v in conversation.items() if k not in OF_AGENTS}

    def _messages(self, held: Holding) -> Iterator[Object]:
        """Newest first in each conversation; agents stay without name."""
        for id in held.contacts:
            for conversation in self._api.conversations(id):
                for message in self._api.messages(str(conversation["id"])):
                    shown = {k: v for k, v in message.items() if k not in OF_AGENTS}
                    yield {**shown, "conversation_id": conversation["id"], "text": content_text(message)}

    def _visitors(self, held: Holding) -> Iterator[Object]:
        seen: set[str] = set()
        for id in held.contacts:
            for conversation in self._api.conversations(id):
                visitor = str(conversation.get("visitor_id") or "")
                if not visitor or visitor in seen:
                    continue
                seen.add(visitor)
                if found := self._api.visitor(visitor):
                    yield found
