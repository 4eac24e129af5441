"""Calls to Slack's Web API: an error comes inside a 200 (`{"ok": false, "error": code}`) and becomes a typed one.

https://docs.slack.dev/apis/web-api
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dsr.errors import (
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorRefused,
    VendorUnavailable,
)
from integrations.slack.settings import SlackSettings
from integrations.transport import Answer, RateLimit, Transport

VENDOR = "slack"
PAGE = 200  # Slack recommends no more

_CREDENTIALS = frozenset(
    [
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "not_allowed_token_type",
    ]
)
_ABSENT = frozenset(["users_not_found", "user_not_found", "channel_not_found", "message_not_found"])
_UNAVAILABLE = frozenset(["fatal_error", "internal_error", "service_unavailable", "request_timeout"])


class SlackApi:
    """The methods that we use, by name. Slack limits each method by itself and answers 429 with Retry-After; the
    limit here only keeps a flood of ours from becoming theirs."""

    def __init__(self, settings: SlackSettings) -> None:
        self._transport = Transport(
            VENDOR,
            settings.api_url,
            headers={"Authorization": f"Bearer {settings.bot_token.get_secret_value()}"},
            rate=RateLimit(600, 60),
        )

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A method that only reads; may be repeated. A form in a POST, so that no address stands in a URL.

        Raises:
            VendorError: see `_refusal`.
        """
        return _content(self._transport.call("POST", method, data=arguments, retry=True))

    def tell(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A method that changes something; not repeated when its fate is unknown.

        Raises:
            VendorError: see `_refusal`.
        """
        return _content(self._transport.call("POST", method, json=arguments, retry=False))

    def each(self, method: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page.

        Raises:
            VendorError: see `_refusal`; VendorAnswerUnexpected also for a cursor that leads in a circle.
        """
        cursor = ""
        while True:
            page = self.ask(method, limit=PAGE, **arguments, **({"cursor": cursor} if cursor else {}))
            items = page.get(key)
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise VendorAnswerUnexpected(VENDOR, f"{method} answered without {key}")
            yield from items
            last, cursor = cursor, _next_cursor(page)
            if not cursor:
                return
            if cursor == last:
                raise VendorAnswerUnexpected(VENDOR, f"{method} repeats its cursor")


def refused_as(error: VendorError, *codes: str) -> bool:
    """Whether Slack itself gave one of these error codes (an HTTP 404 of a proxy has none)."""
    return isinstance(error, VendorRefused) and error.code in codes


def part(answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object inside an answer.

    Raises:
        VendorAnswerUnexpected: it is missing.
    """
    found = answer.get(key)
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected(VENDOR, f"answered without {key}")
    return found


def _next_cursor(page: Mapping[str, Any]) -> str:
    metadata = page.get("response_metadata")
    cursor = metadata.get("next_cursor") if isinstance(metadata, dict) else ""
    return cursor if isinstance(cursor, str) else ""


def _content(answer: Answer) -> dict[str, Any]:
    content = answer.json()
    if not isinstance(content, dict) or not isinstance(content.get("ok"), bool):
        raise VendorAnswerUnexpected(VENDOR, "answered without ok")
    if not content["ok"]:
        raise _refusal(str(content.get("error")), answer.headers)
    return content


def _refusal(code: str, headers: Mapping[str, str]) -> VendorError:
    """The typed error of an error code (https://docs.slack.dev/reference/methods, "Errors" of each method)."""
    if not re.fullmatch(r"[a-z_]{1,60}", code):
        code = "unknown"  # an error text holds nothing that Slack could have copied from the call
    if code in ("ratelimited", "rate_limited"):
        wait = headers.get("Retry-After", "")
        return VendorRateLimited(VENDOR, "asks us to slow down", float(wait) if wait.isdecimal() else None)
    if code in _UNAVAILABLE:
        return VendorUnavailable(VENDOR, f"has a fault of its own ({code})")
    if code in _CREDENTIALS:
        return CredentialsRejected(VENDOR, f"our credentials do not allow this ({code})", code=code)
    if code in _ABSENT:
        return NotFound(VENDOR, f"no such thing ({code})", code=code)
    return VendorRefused(VENDOR, f"refused the call ({code})", code=code)
