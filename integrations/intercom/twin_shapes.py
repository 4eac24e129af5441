"""The shapes in which the twin answers, after Intercom's specification 2.16."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

Object = dict[str, Any]


def escape(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


def plain(body: str | None) -> str | None:
    """HTML as `display_as=plaintext` shows it."""
    if body is None:
        return None
    broken = re.sub(r"<br\s*/?>|</p>\s*<p[^>]*>", "\n", body)
    return html.unescape(re.sub(r"<[^>]+>", "", broken))


def error_list(code: str, message: str) -> Object:
    return {"type": "error.list", "request_id": str(uuid.uuid4()), "errors": [{"code": code, "message": message}]}


def contact_json(contact: Object, tags: Mapping[str, Object]) -> Object:
    def addressable(name: str, items: Sequence[Object]) -> Object:
        url = f"/contacts/{contact['id']}/{name}"
        return {"type": "list", "data": list(items), "url": url, "total_count": len(items), "has_more": False}

    shown = {k: v for k, v in contact.items() if k not in ("archived", "subscriptions", "events", "notes", "tags")}
    return {
        **shown,
        "workspace_id": "demo",
        "avatar": None,
        "owner_id": None,
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "custom_attributes": {},
        "tags": addressable(
            "tags", [{"type": "tag", "id": t, "url": f"/tags/{t}"} for t in contact["tags"] if t in tags]
        ),
        "notes": addressable("notes", [{"type": "note", "id": n["id"]} for n in contact["notes"]]),
        "companies": addressable("companies", []),
        "location": {"type": "location", "country": None, "region": None, "city": None},
        "social_profiles": {"type": "list", "data": []},
    }


def subscription_json(kind: Object) -> Object:
    translation = {"name": kind["name"], "description": kind["name"], "locale": "en"}
    return {
        "type": "subscription",
        "id": kind["id"],
        "state": "live",
        "consent_type": kind["consent_type"],
        "default_translation": translation,
        "translations": [translation],
        "content_types": ["email"],
    }


def conversation_json(conversation: Object, contacts: Mapping[str, Object], *, text: bool, full: bool = True) -> Object:
    """As REST shows it; without `full` as a search shows it (no parts)."""

    def message(m: Object) -> Object:
        return {**m, "body": plain(m["body"])} if text else dict(m)

    parts = conversation["parts"]
    updated = max([conversation["created_at"], *(p["created_at"] for p in parts)])
    shown: Object = {
        "type": "conversation",
        "id": conversation["id"],
        "created_at": conversation["created_at"],
        "updated_at": updated,
        "waiting_since": None,
        "snoozed_until": None,
        "source": message(conversation["source"]),
        "contacts": {
            "type": "contact.list",
            "contacts": [
                {"type": "contact", "id": id, "external_id": contacts[id]["external_id"] if id in contacts else None}
                for id in conversation["contacts"]
            ],
        },
        "open": True,
        "state": "open",
        "read": False,
        "priority": "none",
        "tags": {"type": "tag.list", "tags": []},
        "custom_attributes": {},
        "title": None,
    }
    if full:
        newest = [message(p) for p in parts[-500:]]
        shown["conversation_parts"] = {
            "type": "conversation_part.list",
            "conversation_parts": newest,
            "total_count": len(parts),
        }
    return shown


def conversation_item(conversation: Object, contacts: Mapping[str, Object], part: Object | None) -> Object:
    """As a notification carries it: plain text since 2.15, and only the part that it is about."""
    item = conversation_json(conversation, contacts, text=True)
    parts = [{**part, "body": plain(part["body"])}] if part else []
    item["conversation_parts"] = {
        "type": "conversation_part.list",
        "conversation_parts": parts,
        "total_count": len(parts),
    }
    return item


def state_of_conversation(conversation: Object) -> Object:
    """For `_twin/state`: one list of messages, the source first."""
    source = conversation["source"]
    first = {
        "id": source["id"],
        "part_type": "comment",
        "body": plain(source["body"]),
        "created_at": conversation["created_at"],
        "author": source["author"],
    }
    parts = [{**p, "body": plain(p["body"])} for p in conversation["parts"]]
    return {**{k: v for k, v in conversation.items() if k != "parts"}, "messages": [first, *parts]}


def pages(items: Sequence[Object], after: str | None, size: int) -> tuple[list[Object], Object]:
    """One page and the `pages` object; the cursor is the id of the last item."""
    ids = [str(item["id"]) for item in items]
    start = ids.index(after) + 1 if after in ids else len(ids) if after else 0
    page = list(items[start : start + size])
    shown: Object = {
        "type": "pages",
        "page": start // size + 1,
        "per_page": size,
        "total_pages": -(-len(items) // size),
    }
    if start + size < len(items):
        shown["next"] = {"per_page": size, "starting_after": str(page[-1]["id"])}
    return page, shown
