"""Which of Intercom's records are about a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dsr.model import Identities, Identity
from integrations.intercom.api import Api, Object

CONTACT = "intercom.contact"
CONVERSATION = "intercom.conversation"
PEOPLE = frozenset({"user", "lead", "contact"})


@dataclass(frozen=True)
class Shared:
    """A conversation or ticket and the contacts who take part in it."""

    id: str
    contacts: frozenset[str]
    source_type: str = ""


@dataclass(frozen=True)
class Holding:
    """What is held about one person.

    Args:
        contacts: by id.
        hidden: which of them only a conversation leads to (archived ones): without it nothing would find them again.
        gone: ids that we knew and that do not exist any more.
        authored: conversations that name the address as their author's, whoever takes part in them now.
        doubtful: more than one person may be meant.
    """

    contacts: dict[str, Object]
    hidden: frozenset[str]
    gone: frozenset[str]
    authored: frozenset[str]
    doubtful: bool

    @property
    def ids(self) -> frozenset[str]:
        """Everything that stands for the person, also what was deleted: a conversation may outlive its contact."""
        return frozenset(self.contacts) | self.gone


def holding(api: Api, subject: Identities) -> Holding:
    """Every contact of the person: user, leads, and archived ones.

    Search hits are asked for again by id, for a search still shows what was just deleted. Archived contacts are in no
    search; they are found by a known id, or as the author of a conversation that carries the address.
    """
    emails = {e.strip().lower() for e in subject.of("email")}
    accounts = set(subject.of("account_id"))
    contacts: dict[str, Object] = {}
    gone: set[str] = set()
    doubtful = False
    searched = dict.fromkeys(_searched(api, emails, accounts))
    began = dict(_began(api, emails))
    for id in dict.fromkeys((*subject.of(CONTACT), *searched, *began.values())):
        contact = api.contact(id)
        if contact is None:
            gone.add(id)
            continue
        its_email = str(contact.get("email") or "").lower()
        its_account = str(contact.get("external_id") or "")
        if its_email not in emails and its_email and its_account not in accounts:
            doubtful = True  # an id of ours that now carries somebody's other address
            continue
        contacts[str(contact["id"])] = contact
    external = {str(c["external_id"]) for c in contacts.values() if c.get("external_id")}
    doubtful = doubtful or (len(external) > 1 and not external <= accounts)
    hidden = frozenset(contacts) - frozenset(searched)
    return Holding(contacts, hidden, frozenset(gone), frozenset(began), doubtful)


def shared(api: Api, kind: str, held: Holding, known: tuple[str, ...] = ()) -> Iterator[Shared]:
    """The person's `conversations` or `tickets`, each once.

    Args:
        known: ids from earlier; given only if they still are the person's.
    """
    seen: set[str] = set()
    for contact_id in sorted(held.ids):
        for found in api.search(kind, "contact_ids", contact_id):
            id = str(found["id"])
            if id in seen or (contact_id in held.gone and not api.exists(kind, id)):
                continue  # twice, or a hit that search has not forgotten yet
            seen.add(id)
            yield _shared(found)
    for id in (*known, *sorted(held.authored if kind == "conversations" else ())):
        conversation = None if id in seen else api.conversation(id)
        if conversation is not None:
            seen.add(id)
            one = _shared(conversation)
            still_named = id in held.authored and _author(conversation).get("email")
            if not one.contacts or one.contacts & held.ids or still_named:
                yield one


def identities(held: Holding) -> tuple[Identity, ...]:
    return tuple(Identity(CONTACT, id) for id in held.contacts)


def _shared(found: Object) -> Shared:
    contacts = (found.get("contacts") or {}).get("contacts") or []
    source = found.get("source") or {}
    return Shared(str(found["id"]), frozenset(str(c["id"]) for c in contacts), str(source.get("type") or ""))


def _searched(api: Api, emails: set[str], accounts: set[str]) -> Iterator[str]:
    """Ids of contacts whose address or account is exactly the person's."""
    for field, values in (("email", emails), ("external_id", accounts)):
        for value in sorted(values):
            for contact in api.search("contacts", field, value):
                got = str(contact.get(field) or "")
                if (got.lower() if field == "email" else got) == value:
                    yield str(contact["id"])


def _began(api: Api, emails: set[str]) -> Iterator[tuple[str, str]]:
    """Conversations begun with exactly this address, and the contact who began each, also an archived one."""
    for email in sorted(emails):
        for conversation in api.search("conversations", "source.author.email", email):
            author = _author(conversation)
            if author.get("type") in PEOPLE and str(author.get("email") or "").lower() == email:
                yield str(conversation["id"]), str(author["id"])


def _author(conversation: Object) -> Object:
    found = (conversation.get("source") or {}).get("author") or {}
    return dict(found)
