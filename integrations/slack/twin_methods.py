"""The twin's Web API methods: what Slack answers, as far as the connector and the official client ask."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from integrations.slack.twin_webhooks import BOT, BOT_USER, TEAM
from integrations.slack.twin_workspace import Workspace

PAGE = 3  # small, so that paging is always exercised

Arguments = Mapping[str, Any]


class SlackError(Exception):
    """`{"ok": false, "error": code}`, in a 200."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def auth_test(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    names = {"url": "https://desk.slack.com/", "team": "Desk", "user": "privacy"}
    return {**names, "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT, "is_enterprise_install": False}


def users_info(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    return {"user": _user(workspace, arguments.get("user"))}


def users_lookup_by_email(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    for user in workspace.with_email(str(arguments.get("email", ""))):
        if not (user["deleted"] or user["is_bot"] or user.get("is_stranger")):
            return {"user": user}
    raise SlackError("users_not_found")


def users_list(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    users = [user for user in workspace.records["users"].values() if not user.get("is_stranger")]
    return {"cache_ts": int(time.time()), **_page("members", users, arguments)}


def users_profile_get(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    return {"profile": {**_user(workspace, arguments.get("user"))["profile"], "fields": {}}}


def conversations_list(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    direct = "im" in str(arguments.get("types", "public_channel"))
    found = [c for c in workspace.records["conversations"].values() if c["is_im"] == direct]
    return _page("channels", found, arguments)


def conversations_open(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    return {"channel": {"id": workspace.direct(_user(workspace, arguments.get("users"))["id"])}}


def conversations_history(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    """Newest first; a cursor names the time to go on from, so that deletions on the way skip nothing."""
    channel = _channel(workspace, arguments.get("channel"))
    messages = sorted(workspace.messages(channel), key=lambda m: m["ts"], reverse=True)
    if cursor := str(arguments.get("cursor", "")):
        before = _decoded(cursor).removeprefix("next_ts:")
        messages = [m for m in messages if m["ts"] <= before]
    size = _size(arguments)
    page, rest = messages[:size], messages[size:]
    if str(arguments.get("include_all_metadata", "")).lower() not in ("true", "1"):
        page = [{k: v for k, v in m.items() if k != "metadata"} for m in page]
    cursor = _encoded(f"next_ts:{rest[0]['ts']}") if rest else ""
    return {
        "messages": page,
        "has_more": bool(rest),
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
        "response_metadata": {"next_cursor": cursor},
    }


def chat_post_message(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    channel = _channel(workspace, arguments.get("channel"))
    text = str(arguments.get("text") or "")
    blocks, metadata = _structure(arguments.get("blocks")), _structure(arguments.get("metadata"))
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > 40_000:
        raise SlackError("msg_too_long")
    if len(blocks or ()) > 50 or any(len(b.get("text", {}).get("text", "")) > 3000 for b in blocks or ()):
        raise SlackError("invalid_blocks")
    more = {name: value for name, value in (("blocks", blocks), ("metadata", metadata)) if value}
    message = workspace.store(channel, BOT_USER, text, **more)
    return {"channel": channel, "ts": message["ts"], "message": message}


def chat_delete(workspace: Workspace, arguments: Arguments) -> dict[str, Any]:
    channel, ts = _channel(workspace, arguments.get("channel")), str(arguments.get("ts"))
    message = workspace.records["messages"].get(f"{channel}:{ts}")
    if message is None:
        raise SlackError("message_not_found")
    if message["user"] != BOT_USER:
        raise SlackError("cant_delete_message")
    del workspace.records["messages"][f"{channel}:{ts}"]
    return {"channel": channel, "ts": ts}


METHODS: Mapping[str, Callable[[Workspace, Arguments], dict[str, Any]]] = {
    "auth.test": auth_test,
    "users.info": users_info,
    "users.lookupByEmail": users_lookup_by_email,
    "users.list": users_list,
    "users.profile.get": users_profile_get,
    "conversations.list": conversations_list,
    "conversations.open": conversations_open,
    "conversations.history": conversations_history,
    "chat.postMessage": chat_post_message,
    "chat.delete": chat_delete,
}


def call(workspace: Workspace, method: str, arguments: Arguments) -> dict[str, Any]:
    """Carry out one method.

    Raises:
        SlackError: with Slack's error code.
    """
    if method not in METHODS:
        raise SlackError("unknown_method")
    with workspace.records.lock:
        return {"ok": True, **METHODS[method](workspace, arguments)}


def _user(workspace: Workspace, id: Any) -> dict[str, Any]:
    user: dict[str, Any] | None = workspace.records["users"].get(str(id))
    if user is None:
        raise SlackError("user_not_found")
    return user


def _channel(workspace: Workspace, id: Any) -> str:
    if id in workspace.records["users"]:
        return workspace.direct(str(id))
    if id not in workspace.records["conversations"]:
        raise SlackError("channel_not_found")
    return str(id)


def _size(arguments: Arguments) -> int:
    return min(PAGE, int(arguments.get("limit") or 100))


def _page(key: str, items: list[Any], arguments: Arguments) -> dict[str, Any]:
    start = int(_decoded(str(arguments.get("cursor", ""))) or 0)
    end = start + _size(arguments)
    cursor = _encoded(str(end)) if end < len(items) else ""
    return {key: items[start:end], "response_metadata": {"next_cursor": cursor}}


def _encoded(cursor: str) -> str:
    return base64.b64encode(cursor.encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor).decode()
    except ValueError:
        raise SlackError("invalid_cursor") from None


def _structure(value: Any) -> Any:
    """Blocks and metadata: an object in a JSON body, JSON text in a form."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise SlackError("invalid_json") from None
