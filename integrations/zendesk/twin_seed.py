"""What the two Zendesk twins hold about a seeded person, so that both speak of the same users."""

from __future__ import annotations

import uuid
import zlib
from datetime import UTC, datetime
from typing import Any

from integrations.twin import Person

Object = dict[str, Any]

DAY = "2026-01-{:02}T{:02}:{:02}:00Z"
ACCOUNT = 111222
AGENT_ID = 900001
MARIA = "maria.pop@example.com"
COLLEAGUE_ID = 900100


def support_id(email: str) -> int:
    """The Support user's id: the same in both twins."""
    return 10_000_000 + zlib.crc32(email.encode()) % 80_000_000


def messaging_id(email: str) -> str:
    """A 24-digit id as messaging has them."""
    return f"{zlib.crc32(email.encode()):08x}" + "5f3a9c" + f"{zlib.adler32(email.encode()):08x}" + "e1"


def user(id: int, name: str, email: str | None, **more: Any) -> Object:
    """A Support user with its identities."""
    made: Object = {
        "id": id,
        "name": name,
        "email": email,
        "external_id": None,
        "role": "end-user",
        "active": True,
        "verified": False,
        "suspended": False,
        "phone": None,
        "locale": "en-US",
        "tags": [],
        "notes": "",
        "details": "",
        "created_at": DAY.format(2, 9, 0),
        "updated_at": DAY.format(2, 9, 0),
        "identities": [],
        **more,
    }
    if email:
        made["identities"].insert(0, identity(id * 10, id, "email", email, made["verified"], primary=True))
    return made


def identity(id: int, user_id: int, type: str, value: str, verified: bool = False, *, primary: bool = False) -> Object:
    return {"id": id, "user_id": user_id, "type": type, "value": value, "verified": verified, "primary": primary}


def comment(id: int, author_id: int, body: str, when: str, *, public: bool = True) -> Object:
    return {
        "id": id,
        "type": "Comment",
        "author_id": author_id,
        "body": body,
        "plain_body": body,
        "html_body": f'<div class="zd-comment"><p>{body}</p></div>',
        "public": public,
        "created_at": when,
        "attachments": [],
        "metadata": {"system": {"client": "Mozilla/5.0", "ip_address": "192.0.2.17", "location": "Cluj, Romania"}},
    }


def ticket(id: int, requester_id: int, subject: str, status: str, comments: list[Object], **more: Any) -> Object:
    return {
        "id": id,
        "subject": subject,
        "description": comments[0]["body"] if comments else "",
        "status": status,
        "requester_id": requester_id,
        "submitter_id": requester_id,
        "collaborator_ids": [],
        "tags": [],
        "via": {"channel": "email"},
        "is_public": True,
        "created_at": comments[0]["created_at"] if comments else DAY.format(3, 9, 0),
        "updated_at": DAY.format(9, 9, 0),
        "comments": comments,
        **more,
    }


def support_records(person: Person, n: int) -> dict[str, list[Object]]:
    """A person's records in Support.

    Args:
        n: the person's place among the seeded; makes ids of tickets and comments.
    """
    id, base = support_id(person.email), 35_000 + n * 20
    mine = user(id, person.name, person.email, external_id=person.account_id, verified=True, locale=person.language)
    if "zendesk-messaging" in person.at:
        mine["identities"].append(identity(id * 10 + 1, id, "messaging", messaging_id(person.email), True))
    talk = [
        comment(base * 10, id, "The export of my campaign stops at half. What can I do?", DAY.format(4, 10, 1)),
        comment(base * 10 + 1, AGENT_ID, "We are looking into it.", DAY.format(4, 10, 31)),
    ]
    found = {"users": [mine], "tickets": [ticket(base, id, "Export stops", "solved", talk)]}
    if person.email != MARIA:
        return found
    mine["phone"] = "+40 712 345 678"
    mine["identities"].append(identity(id * 10 + 2, id, "phone_number", "+40712345678"))
    talk += [
        comment(base * 10 + 2, AGENT_ID, "Customer since 2023, be kind.", DAY.format(4, 11, 0), public=False),
        comment(base * 10 + 3, id, "It works now, thank you.", DAY.format(4, 12, 0)),
        comment(base * 10 + 4, AGENT_ID, "Glad to hear it.", DAY.format(4, 12, 5)),
    ]
    for i, status in enumerate(("open", "pending", "closed"), 1):
        words = [comment((base + i) * 10, id, f"Question {i} about my invoice.", DAY.format(4 + i, 8, 0))]
        found["tickets"].append(ticket(base + i, id, f"Invoice {i}", status, words))
    old = user(id + 1, person.name, person.email, active=False)  # made by a mail, deleted by an agent, never for good
    words = [comment((base + 9) * 10, id + 1, "Can you call me?", DAY.format(1, 8, 0))]
    found["deleted_users"] = [old]
    found["tickets"].append(ticket(base + 9, id + 1, "Call me", "closed", words))
    found["users"].append(user(COLLEAGUE_ID, "Radu Colleague", "radu@pop-srl.example"))
    shared = [
        comment((base + 10) * 10, COLLEAGUE_ID, "Our account cannot send.", DAY.format(6, 9, 0)),
        comment((base + 10) * 10 + 1, id, "I see the same since Monday, Maria.", DAY.format(6, 9, 30)),
    ]
    found["tickets"].append(ticket(base + 10, COLLEAGUE_ID, "Cannot send", "open", shared, collaborator_ids=[id]))
    author = {"id": None, "name": person.name, "email": person.email}
    found["suspended_tickets"] = [
        {
            "id": base + 11,
            "author": author,
            "subject": "Newsletter",
            "content": "Did my newsletter go out?",
            "cause": "Detected as spam",
            "created_at": DAY.format(8, 7, 0),
        }
    ]
    return found


def messaging_records(person: Person) -> tuple[Object, list[Object]]:
    """A person's user and conversations in messaging."""
    id = messaging_id(person.email)
    given, _, surname = person.name.partition(" ")
    found = {
        "id": id,
        "externalId": person.account_id,
        "zendeskId": str(support_id(person.email)),
        "authenticated": True,
        "signedUpAt": DAY.format(3, 8, 0),
        "profile": {"givenName": given, "surname": surname, "email": person.email, "locale": person.language},
        "identities": [{"type": "email", "value": person.email, "verification": "sso", "primary": True}],
        "metadata": {},
    }
    conversations = []
    for i in range(4 if person.email == MARIA else 1):
        words = ["Hello, is anybody there?", "How do I change my plan?", "And from when on?", "Thank you."]
        messages = [message(f"{id[:18]}{i:03x}{k:03x}", id, w, DAY.format(3 + i, 9, k)) for k, w in enumerate(words)]
        conversations.append(
            {"id": f"{id[:20]}{i:04x}", "type": "personal", "participants": [id], "messages": messages}
        )
    return found, conversations


def message(id: str, user_id: str, words: str, received: str, name: str = "") -> Object:
    return {
        "id": id,
        "received": received,
        "author": {"type": "user", "userId": user_id, "displayName": name},
        "content": {"type": "text", "text": words},
        "source": {"type": "web", "integrationId": "5f3a9c11e100000000000001"},
    }


def event(kind: str, ticket: Object, comment: Object, author: Object) -> Object:
    """A ticket event in Zendesk's format: numbers of the detail as strings, no address."""
    public = bool(comment["public"])
    happened: Object = {"meta": {"sequence": {"id": uuid.uuid4().hex, "position": 1}}}
    if kind == "comment_added":
        is_staff = author["role"] in ("agent", "admin")
        by = {"id": str(author["id"]), "is_staff": is_staff, "name": author["name"]}
        happened["comment"] = {"id": str(comment["id"]), "body": comment["body"], "is_public": public, "author": by}
    return {
        "account_id": ACCOUNT,
        "type": f"zen:event-type:ticket.{kind}",
        "id": str(uuid.uuid4()),
        "time": now(),
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket['id']}",
        "detail": {
            "id": str(ticket["id"]),
            "actor_id": str(author["id"]),
            "requester_id": str(ticket["requester_id"]),
            "submitter_id": str(ticket["submitter_id"]),
            "assignee_id": "0",
            "external_id": "",
            "subject": ticket["subject"],
            "description": ticket["description"],
            "status": ticket["status"].upper(),
            "is_public": public,
            "tags": ticket["tags"],
            "via": ticket["via"],
        },
        "event": happened,
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
