"""Everything that Intercom holds about a person, as files of an export package.

There is no export of one person at Intercom, so the pieces are read one after another, page by page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsr.model import DataFile, Origin
from dsr.package.masking import MESSAGE
from integrations.intercom.api import Api, Object, path_id
from integrations.intercom.lookup import PEOPLE, Holding, shared

# file -> path below the contact, and where it comes from
PER_CONTACT = {
    "notes.json": ("notes", Origin.DERIVED),
    "tags.json": ("tags", Origin.DERIVED),
    "segments.json": ("segments", Origin.DERIVED),
    "subscriptions.json": ("subscriptions", Origin.PROVIDED),
    "companies.json": ("companies", Origin.PROVIDED),
}
CALLS_AT_ONCE = 20  # the most conversations that POST /calls/search takes


def files(api: Api, held: Holding) -> Iterator[DataFile]:
    """The files; a row is read when it is asked for."""
    yield DataFile("contacts.json", iter([dict(c) for c in held.contacts.values()]), origin=Origin.PROVIDED)
    for name, (path, origin) in PER_CONTACT.items():
        yield DataFile(name, _of_contacts(api, held, path), origin=origin)
    yield DataFile("events.json", _events(api, held))
    yield DataFile("conversations.json", _conversations(api, held), origin=Origin.PROVIDED)
    yield DataFile("calls.json", _calls(api, held))
    yield DataFile("tickets.json", _tickets(api, held), origin=Origin.PROVIDED)


def masked(conversation: Object, mine: frozenset[str]) -> Object:
    """The conversation without what belongs to others: agents lose name and address, other customers their words."""
    return {
        **conversation,
        "contacts": [{"type": "contact", "id": id} for id in _participants(conversation) if id in mine],
        "source": _masked_message(conversation.get("source") or {}, mine),
        "conversation_parts": [_masked_message(p, mine) for p in _parts(conversation)],
        "teammates": None,
    }


def _masked_message(message: Object, mine: frozenset[str]) -> Object:
    author = message.get("author") or {}
    if str(author.get("id")) in mine:
        return message
    kept = {**message, "author": {"type": author.get("type")}, "email_message_metadata": None}
    if author.get("type") in PEOPLE:
        kept |= {"body": MESSAGE, "attachments": [], "subject": None}
    return kept


def _of_contacts(api: Api, held: Holding, path: str) -> Iterator[Mapping[str, object]]:
    for id in held.contacts:
        for row in api.listing(f"contacts/{path_id(id)}/{path}"):
            yield {"contact_id": id, **row}


def _events(api: Api, held: Holding) -> Iterator[Mapping[str, object]]:
    """Events of the last 90 days; Intercom lists no older ones."""
    for id in held.contacts:
        yield from api.listing("events", key="events", params={"type": "user", "intercom_user_id": id})


def _conversations(api: Api, held: Holding) -> Iterator[Mapping[str, object]]:
    for one in shared(api, "conversations", held):
        conversation = api.conversation(one.id)
        if conversation is not None:
            shown = len(_parts(conversation))
            total = int((conversation.get("conversation_parts") or {}).get("total_count") or 0)
            # Intercom shows the newest 500 parts only; the package says what is missing.
            yield {**masked(conversation, held.ids), "older_parts_not_shown": max(0, total - shown)}


def _calls(api: Api, held: Holding) -> Iterator[Mapping[str, object]]:
    """Calls with their transcripts, of the conversations that were held by phone."""
    by_phone = [s.id for s in shared(api, "conversations", held) if s.source_type.startswith("phone_")]
    for start in range(0, len(by_phone), CALLS_AT_ONCE):
        ids = by_phone[start : start + CALLS_AT_ONCE]
        yield from api.call("POST", "calls/search", "list", json={"conversation_ids": ids})["data"]


def _tickets(api: Api, held: Holding) -> Iterator[Mapping[str, object]]:
    for id in sorted(held.ids):
        for ticket in api.search("tickets", "contact_ids", id):
            parts = (ticket.get("ticket_parts") or {}).get("ticket_parts") or []
            yield {
                **ticket,
                "contacts": [{"type": "contact", "id": i} for i in _participants(ticket) if i in held.ids],
                "ticket_parts": [_masked_message(part, held.ids) for part in parts],
            }


def _participants(found: Object) -> list[str]:
    return [str(c["id"]) for c in (found.get("contacts") or {}).get("contacts") or []]


def _parts(conversation: Object) -> list[Object]:
    return list((conversation.get("conversation_parts") or {}).get("conversation_parts") or [])
