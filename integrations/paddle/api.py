"""Paddle's Billing API, version 1, as far as the connector uses it.

https://developer.paddle.com/api-reference/overview
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorUnavailable
from integrations.paddle.settings import PaddleSettings
from integrations.transport import Answer, RateLimit, Transport

CALLS_A_MINUTE = 200  # 240 are allowed for an IP address, which may be shared
EVERY_STATUS = "active,archived"  # lists show only active records unless asked for both
INVOICE_HOSTS = (".paddle.com", ".amazonaws.com")  # where the links to invoices lead

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for.
    """

    def __init__(self, settings: PaddleSettings) -> None:
        self._http = Transport(
            "paddle",
            settings.api_url,
            headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}", "Paddle-Version": "1"},
            rate=RateLimit(CALLS_A_MINUTE, 60),
        )

    def get(self, path: str) -> Object | None:
        """One record; None if there is none."""
        try:
            found = _data(self._http.call("GET", path))
        except NotFound:
            return None
        _same_record(found, path)
        return found

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """All records of a list, page by page."""
        after: dict[str, str] = {}
        while True:
            answer = self._http.call("GET", path, params={**(params or {}), **after})
            yield from _items(answer)
            paging = _body(answer).get("meta", {}).get("pagination") or {"has_more": False}
            if paging.get("has_more") is False:
                return
            cursor = parse_qs(urlsplit(str(paging.get("next"))).query).get("after", [""])[0]
            if not cursor or cursor == after.get("after"):
                raise VendorAnswerUnexpected("paddle", "a next page without its cursor")
            after = {"after": cursor}

    def patch(self, path: str, fields: Mapping[str, Any]) -> None:
        """Change a record; the answer must show the change. The same change twice is one change."""
        now = _data(self._http.call("PATCH", path, json=dict(fields), retry=True))
        _same_record(now, path)
        if any((now.get(field) or None) != (value or None) for field, value in fields.items()):
            raise VendorAnswerUnexpected("paddle", "did not take over a change")

    def delete_payment_method(self, customer: str, id: str) -> bool:
        """Delete for good. False: a look-up proved that there was none."""
        path = f"customers/{path_id(customer)}/payment-methods/{path_id(id)}"
        try:
            answer = self._http.call("DELETE", path)
        except NotFound:
            if self.get(path):
                raise VendorAnswerUnexpected("paddle", "does not find on DELETE what it finds on GET") from None
            return False
        if answer.status != 204:
            raise VendorAnswerUnexpected("paddle", f"answered {answer.status} where only 204 means deleted")
        return True

    def invoice(self, transaction: str) -> bytes:
        """The PDF of an invoice. Its link is good for an hour and is read at once, without our key."""
        path = f"transactions/{path_id(transaction)}/invoice"
        link = _data(self._http.call("GET", path, params={"disposition": "inline"})).get("url")
        url = urlsplit(link) if isinstance(link, str) else urlsplit("")
        ours = (url.scheme, url.netloc) == urlsplit(self._http.base_url)[:2]
        if not ours and not (url.scheme == "https" and (url.hostname or "").endswith(INVOICE_HOSTS)):
            raise VendorAnswerUnexpected("paddle", "a link to an invoice that leads to a host we do not know")
        store = Transport("paddle", f"{url.scheme}://{url.netloc}", headers={"Accept": "application/pdf"})
        answer = store.call("GET", str(link), accept=(403,))
        if answer.status == 403:  # of the link, not of our key
            raise VendorUnavailable("paddle", "the link to an invoice has expired")
        if not answer.content.startswith(b"%PDF"):
            raise VendorAnswerUnexpected("paddle", "an invoice that is not a PDF")
        return answer.content

    def check(self) -> None:
        """The key is good and may read customers."""
        _items(self._http.call("GET", "customers", params={"per_page": "1"}))


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[a-z]{2,12}_[a-z0-9]{26}", id, re.ASCII):
        raise VendorAnswerUnexpected("paddle", "an id of a shape that Paddle does not give")
    return id


def _body(answer: Answer) -> Object:
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("meta"), dict):
        raise VendorAnswerUnexpected("paddle", f"answered {answer.status} without data and meta")
    return body


def _data(answer: Answer) -> Object:
    found = _body(answer).get("data")
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("paddle", f"answered {answer.status} with something other than one record")
    return found


def _items(answer: Answer) -> list[Object]:
    items = _body(answer).get("data")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorAnswerUnexpected("paddle", f"answered {answer.status} with something other than a list")
    return items


def _same_record(found: Object, path: str) -> None:
    if found.get("id") != path.rpartition("/")[2]:
        raise VendorAnswerUnexpected("paddle", "answered another record than the one asked for")
