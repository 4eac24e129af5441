"""How the twin reads searches and shapes its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, request

Object = dict[str, Any]

_TERM = re.compile(r'([\w.]+):(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def terms(query: str) -> list[tuple[str, str]]:
    """`user.email:"a@b.c" issue.category:feedback` as pairs."""
    return [(m[1], re.sub(r"\\(.)", r"\1", m[2]) if m[2] is not None else m[3]) for m in _TERM.finditer(query)]


def matches(query: str, record: Mapping[str, Any]) -> bool:
    """Does an event or replay fit a search such as `user.email:"a@b.c"`? Every term must."""
    return all(_fits(field, value, record) for field, value in terms(query))


def _fits(field: str, value: str, record: Mapping[str, Any]) -> bool:
    user = record.get("user") or {}
    if field in ("user.email", "user.id", "user.username"):
        return str(user.get(field.removeprefix("user.")) or "") == value
    return field != "message" or value in str(record.get("message") or "")


def page(items: Sequence[Any], size: int, key: str = "") -> Response:
    """One page and the Link header, with cursors such as `0:3:0`."""
    start = int(request.args.get("cursor", "0:0:0").split(":")[1])
    more = "true" if start + size < len(items) else "false"
    shown = list(items[start : start + size])
    answer = jsonify({key: shown} if key else shown)
    previous = f'<{request.base_url}>; rel="previous"; results="false"; cursor="0:0:1"'
    following = f'<{request.base_url}>; rel="next"; results="{more}"; cursor="0:{start + size}:0"'
    answer.headers["Link"] = f"{previous}, {following}"
    return answer


def tag_value(user: Mapping[str, Any] | None) -> str:
    """The value of the tag `user` of an event; "" for an event without one."""
    for field, kind in (("id", "id"), ("username", "username"), ("email", "email"), ("ip_address", "ip")):
        if user and user.get(field):
            return f"{kind}:{user[field]}"
    return ""


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
