"""Sunshine Conversations' REST API v2 (Zendesk messaging), as far as the channel and the processor use it.

https://developer.zendesk.com/api-reference/conversations/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dsr.errors import NotFound, VendorAnswerUnexpected
from integrations.transport import Answer, Transport
from integrations.zendesk.api import PAGE_SIZE, Object, items, path_id
from integrations.zendesk.settings import SuncoAccess

KEY = "privacyDeskKey"  # in a message's metadata: our idempotency key
DISPLAY_NAME = "Privacy Desk"


class SuncoApi:
    """Calls that check the shape of their answers; errors as in `api`."""

    def __init__(self, access: SuncoAccess) -> None:
        self._http = Transport(
            "zendesk",
            f"{access.url.rstrip('/')}/v2/apps",
            auth=(access.key_id, access.key_secret.get_secret_value()),
        )
        self._app = quote(access.app_id, safe="")

    def app(self) -> Object:
        """The app itself: a harmless call."""
        return _object(self._http.call("GET", self._app), "app")

    def user(self, id: str) -> Object | None:
        """A user by id or by external id; None if there is none."""
        answer = self._http.call("GET", f"{self._app}/users/{quote(id, safe='')}", accept=(404,))
        if answer.status == 404:
            items(answer.json(), "errors")  # else the 404 is not this API's own, and proves nothing
            return None
        return _object(answer, "user")

    def users_by_email(self, email: str) -> Iterator[Object]:
        """Users with this address among their identities (a profile's `email` is not searched)."""
        return self._rows("users", "users", {"filter[identities.email]": email})

    def conversations(self, user_id: str) -> Iterator[Object]:
        return self._rows("conversations", "conversations", {"filter[userId]": path_id(user_id)})

    def messages(self, conversation_id: str) -> Iterator[Object]:
        return self._rows(f"conversations/{path_id(conversation_id)}/messages", "messages", {})

    def delete_user(self, id: str) -> None:
        """Delete the user with its clients and conversations; the vendor may need a while (then `user` still finds it).

        404 counts as done only if a look-up proves it.
        """
        try:
            answer = self._http.call("DELETE", f"{self._app}/users/{path_id(id)}").json()
        except NotFound:
            if self.user(id) is not None:
                raise VendorAnswerUnexpected("zendesk", "does not find on DELETE what it finds on GET") from None
            return
        if not isinstance(answer, dict) or "errors" in answer:
            raise VendorAnswerUnexpected("zendesk", "did not confirm a deletion")

    def update_user(self, id: str, change: Mapping[str, Mapping[str, object]]) -> Object:
        """PATCH (sets single values of `profile` and `metadata`); repeatable."""
        answer = self._http.call("PATCH", f"{self._app}/users/{path_id(id)}", json=change, retry=True)
        user = _object(answer, "user")
        for part, values in change.items():
            got = user.get(part)
            if not isinstance(got, dict) or not values.items() <= got.items():
                raise VendorAnswerUnexpected("zendesk", f"did not take over the {part}")
        return user

    def send(self, conversation_id: str, text: str, key: str) -> None:
        """Say something to the customer. 423: the conversation holds 30,000 messages and takes no more."""
        message = {
            "author": {"type": "business", "displayName": DISPLAY_NAME, "subtypes": ["AI"]},
            "content": {"type": "text", "text": text},
            "metadata": {KEY: key},
        }
        answer = self._http.call("POST", f"{self._app}/conversations/{path_id(conversation_id)}/messages", json=message)
        if not items(answer.json(), "messages"):
            raise VendorAnswerUnexpected("zendesk", "did not confirm a message")

    def _rows(self, path: str, key: str, params: Mapping[str, str]) -> Iterator[Object]:
        """All pages. Messages come newest page first and lead back with `links.prev`."""
        page = self._http.call("GET", f"{self._app}/{path}", params={"page[size]": PAGE_SIZE, **params}).json()
        while True:
            yield from items(page, key)
            meta, links = page.get("meta"), page.get("links")
            if not isinstance(meta, dict) or not meta.get("hasMore"):
                return
            following = (links.get("next") or links.get("prev")) if isinstance(links, dict) else None
            if not isinstance(following, str):
                raise VendorAnswerUnexpected("zendesk", "more pages, but no link to the next one")
            page = self._http.call("GET", following).json()


def _object(answer: Answer, key: str) -> Object:
    body: Any = answer.json()
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("zendesk", f"answered {answer.status} without {key}")
    return found
