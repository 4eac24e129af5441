"""Zendesk Support's REST API v2, as far as the channel and the processor use it.

https://developer.zendesk.com/api-reference/ticketing/introduction/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorRefused
from integrations.transport import Answer, RateLimit, Transport
from integrations.zendesk.settings import SupportAccess

PAGE_SIZE = "100"  # the most that a cursor page gives
TICKET_DELETIONS = RateLimit(400, 60)
PERMANENT_USER_DELETIONS = RateLimit(700, 600)

Object = dict[str, Any]


class SupportApi:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for another shape than
    the documented one (also for a 404 that is not Zendesk's own: a proxy's page proves nothing).
    """

    def __init__(self, access: SupportAccess) -> None:
        self._http = Transport(
            "zendesk",
            f"{access.url.rstrip('/')}/api/v2",
            auth=(f"{access.email}/token", access.api_token.get_secret_value()),
            rate=_rate(access.url, access.calls_per_minute),
        )

    def one(self, method: str, path: str, key: str, *, json: Any = None, retry: bool | None = None) -> Object:
        """One call whose answer holds an object under `key`."""
        return _object(self._http.call(method, path, json=json, retry=retry), key)

    def list_after(self, method: str, path: str, key: str) -> list[Object]:
        """One changing call whose answer holds a list under `key`."""
        return items(self._http.call(method, path).json(), key)

    def look(self, path: str, key: str) -> Object | None:
        """GET; None if Zendesk itself says that there is no such record."""
        answer = self._known(path)
        return _object(answer, key) if answer else None

    def look_list(self, path: str, key: str) -> list[Object] | None:
        """A list on one page; None if Zendesk itself says that there is no such record."""
        answer = self._known(path)
        return items(answer.json(), key) if answer else None

    def rows(self, path: str, key: str, params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """All items of a list, page by page: by cursor (`links.next`), or by offset where a list knows no cursor."""
        size = "per_page" if path == "users/search" else "page[size]"  # a search knows no cursor
        page = self._http.call("GET", path, params={size: PAGE_SIZE, **(params or {})}).json()
        while True:
            yield from items(page, key)
            more = page["meta"].get("has_more") if isinstance(page.get("meta"), dict) else page.get("next_page")
            if not more:
                return
            links = page.get("links")
            following = links.get("next") if isinstance(links, dict) else page.get("next_page")
            if not isinstance(following, str) or not following:
                raise VendorAnswerUnexpected("zendesk", "more pages, but no link to the next one")
            page = self._http.call("GET", following).json()

    def delete(
        self, path: str, still_there: Callable[[], bool], *, key: str = "", gone: tuple[int, ...] = (404,)
    ) -> Object:
        """DELETE; a refusal with a status in `gone` counts as done only if a look-up proves it.

        Args:
            key: of the object in the answer; "" where Zendesk confirms with 204 and no body.

        Returns:
            The object; `{}` if there is none or if it was gone before.
        """
        try:
            answer = self._http.call("DELETE", path)
        except VendorRefused as refused:
            if refused.status not in gone:
                raise
            if still_there():
                if isinstance(refused, NotFound):
                    raise VendorAnswerUnexpected("zendesk", "does not find on DELETE what it finds on GET") from None
                raise
            return {}
        if key:
            return _object(answer, key)
        if answer.content.strip():
            raise VendorAnswerUnexpected("zendesk", "did not confirm a deletion")
        return {}

    def comment(self, ticket_id: str, text: str, *, public: bool) -> None:
        """Add a comment in the name of the token's agent. Never repeated here: a second one would be seen."""
        body = {"ticket": {"comment": {"body": text, "public": public}}}
        ticket = self.one("PUT", f"tickets/{path_id(ticket_id)}", "ticket", json=body, retry=False)
        if str(ticket.get("id")) != ticket_id:
            raise VendorAnswerUnexpected("zendesk", "answered for another ticket")

    def me(self) -> Object:
        """The agent in whose name we act. Zendesk answers an anonymous caller with a user without id."""
        user = self.one("GET", "users/me", "user")
        if user.get("role") not in ("admin", "agent") or not user.get("id"):
            raise VendorAnswerUnexpected("zendesk", "the API token does not belong to an agent or administrator")
        return user

    def _known(self, path: str) -> Answer | None:
        answer = self._http.call("GET", path, accept=(404,))
        if answer.status != 404:
            return answer
        if _error(answer) != "RecordNotFound":
            raise VendorAnswerUnexpected("zendesk", "answered 404 without saying that the record does not exist")
        return None


def items(page: Any, key: str) -> list[Object]:
    """The list under `key` of a page.

    Raises:
        VendorAnswerUnexpected: there is none.
    """
    found = page.get(key) if isinstance(page, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise VendorAnswerUnexpected("zendesk", f"a list without {key}")
    return found


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[\w-]{1,64}", id, re.ASCII):
        raise VendorAnswerUnexpected("zendesk", "an id of a shape that Zendesk does not give")
    return id


@lru_cache
def _rate(url: str, calls: int) -> RateLimit:
    """One limit an account: all threads and both channels of this process share it."""
    return RateLimit(calls, 60)


def _object(answer: Answer, key: str) -> Object:
    body = answer.json()
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("zendesk", f"answered {answer.status} without {key}")
    return found


def _error(answer: Answer) -> str:
    body = answer.json()
    return str(body.get("error")) if isinstance(body, dict) else ""
