"""Intercom as a processor: contacts, their conversations and tickets.

Contacts: https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts
What a deletion keeps: https://www.intercom.com/help/en/articles/1815435
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Receipt,
    Residue,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.intercom.api import Api, Object, path_id
from integrations.intercom.export import files
from integrations.intercom.lookup import CONTACT, CONVERSATION, Holding, Shared, holding, identities, shared
from integrations.intercom.settings import IntercomSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RESTRICT: Support.COMPOSED,
    Operation.LIFT: Support.COMPOSED,
    Operation.RECTIFY: Support.COMPOSED,
}
_OPEN = "In Intercom open Contacts and search for the e-mail address; look also under Leads and in the Archived list. "
INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: _OPEN + "Note how many contacts, conversations and tickets there are; two accounts: ask the DPO.",
    Operation.EXPORT: _OPEN + "Open each contact, choose More > Export, and save its conversations as text.",
    Operation.ERASE: _OPEN + "Make sure that every contact found is this person. Delete the conversations and tickets, "
    "then open each contact and choose More > Delete permanently. Archiving is not deleting.",
    Operation.SUPPRESS: _OPEN + "Open each contact, choose Unsubscribe from emails and opt out of every subscription "
    "type. For an age report add the tag privacy_under_16_reported, for an objection privacy_objection.",
    Operation.RESTRICT: _OPEN + "Add the tag privacy_restricted to each contact, then choose More > Archive.",
    Operation.LIFT: _OPEN + "Restore each archived contact and remove the tag privacy_restricted.",
    Operation.RECTIFY: _OPEN + "Edit the fields on each contact. A company is changed under Contacts > Companies.",
}

RATINGS = Residue("conversation ratings with their comments", "Intercom keeps them for reports and offers no deletion")
STATISTICS = Residue("numbers of conversations in reports", "aggregates of Intercom's reporting")
BACKUPS = Residue("deleted records in Intercom's back-ups", "its support can restore for 7 days", "90 days")
OTHERS = Residue("conversations with other people", "redacted: only the other people's messages stay")
LONG = Residue("messages before the newest 500 of a conversation with other people", "the API does not show them")
TICKETS = Residue("tickets shared with other people", "they cannot be split; an agent removes this person's part")
FILES = Residue(
    "files in conversations with other people", "the API takes away texts alone; an agent removes the files"
)
FILES_BY_HAND = (
    "The API cannot remove files that this person sent into conversations with other people: {ids}. Open each at "
    "app.intercom.com > Inbox (search for the number) and delete the person's messages that have a file. "
)
RESTRICTED = "privacy_restricted"
TAG_OF_RIGHT = {Right.AGE_REPORT: "privacy_under_16_reported", Right.OBJECTION: "privacy_objection"}
FIELDS = frozenset({"name", "email", "phone"})
NOTHING = "No contact carries the address. Archived contacts without a conversation are found by their id alone."


class IntercomProcessor(Processor):
    """Finds by exact address, account id and known contact ids; erases permanently."""

    name: ClassVar[str] = "intercom"
    label: ClassVar[str] = "Intercom, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", CONTACT, CONVERSATION})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: IntercomSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)

    def find(self, subject: Identities) -> Findings:
        held = holding(self._api, subject)
        counts = {
            "contacts": len(held.contacts),
            "conversations": sum(1 for _ in shared(self._api, "conversations", held, subject.of(CONVERSATION))),
            "tickets": sum(1 for _ in shared(self._api, "tickets", held)),
        }
        return Findings(
            held={kind: n for kind, n in counts.items() if n},
            identities=identities(held),
            ambiguous=held.doubtful,
            residue=(RATINGS, STATISTICS) if held.ids else (),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        held = holding(self._api, instruction.subject)
        yield from files(self._api, held)

    def erase(self, instruction: Instruction) -> Receipt:
        """Erase tickets, then conversations, then contacts, for good.

        In this order an interrupted try finds the rest again: conversations are found by their contact, except that an
        archived contact is found by its conversation alone, so it goes before it.
        """
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual("More than one person may be meant. " + INSTRUCTIONS[Operation.ERASE])
        tickets = list(shared(self._api, "tickets", held))
        conversations = list(shared(self._api, "conversations", held, instruction.subject.of(CONVERSATION)))
        counts = {"contacts": len(held.contacts), "conversations": len(conversations), "tickets": len(tickets)}
        if not any(counts.values()):
            return no_match(NOTHING)
        residue = {RATINGS: None, STATISTICS: None, BACKUPS: None}
        for ticket in tickets:
            if ticket.contacts <= held.ids:
                self._api.delete("tickets", ticket.id)
            else:
                residue[TICKETS] = None
        own = [c for c in conversations if c.contacts <= held.ids]
        with_files = []
        for group in conversations:
            if group not in own:
                left = dict.fromkeys(self._leave(group, held))
                residue.update(left)
                with_files += [group.id] if FILES in left else []
        for id in held.hidden:
            self._api.delete("contacts", id)
        for conversation in own:
            self._api.delete("conversations", conversation.id)
        for id in held.contacts.keys() - held.hidden:
            self._api.delete("contacts", id)
        touched = (*identities(held), *(Identity(CONVERSATION, c.id) for c in own))
        if with_files:
            note = FILES_BY_HAND.format(ids=", ".join(with_files))
            return manual(note, counts=counts, identities=touched, residue=tuple(residue))
        return done(counts, identities=touched, residue=tuple(residue))

    def suppress(self, instruction: Instruction) -> Receipt:
        """Unsubscribe from e-mails and from every subscription type; tag an objection or an age report.

        Somebody unknown is not created: Intercom sends to contacts alone.
        """
        held = holding(self._api, instruction.subject)
        if not held.contacts:
            return no_match(NOTHING)
        types = [t for t in self._api.listing("subscription_types") if t.get("consent_type") == "opt_out"]
        name = TAG_OF_RIGHT.get(instruction.right)
        tag = self._api.tag(name) if name else ""
        for id in held.contacts:
            self._update(id, {"unsubscribed_from_emails": True})
            for one in types:
                self._subscribe("POST", id, str(one["id"]), "opt_out")
            opted_in = [t for t in self._api.listing(f"contacts/{id}/subscriptions") if t["consent_type"] == "opt_in"]
            for one in opted_in:
                self._subscribe("DELETE", id, str(one["id"]))
            if tag:
                self._tag(id, tag)
        return done({"contacts": len(held.contacts)}, identities=identities(held))

    def restrict(self, instruction: Instruction) -> Receipt:
        """Tag, then archive: Intercom knows no restriction, and an archived contact is in no list and gets nothing."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual("More than one person may be meant. " + INSTRUCTIONS[Operation.RESTRICT])
        if not held.contacts:
            return no_match(NOTHING)
        tag = self._api.tag(RESTRICTED)
        for id in held.contacts:
            self._tag(id, tag)
            self._archived("archive", id, True)
        note = "A contact comes out of the archive when the person signs in again; the tag privacy_restricted stays."
        return done({"contacts": len(held.contacts)}, identities=identities(held), note=note)

    def lift(self, instruction: Instruction) -> Receipt:
        """Restore and untag. What `suppress` stopped stays stopped: only the person can subscribe again."""
        held = holding(self._api, instruction.subject)
        if not held.contacts:  # no search shows archived contacts, so this proves nothing
            return manual(INSTRUCTIONS[Operation.LIFT])
        names = [RESTRICTED, *([TAG_OF_RIGHT[Right.AGE_REPORT]] if instruction.right is Right.AGE_REPORT else [])]
        tags = [self._api.tag(name) for name in names]
        for id in held.contacts:
            self._archived("unarchive", id, False)
            there = {str(t["id"]) for t in self._api.listing(f"contacts/{id}/tags")}
            for tag in (t for t in tags if t in there):
                self._is(tag, self._api.call("DELETE", f"contacts/{path_id(id)}/tags/{path_id(tag)}", "tag"))
        return done({"contacts": len(held.contacts)}, identities=identities(held))

    def stands(self, instruction: Instruction) -> bool | None:
        """The tag and the archive, which a person leaves by signing in again; or the mark "unsubscribed"."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return None
        if instruction.operation is Operation.SUPPRESS:
            return all(c.get("unsubscribed_from_emails") is True for c in held.contacts.values())
        if held.contacts.keys() - held.hidden:  # searches show no archived contact
            return False
        return all(
            any(t.get("name") == RESTRICTED for t in self._api.listing(f"contacts/{id}/tags")) for id in held.contacts
        )

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """The flag goes, and the refusal of each subscription type. Types that ask for consent first stay without it:
        which of them the person had is not known any more. A contact with one of our tags is left to an agent."""
        held = holding(self._api, instruction.subject)
        if not held.contacts:
            return no_match(NOTHING)
        marked = 0
        for id in held.contacts:
            if any(str(t.get("name", "")).startswith("privacy_") for t in self._api.listing(f"contacts/{id}/tags")):
                marked += 1
                continue
            self._update(id, {"unsubscribed_from_emails": False})
            refused = [t for t in self._api.listing(f"contacts/{id}/subscriptions") if t["consent_type"] == "opt_out"]
            for one in refused:
                self._subscribe("DELETE", id, str(one["id"]))
        counts = {"contacts": len(held.contacts) - marked}
        if marked or held.doubtful:
            return manual(self.resubscribing(), counts=counts, identities=identities(held))
        return done(counts, identities=identities(held))

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name, e-mail and phone on every contact of the person; anything else is for an agent."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual("More than one person may be meant. " + INSTRUCTIONS[Operation.RECTIFY])
        if not held.contacts:
            return no_match(NOTHING + " A changed address is found under the new one.")
        wanted: Object = {field: value for field, value in instruction.changes.items() if field in FIELDS}
        for id in held.contacts if wanted else ():
            self._update(id, wanted)
        counts = {"contacts": len(held.contacts)}
        if set(instruction.changes) - FIELDS:
            return manual(INSTRUCTIONS[Operation.RECTIFY], counts=counts, identities=identities(held))
        return done(counts, identities=identities(held))

    def check(self) -> None:
        self._api.call("GET", "me", "admin")

    def _leave(self, one: Shared, held: Holding) -> Iterator[Residue]:
        """Take the person out of a group conversation: redact what they wrote, then detach them.

        Only a message with a text can be redacted, and that its files go with it is not documented: files that still
        show afterwards are left to an agent. Whether Intercom itself would delete such a conversation with the contact
        is not documented either.
        """
        conversation = self._api.conversation(one.id)
        if conversation is None:
            return
        yield OTHERS
        own = {key: m for key, m in _messages(conversation) if str((m.get("author") or {}).get("id")) in held.ids}
        for (kind, id), message in own.items():
            if message.get("body") and not message.get("redacted"):
                body = {"type": kind, "conversation_id": one.id, f"{kind}_id": id}
                self._is(one.id, self._api.call("POST", "conversations/redact", "conversation", json=body))
        if any(message.get("attachments") for message in own.values()):
            now = self._api.conversation(one.id)
            if now and any(m.get("attachments") for key, m in _messages(now) if key in own):
                yield FILES
        parts = conversation["conversation_parts"]
        if int(parts.get("total_count") or 0) > len(parts["conversation_parts"]):
            yield LONG
        for id in sorted(one.contacts & held.ids):
            path = f"conversations/{path_id(one.id)}/customers/{path_id(id)}"
            self._is(one.id, self._api.call("DELETE", path, "conversation", json={"admin_id": self._api.admin_id}))

    def _update(self, id: str, fields: Object) -> None:
        now = self._api.call("PUT", f"contacts/{path_id(id)}", "contact", json=fields)
        if any(_plain(field, now.get(field)) != _plain(field, value) for field, value in fields.items()):
            raise VendorAnswerUnexpected("intercom", "did not take over a change to a contact")

    def _subscribe(self, method: str, id: str, type_id: str, consent: str = "") -> None:
        path = f"contacts/{path_id(id)}/subscriptions" + (f"/{path_id(type_id)}" if method == "DELETE" else "")
        json = {"id": type_id, "consent_type": consent} if consent else None
        self._is(type_id, self._api.call(method, path, "subscription", json=json))

    def _tag(self, id: str, tag: str) -> None:
        self._is(tag, self._api.call("POST", f"contacts/{path_id(id)}/tags", "tag", json={"id": tag}))

    def _archived(self, verb: str, id: str, archived: bool) -> None:
        now = self._api.call("POST", f"contacts/{path_id(id)}/{verb}", "contact")
        if now.get("archived") is not archived:
            raise VendorAnswerUnexpected("intercom", f"did not {verb} a contact")

    def _is(self, id: str, answer: Object) -> None:
        if str(answer.get("id")) != id:
            raise VendorAnswerUnexpected("intercom", "answered for another record than the one asked for")


def _messages(conversation: Object) -> Iterator[tuple[tuple[str, str], Object]]:
    """The first message and every part that the API shows, each with its kind and id."""
    source, parts = conversation.get("source") or {}, conversation["conversation_parts"]["conversation_parts"]
    for kind, message in [("source", source), *(("conversation_part", part) for part in parts)]:
        yield (kind, str(message.get("id"))), message


def _plain(field: str, value: object) -> object:
    """A field as it compares: Intercom lowers addresses and may write a number with other separators."""
    if field == "phone":
        return "".join(c for c in str(value) if c.isdigit())
    return value.strip().lower() if field == "email" and isinstance(value, str) else value
