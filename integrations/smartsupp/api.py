"""Smartsupp's REST API v2, as far as the channel and the processor use it.

https://docs.smartsupp.com/rest-api/overview
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dsr.errors import NotFound, VendorAnswerUnexpected
from integrations.smartsupp.settings import SmartsuppSettings
from integrations.transport import Answer, Transport

PER_PAGE = 50  # as in Smartsupp's own examples; the most is not published

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for. Smartsupp publishes no limit of calls; its 429 and Retry-After are heeded.
    """

    def __init__(self, settings: SmartsuppSettings) -> None:
        self._http = Transport(
            "smartsupp",
            settings.api_url,
            headers={"Authorization": f"Bearer {settings.api_token.get_secret_value()}"},
        )

    def contact(self, id: str) -> Object | None:
        """One contact; None if there is none."""
        return self._look(f"contacts/{path_id(id)}", id)

    def contact_with(self, email: str) -> Object | None:
        """The contact with this address. Smartsupp finds one; None if it carries another address after all."""
        found = self._look("contacts/find", params={"email": email})
        return found if found and _text(found, "email").strip().lower() == email else None

    def visitor(self, id: str) -> Object | None:
        """The browser from which somebody wrote; None if Smartsupp has forgotten it."""
        return self._look(f"visitors/{path_id(id)}", id)

    def update_contact(self, id: str, fields: Object) -> Object:
        """PATCH is a verb of the API, but this use of it is not documented: the answer must show the new values."""
        now = _record(self._http.call("PATCH", f"contacts/{path_id(id)}", json=fields), id)
        if any((now.get(field) or None) != value for field, value in fields.items()):
            raise VendorAnswerUnexpected("smartsupp", "did not take over a change to a contact")
        return now

    def conversations(self, contact: str) -> Iterator[Object]:
        """All conversations of a contact, page by page.

        That `contact_id` may be searched for is not documented: a conversation of another contact stops us, so that a
        filter which Smartsupp ignores never hands out other people's words.
        """
        body: Object = {
            "timezone": "UTC",
            "size": PER_PAGE,
            "query": [{"field": "contact_id", "value": contact}],
            "sort": [{"createdAt": "asc"}],
        }
        for item in self._pages("POST", "conversations/search", body):
            if item.get("contact_id") != contact or not _text(item, "id"):
                raise VendorAnswerUnexpected("smartsupp", "found conversations that were not asked for")
            yield item

    def messages(self, conversation: str) -> Iterator[Object]:
        """All messages of a conversation, newest first."""
        query = {"size": PER_PAGE, "sort": "desc"}
        yield from self._pages("GET", f"conversations/{path_id(conversation)}/messages", query)

    def say(self, conversation: str, text: str, bot_id: str, bot_name: str) -> None:
        """A bot's message. Seen with one client, not documented: the answer must be the message."""
        content = {"type": "text", "text": text}
        body = {"type": "message", "sub_type": "bot", "content": content, "bot_id": bot_id, "bot_name": bot_name}
        said = _record(self._http.call("POST", f"conversations/{path_id(conversation)}/messages", json=body))
        if said.get("conversation_id", conversation) != conversation:
            raise VendorAnswerUnexpected("smartsupp", "answered for another conversation")

    def check(self) -> None:
        agents = self._http.call("GET", "agents").json()
        if not isinstance(agents, dict) or not isinstance(agents.get("agents"), list):
            raise VendorAnswerUnexpected("smartsupp", "answered something else than the list of agents")

    def _look(self, path: str, id: str = "", params: Object | None = None) -> Object | None:
        """A record, or None if Smartsupp says in its own words that there is none: any 404 is not enough."""
        answer = self._http.call("GET", path, params=params, accept=(404,))
        if answer.status != 404:
            return _record(answer, id)
        if _text(answer.json(), "code") != "not_found":
            raise NotFound("smartsupp", "no such path (404); is SMARTSUPP_API_URL right?", 404)
        return None

    def _pages(self, method: str, path: str, query: Object) -> Iterator[Object]:
        """All items of a list `{items, total, after}`; `after` is where the next page begins.

        That messages are paged in this way is not documented: a list that ends before its total is an error.
        """
        seen, after = 0, None
        while True:
            asked = {**query, **({"after": after} if after else {})}
            given: Any = {"params": asked} if method == "GET" else {"json": asked}
            page = self._http.call(method, path, retry=True, **given).json()
            items, total = (page.get("items"), page.get("total")) if isinstance(page, dict) else (None, None)
            if not isinstance(items, list) or not isinstance(total, int) or not all(isinstance(i, dict) for i in items):
                raise VendorAnswerUnexpected("smartsupp", "a list without items and total")
            yield from items
            seen += len(items)
            if seen >= total:
                return
            if not items or not page.get("after") or page["after"] == after:
                raise VendorAnswerUnexpected("smartsupp", "a list that ends before its total")
            after = page["after"]


def content_text(message: Any) -> str:
    """The words of a message: `content` is an object with `text` or `html`, or a plain string."""
    content = message.get("content") if isinstance(message, dict) else None
    return _text(content, "text") or _text(content, "html") or (content if isinstance(content, str) else "")


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[\w-]{1,64}", id, re.ASCII):
        raise VendorAnswerUnexpected("smartsupp", "an id of a shape that Smartsupp does not give")
    return id


def _record(answer: Answer, id: str = "") -> Object:
    found = answer.json()
    if not isinstance(found, dict) or not _text(found, "id") or (id and found["id"] != id):
        raise VendorAnswerUnexpected("smartsupp", "answered something else than the record asked for")
    return found


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
