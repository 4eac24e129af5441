"""Intercom's REST API, version 2.16, as far as the channel and the processor use it.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dsr.errors import NotFound, VendorAnswerUnexpected
from integrations.intercom.settings import IntercomSettings
from integrations.transport import Answer, RateLimit, Transport

VERSION = "2.16"
PER_PAGE = 150  # the most that a search gives
# 10,000 calls a minute for an app, spread in windows of 10 s; all threads of this process share it.
RATE = RateLimit(1600, 10)

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for (an `error.list` inside a 200 is one).
    """

    def __init__(self, settings: IntercomSettings) -> None:
        self.admin_id = settings.admin_id
        self._http = Transport(
            "intercom",
            settings.api_url,
            headers={
                "Authorization": f"Bearer {settings.access_token.get_secret_value()}",
                "Intercom-Version": VERSION,
            },
            rate=RATE,
        )

    def call(self, method: str, path: str, *types: str, json: Any = None, params: Any = None) -> Object:
        """One call whose answer must be an object of one of these types.

        Searches are POST but change nothing, so they may be repeated.
        """
        retry = True if path.endswith("/search") else None
        return _object(self._http.call(method, path, json=json, params=params, retry=retry), types)

    def contact(self, id: str) -> Object | None:
        """One contact, also an archived one; None if there is none. A merged one leads to the one that it is now."""
        for _ in range(4):  # merges are resolved by Intercom over three hops
            answer = self._http.call("GET", f"contacts/{path_id(id)}", accept=(404, 410))
            if answer.status == 404:
                _object(answer, ("error.list",))
                return None
            if answer.status != 410:
                return _object(answer, ("contact",))
            link = re.match(r"</contacts/(\w+)>", answer.headers.get("Link", ""))
            if not link:
                raise VendorAnswerUnexpected("intercom", "a merged contact without a link to the one it is now")
            id = link[1]
        raise VendorAnswerUnexpected("intercom", "a chain of merged contacts that does not end")

    def conversation(self, id: str) -> Object | None:
        """One conversation in plain text with its newest 500 parts; None if there is none."""
        try:
            return self.call("GET", f"conversations/{path_id(id)}", "conversation", params={"display_as": "plaintext"})
        except NotFound:
            return None

    def search(self, kind: str, field: str, value: str) -> Iterator[Object]:
        """All `contacts`, `conversations` or `tickets` whose field has the value; page by page."""
        after: str | None = None
        while True:
            paging: Object = {"per_page": PER_PAGE, **({"starting_after": after} if after else {})}
            query = {"field": field, "operator": "=", "value": value}
            page = self.call(
                "POST",
                f"{kind}/search",
                "list",
                "conversation.list",
                "ticket.list",
                json={"query": query, "pagination": paging},
            )
            yield from _items(page, "data" if kind == "contacts" else kind)
            following = (page.get("pages") or {}).get("next")
            if not following:
                return
            after = following.get("starting_after") if isinstance(following, dict) else None
            if not after:
                raise VendorAnswerUnexpected("intercom", "a next page without its cursor")

    def listing(self, path: str, *, key: str = "data", params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """All items of a list that is read with GET. `pages.next` is a cursor or a whole address."""
        more: Mapping[str, str] | None = dict(params or {})
        while True:
            page = self.call("GET", path, "list", "event.list", "event.summary", params=more)
            yield from _items(page, key)
            following = (page.get("pages") or {}).get("next")
            if not following:
                return
            if isinstance(following, str):
                path, more = following, None
            else:
                more = {**(params or {}), "starting_after": str(following["starting_after"])}

    def delete(self, kind: str, id: str) -> bool:
        """Delete for good. False: a look-up proved that there was none.

        The second DELETE of a contact answers 404 (not in the specification, seen by others).
        """
        try:
            gone = self.call("DELETE", f"{kind}/{path_id(id)}", "contact", "conversation", "ticket")
        except NotFound:
            if self.exists(kind, id):
                raise VendorAnswerUnexpected("intercom", "does not find on DELETE what it finds on GET") from None
            return False
        if gone.get("deleted") is not True or str(gone.get("id")) != id:
            raise VendorAnswerUnexpected("intercom", "did not confirm a deletion")
        return True

    def exists(self, kind: str, id: str) -> bool:
        try:
            self.call("GET", f"{kind}/{path_id(id)}", "contact", "conversation", "ticket")
        except NotFound:
            return False
        return True

    def tag(self, name: str) -> str:
        """The id of the tag with this name; made if there is none (POST /tags creates or finds)."""
        return str(self.call("POST", "tags", "tag", json={"name": name})["id"])


def _object(answer: Answer, types: tuple[str, ...]) -> Object:
    found = answer.json()
    if not isinstance(found, dict) or found.get("type", found.get("object")) not in types:
        raise VendorAnswerUnexpected("intercom", f"answered {answer.status} with another kind of object than asked for")
    return found


def _items(page: Object, key: str) -> list[Object]:
    items = page.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorAnswerUnexpected("intercom", f"a list without {key}")
    return items


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[\w-]{1,64}", id, re.ASCII):
        raise VendorAnswerUnexpected("intercom", "an id of a shape that Intercom does not give")
    return id
