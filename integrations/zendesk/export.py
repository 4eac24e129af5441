"""Everything that Zendesk holds about a person, streamed page by page.

Of a shared ticket only the person's own words, the agents' public answers to them, and the fact that others wrote.
Internal notes are part of the file on the person (Art. 15) and are included for the person's own tickets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsr.model import DataFile, Identities, Origin
from dsr.package.masking import PERSON
from integrations.zendesk.api import Object, SupportApi, path_id
from integrations.zendesk.lookup import Holding, suspended, tickets
from integrations.zendesk.payload import at, ident, text
from integrations.zendesk.sunco import SuncoApi

Row = Mapping[str, Any]

TICKET_FIELDS = (
    "id", "created_at", "updated_at", "subject", "description", "status", "priority", "type", "tags", "via",
    "custom_fields", "satisfaction_rating", "external_id",
)  # fmt: skip


def files(support: SupportApi, sunco: SuncoApi | None, held: Holding, subject: Identities) -> Iterator[DataFile]:
    """The files of the package; each is read when it is written."""
    reader = _Reader(support, held)
    if held.users or held.deleted:
        yield DataFile("users.json", iter([*held.users.values(), *held.deleted.values()]), origin=Origin.PROVIDED)
        yield DataFile("identities.json", reader.identities(), origin=Origin.PROVIDED)
        yield DataFile("tickets.json", reader.tickets(), origin=Origin.PROVIDED)
        said = (c for c in reader.comments("requested") if c["public"] is not False)
        yield DataFile("comments.json", said, origin=Origin.PROVIDED)
        notes = (c for c in reader.comments("requested") if c["public"] is False)
        yield DataFile("internal_notes.json", notes, origin=Origin.DERIVED)
        yield DataFile("comments_in_other_tickets.json", reader.comments("ccd"), origin=Origin.PROVIDED)
        yield DataFile("connections.json", reader.connections())
    if waiting := suspended(support, subject):
        yield DataFile("suspended_tickets.json", iter(waiting))
    if sunco and held.people:
        yield DataFile("messaging_users.json", iter(list(held.people.values())))
        yield DataFile("messaging_messages.json", _messages(sunco, held), origin=Origin.PROVIDED)


class _Reader:
    """Reads lists of Support; remembers who is an agent."""

    def __init__(self, support: SupportApi, held: Holding) -> None:
        self._support = support
        self._held = held
        self._mine = set(held.user_ids)
        self._staff: dict[str, bool] = {}

    def identities(self) -> Iterator[Row]:
        for id in self._held.users:
            yield from self._support.rows(f"users/{path_id(id)}/identities", "identities")

    def tickets(self) -> Iterator[Row]:
        for ticket in tickets(self._support, self._held, "requested"):
            yield {key: ticket[key] for key in TICKET_FIELDS if key in ticket}

    def comments(self, kind: str) -> Iterator[Row]:
        for ticket in tickets(self._support, self._held, kind):
            if (kind == "ccd") == (ident(ticket, "requester_id") in self._mine):
                continue
            for comment in self._support.rows(f"tickets/{path_id(ident(ticket, 'id'))}/comments", "comments"):
                mine = ident(comment, "author_id") in self._mine
                if mine or kind == "requested":
                    yield self._comment(ident(ticket, "id"), comment, mine)

    def connections(self) -> Iterator[Row]:
        """Technical data that Zendesk keeps with what the person sent: address of the device, place, program."""
        for ticket in tickets(self._support, self._held, "requested"):
            path = f"tickets/{path_id(ident(ticket, 'id'))}/audits"
            for audit in self._support.rows(path, "audits"):
                if ident(audit, "author_id") in self._mine:
                    system = at(audit, "metadata", "system")
                    yield {"ticket_id": ident(ticket, "id"), "created_at": audit.get("created_at"), "system": system}

    def _comment(self, ticket: str, comment: Object, mine: bool) -> Row:
        agent = not mine and self._is_staff(ident(comment, "author_id"))
        attachments = comment.get("attachments")
        row: Object = {
            "ticket_id": ticket,
            "id": comment.get("id"),
            "created_at": comment.get("created_at"),
            "author": "you" if mine else "support" if agent else PERSON,
            "public": comment.get("public"),
        }
        if mine or agent:
            row["body"] = text(comment, "plain_body") or text(comment, "body")
            row["attachments"] = [
                {key: a.get(key) for key in ("file_name", "content_type", "size")}
                for a in (attachments if isinstance(attachments, list) else [])
                if isinstance(a, dict)
            ]
        return row

    def _is_staff(self, author: str) -> bool:
        if author not in self._staff:
            user = self._support.look(f"users/{path_id(author)}", "user") if author else None
            self._staff[author] = text(user, "role") in ("agent", "admin")
        return self._staff[author]


def _messages(sunco: SuncoApi, held: Holding) -> Iterator[Row]:
    for user in held.people:
        for conversation in sunco.conversations(user):
            id = ident(conversation, "id")
            for message in sunco.messages(id):
                author = at(message, "author")
                row = {"conversation": id, "id": message.get("id"), "received": message.get("received")}
                if ident(author, "userId") in held.people:
                    yield {**row, "author": "you", "content": message.get("content"), "source": message.get("source")}
                elif text(author, "type") == "business":
                    yield {**row, "author": "support", "content": message.get("content")}
                else:
                    yield {**row, "author": PERSON}
