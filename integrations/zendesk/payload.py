"""Reading a webhook's JSON: every value is untrusted in type and shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dsr.errors import PayloadNotUnderstood
from integrations import payloads


def read(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        PayloadNotUnderstood: it is none.
    """
    found = payloads.read("zendesk", body)
    if not isinstance(found, dict):
        raise PayloadNotUnderstood("zendesk: not a JSON object")
    return found


def at(value: Any, *path: str) -> Any:
    """The value at a path; None if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any, *path: str) -> str:
    """A string that can be encoded; "" for anything else."""
    found = at(value, *path)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""


def ident(value: Any, *path: str) -> str:
    """An id, which arrives as number or string; empty ones arrive as "" or "0"."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | str) or found in (0, "0"):
        return ""
    return text({"id": str(found)}, "id")[:200]


def when(value: Any, *path: str) -> datetime:
    """An ISO 8601 time with its zone: the legal clock starts there, so it is never guessed.

    Raises:
        PayloadNotUnderstood: it is none.
    """
    try:
        found = datetime.fromisoformat(text(value, *path))
    except ValueError:
        raise PayloadNotUnderstood("zendesk: a message without its time") from None
    if found.tzinfo is None or not 2000 < found.year < 9999:
        raise PayloadNotUnderstood("zendesk: a message without its time")
    return found
