"""Which of Zendesk's records are about a person: Support users and, linked to them, messaging users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dsr.model import Identities, Identity
from integrations.zendesk.api import Object, SupportApi, path_id
from integrations.zendesk.payload import ident, text
from integrations.zendesk.sunco import SuncoApi

USER = "zendesk.user"
TICKET = "zendesk.ticket"
PERSON = "zendesk.messaging_user"
COMMENT_TEXT = "\u2587"  # what Zendesk leaves of redacted text


@dataclass
class Holding:
    """What is held about one person.

    Args:
        users: active Support users, by id.
        deleted: soft-deleted ones: an agent can still read them.
        gone: ids of permanently deleted ones (a nameless record without address stays).
        people: messaging users, by id.
        unreached: messaging identities of the users, while messaging is not connected.
        doubtful: more than one person may be meant.
        staff: the person is an agent or administrator of the account.
    """

    users: dict[str, Object] = field(default_factory=dict)
    deleted: dict[str, Object] = field(default_factory=dict)
    gone: dict[str, Object] = field(default_factory=dict)
    people: dict[str, Object] = field(default_factory=dict)
    unreached: int = 0
    doubtful: bool = False

    @property
    def staff(self) -> bool:
        return any(user.get("role") in ("agent", "admin") for user in self.users.values())

    @property
    def user_ids(self) -> tuple[str, ...]:
        return (*self.users, *self.deleted, *self.gone)

    @property
    def nobody(self) -> bool:
        return not (self.users or self.deleted or self.people)

    def identities(self) -> tuple[Identity, ...]:
        support = (Identity(USER, id) for id in self.user_ids)
        return (*support, *(Identity(PERSON, id) for id in self.people))


def holding(support: SupportApi, sunco: SuncoApi | None, subject: Identities) -> Holding:
    """Every record whose address or account id is exactly the person's, and those known by id.

    A record known only by its id that carries somebody's other address is left alone, and makes the find doubtful.
    """
    held = Holding()
    emails = {e.strip().lower() for e in subject.of("email")}
    accounts = set(subject.of("account_id"))
    linked: list[str] = []
    for id, user in _candidates(support, subject, emails, accounts):
        if user is None or user.get("active") is False:
            _deleted(support, held, id, user, emails)
            continue
        identities = list(support.rows(f"users/{path_id(id)}/identities", "identities"))
        addresses = {text(user, "email").lower()} | {_value(i) for i in identities if i.get("type") == "email"}
        if not emails & addresses and addresses != {""} and ident(user, "external_id") not in accounts:
            held.doubtful = held.doubtful or id in subject.of(USER)
            continue
        held.users[id] = user
        linked += [str(i.get("value")) for i in identities if i.get("type") == "messaging"]
    for user in support.rows("deleted_users", "deleted_users"):
        if text(user, "email").lower() in emails:
            held.deleted[ident(user, "id")] = user
    external = {e for u in held.users.values() if (e := ident(u, "external_id"))}
    if sunco is None:
        held.unreached = len(linked)
    else:
        _people(sunco, held, subject, emails, accounts | external, linked)
        external |= {e for p in held.people.values() if (e := ident(p, "externalId"))}
    held.doubtful = held.doubtful or (len(external) > 1 and not external <= accounts)
    return held


def tickets(support: SupportApi, held: Holding, kind: str) -> Iterator[Object]:
    """The person's tickets.

    Args:
        kind: `requested` (theirs) or `ccd` (other people's, in which they take part).
    """
    for id in held.user_ids:
        if id in held.gone and support.look(f"users/{path_id(id)}", "user") is None:
            continue
        yield from support.rows(f"users/{path_id(id)}/tickets/{kind}", "tickets")


def comments_elsewhere(support: SupportApi, held: Holding) -> Iterator[tuple[str, Object]]:
    """Ticket id and comment: what the person wrote in other people's tickets and is not yet redacted."""
    authors = set(held.user_ids)
    for ticket in tickets(support, held, "ccd"):
        id = ident(ticket, "id")
        if ident(ticket, "requester_id") in authors:
            continue
        for comment in support.rows(f"tickets/{path_id(id)}/comments", "comments"):
            if ident(comment, "author_id") in authors and text(comment, "body").strip(COMMENT_TEXT + " \n"):
                yield id, comment


def suspended(support: SupportApi, subject: Identities) -> list[Object]:
    """Mail that never became a ticket, from exactly the person's address."""
    emails = {e.strip().lower() for e in subject.of("email")}
    rows = support.rows("suspended_tickets", "suspended_tickets")
    return [row for row in rows if text(row, "author", "email").lower() in emails]


def deleted_ticket_ids(support: SupportApi) -> set[str]:
    """Every soft-deleted ticket of the account: Zendesk shows none of them singly."""
    return {ident(row, "id") for row in support.rows("deleted_tickets", "deleted_tickets")}


def _value(identity: Object) -> str:
    return text(identity, "value").strip().lower()


def _candidates(
    support: SupportApi, subject: Identities, emails: set[str], accounts: set[str]
) -> Iterator[tuple[str, Object | None]]:
    """Users that may be the person's, each once: by known id, by address (search is not exact), by account."""
    seen: set[str] = set()
    for id in subject.of(USER):
        seen.add(id)
        yield id, support.look(f"users/{path_id(id)}", "user")
    queries = [{"query": f"email:{e}"} for e in sorted(emails)] + [{"external_id": a} for a in sorted(accounts)]
    for query in queries:
        for user in support.rows("users/search", "users", query):
            id = ident(user, "id")
            if id not in seen:
                seen.add(id)
                yield id, user


def _deleted(support: SupportApi, held: Holding, id: str, user: Object | None, emails: set[str]) -> None:
    """Soft or permanently deleted? After a permanent deletion a nameless user without address stays."""
    soft = support.look(f"deleted_users/{path_id(id)}", "deleted_user")
    if soft is None:
        held.gone[id] = user or {}
    elif text(soft, "email").lower() in emails | {""}:
        held.deleted[id] = soft
    else:
        held.doubtful = True


def _people(
    sunco: SuncoApi, held: Holding, subject: Identities, emails: set[str], accounts: set[str], linked: list[str]
) -> None:
    """Messaging users: by address among the identities, by account, by the Support user they are linked to, by id."""
    found: dict[str, Object] = {}
    for email in sorted(emails):
        found |= {ident(u, "id"): u for u in sunco.users_by_email(email)}
    for id in (*sorted(accounts), *linked, *subject.of(PERSON)):
        if id not in found and (user := sunco.user(id)):
            found[ident(user, "id")] = user
    for id, user in found.items():
        identities = user.get("identities")
        listed = [i for i in identities if isinstance(i, dict)] if isinstance(identities, list) else []
        addresses = {_value(i) for i in listed if i.get("type") == "email"}
        theirs = ident(user, "externalId") in accounts or ident(user, "zendeskId") in held.users
        nameless = not addresses and (id in linked or id in subject.of(PERSON))
        if theirs or addresses & emails or nameless:
            held.people[id] = user
        else:
            held.doubtful = held.doubtful or id in subject.of(PERSON)
