"""Which of HubSpot's records are about a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dsr.model import Identities, Identity
from integrations.hubspot.api import GROUPS, Api, Object

CONTACT = "hubspot.contact"
ACTIVITIES = ("notes", "emails", "calls", "meetings", "tasks", "communications")
TICKETS = "tickets"


@dataclass(frozen=True)
class Holding:
    """What is held about one person.

    Args:
        contacts: live ones, by id.
        archived: in the recycle bin, by id; no search shows them, so only known ids lead there.
        gone: ids that we knew and that do not exist any more; conversations may outlive them for 30 days.
        doubtful: more than one person may be meant.
    """

    contacts: dict[str, Object]
    archived: dict[str, Object]
    gone: frozenset[str]
    doubtful: bool

    @property
    def nobody(self) -> bool:
        return not self.contacts and not self.archived

    @property
    def addresses(self) -> set[str]:
        """Every address of the live contacts."""
        return {address for contact in self.contacts.values() for address in addresses_of(contact)}


def holding(api: Api, subject: Identities) -> Holding:
    """Every contact that carries the person's address (primary or additional) or account id, exactly.

    HubSpot lowers addresses and keeps each unique, so several contacts share one only as primary of one and
    additional of another; those may be two people, and an agent decides.
    """
    emails = {e.strip().lower() for e in subject.of("email")}
    accounts = set(subject.of("account_id")) if api.account_property else set()
    known = subject.of(CONTACT)
    contacts: dict[str, Object] = {}
    archived: dict[str, Object] = {}
    gone: set[str] = set()
    doubtful = False
    for id in dict.fromkeys((*known, *_candidates(api, emails, accounts))):
        contact = api.contact(id)
        kept = contacts
        if contact is None:
            contact, kept = api.contact(id, archived=True), archived
        if contact is None:
            gone.add(id)
        elif emails & addresses_of(contact) or account_of(api, contact) in accounts:
            kept[str(contact["id"])] = contact
        elif id in known and addresses_of(contact):
            doubtful = True  # an id of ours that now carries somebody else's address
        elif id in known:
            kept[str(contact["id"])] = contact
    external = {account_of(api, c) for c in (*contacts.values(), *archived.values())} - {""}
    others = {i for i, c in contacts.items() if primary_of(c) not in emails and account_of(api, c) not in accounts}
    doubtful = doubtful or (len(external) > 1 and not external <= accounts) or (bool(others) and len(contacts) > 1)
    return Holding(contacts, archived, frozenset(gone), doubtful)


def counts(api: Api, held: Holding, hanging: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Kind of record -> how many, for what an erasure takes; `hanging` from `satellites`."""
    found = {
        "contacts": len(held.contacts) + len(held.archived),
        "activities": sum(len(hanging[kind]) for kind in ACTIVITIES),
        "tickets": len(hanging[TICKETS]),
        "conversations": sum(1 for _ in threads(api, held, with_archived=True)),
    }
    return {kind: n for kind, n in found.items() if n}


def satellites(api: Api, held: Holding) -> dict[str, list[str]]:
    """Activities and tickets of the live contacts: kind -> ids."""
    return {kind: linked(api, held, kind) for kind in (*ACTIVITIES, TICKETS)}


def linked(api: Api, held: Holding, kind: str) -> list[str]:
    return list(dict.fromkeys(id for contact in held.contacts for id in api.linked(contact, kind)))


def threads(api: Api, held: Holding, *, with_archived: bool = False) -> Iterator[Object]:
    """Conversations, each once, also of contacts that are gone already."""
    for contact in (*held.contacts, *held.archived, *sorted(held.gone)):
        yield from api.threads(contact)
        if with_archived:
            yield from api.threads(contact, archived=True)


def identities(held: Holding) -> tuple[Identity, ...]:
    return tuple(Identity(CONTACT, id) for id in (*held.contacts, *held.archived))


def primary_of(contact: Object) -> str:
    return str(contact["properties"].get("email") or "").strip().lower()


def addresses_of(contact: Object) -> set[str]:
    """Primary and additional addresses (`;` between them), in lower case."""
    additional = str(contact["properties"].get("hs_additional_emails") or "").split(";")
    return {a.strip().lower() for a in (primary_of(contact), *additional) if a.strip()}


def account_of(api: Api, contact: Object) -> str:
    return str(contact["properties"].get(api.account_property) or "") if api.account_property else ""


def _candidates(api: Api, emails: set[str], accounts: set[str]) -> Iterator[str]:
    for email in sorted(emails):
        contact = api.contact_with(email)
        if contact is not None:
            yield str(contact["id"])
    filters = [
        *(("email", "EQ", email) for email in sorted(emails)),
        *(("hs_additional_emails", "CONTAINS_TOKEN", email) for email in sorted(emails)),
        *((api.account_property, "EQ", account) for account in sorted(accounts)),
    ]
    for start in range(0, len(filters), GROUPS):
        yield from api.search_contacts(filters[start : start + GROUPS])
