"""MailChimp's Marketing API 3.0 as far as the processor uses it.

https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dsr.errors import (
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorRateLimited,
    VendorRefused,
)
from integrations.mailchimp.settings import MailchimpSettings
from integrations.transport import Answer, Transport

PER_PAGE = 1000  # the most that MailChimp gives
# MailChimp allows ten connections at once for a user and counts all its programs; it limits no rate.
CONNECTIONS = threading.BoundedSemaphore(5)
LOOKED_AT = (400, 403, 404, 405)

Object = dict[str, Any]


def subscriber_hash(address: str) -> str:
    """MailChimp's id of a member: MD5 of the address in lower case."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, VendorAnswerUnexpected for an answer of another
    shape than asked for, or VendorRefused with MailChimp's `title` as `code`.
    """

    def __init__(self, settings: MailchimpSettings) -> None:
        auth = ("key", settings.api_key.get_secret_value())
        self._http = Transport("mailchimp", settings.base_url, auth=auth)

    def check(self) -> None:
        _items(_object(self._call("GET", "lists", params={"count": 1})), "lists")

    # -- audiences --------------------------------------------------------------------------------------------------

    def audiences(self) -> Iterator[str]:
        for audience in self.pages("lists", "lists"):
            yield _text(audience, "id")

    def member(self, audience: str, id: str) -> Object | None:
        """A member in whatever state, also archived; None if there is none.

        Args:
            id: subscriber hash or contact id.
        """
        try:
            found = _object(self._call("GET", _member(audience, id)))
        except NotFound:
            return None
        if id not in (found.get("id"), found.get("contact_id")) or not isinstance(found.get("email_address"), str):
            raise VendorAnswerUnexpected("mailchimp", "answered another member than asked for")
        return found

    def change_member(self, audience: str, hash: str, changes: Mapping[str, Any]) -> Object:
        params = {"skip_merge_validation": "true"}  # a required merge field that is empty is not ours to mend
        found = _object(self._call("PATCH", _member(audience, hash), json=changes, params=params, retry=True))
        if not isinstance(found.get("email_address"), str):
            raise VendorAnswerUnexpected("mailchimp", "answered a change with something other than the member")
        return found

    def tag(self, audience: str, hash: str, name: str, *, active: bool) -> None:
        """Add or take away a tag, without starting automations (`is_syncing`)."""
        tags = [{"name": name, "status": "active" if active else "inactive"}]
        body = {"tags": tags, "is_syncing": True}
        self._no_content(self._call("POST", f"{_member(audience, hash)}/tags", json=body, retry=True))

    def delete_member(self, audience: str, hash: str) -> bool:
        """Delete for good (not the DELETE method, which archives). False: a look-up proved that there was none."""
        try:
            self._no_content(self._call("POST", f"{_member(audience, hash)}/actions/delete-permanent", retry=True))
        except NotFound:
            if self.member(audience, hash):
                raise VendorAnswerUnexpected("mailchimp", "does not find on deletion what it finds on GET") from None
            return False
        return True

    # -- e-commerce -------------------------------------------------------------------------------------------------

    def stores(self) -> Iterator[str]:
        for store in self.pages("ecommerce/stores", "stores"):
            yield _text(store, "id")

    def customers(self, store: str, address: str) -> Iterator[Object]:
        """Customers with exactly this address."""
        path = f"ecommerce/stores/{quote(store, safe='')}/customers"
        for customer in self.pages(path, "customers", {"email_address": address}):
            if str(customer.get("email_address", "")).lower() == address:
                yield customer

    def customer(self, store: str, id: str) -> Object | None:
        try:
            found = _object(self._call("GET", _customer(store, id)))
        except NotFound:
            return None
        if str(found.get("id")) != id:
            raise VendorAnswerUnexpected("mailchimp", "answered another customer than asked for")
        return found

    def change_customer(self, store: str, id: str, changes: Mapping[str, str]) -> None:
        found = _object(self._call("PATCH", _customer(store, id), json=changes, retry=True))
        if str(found.get("id")) != id:
            raise VendorAnswerUnexpected("mailchimp", "answered another customer than was changed")

    def orders(self, store: str, customer: str) -> Iterator[Object]:
        path = f"ecommerce/stores/{quote(store, safe='')}/orders"
        for order in self.pages(path, "orders", {"customer_id": customer}):
            if str((order.get("customer") or {}).get("id")) == customer:
                yield order

    def delete_order(self, store: str, id: str) -> bool:
        return self._delete(f"ecommerce/stores/{quote(store, safe='')}/orders/{quote(id, safe='')}")

    def delete_customer(self, store: str, id: str) -> bool:
        return self._delete(_customer(store, id))

    # -- helpers ----------------------------------------------------------------------------------------------------

    def pages(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> Iterator[Object]:
        """All items of a list, page by page. `total_items`, where it is told, must be reached."""
        offset = 0
        while True:
            asked = {**(params or {}), "count": PER_PAGE, "offset": offset}
            page = _object(self._call("GET", path, params=asked))
            items = _items(page, key)
            yield from items
            offset += len(items)
            total = page.get("total_items")
            if not items:
                if isinstance(total, int) and offset < total:
                    raise VendorAnswerUnexpected("mailchimp", f"a list of {key} that ends too early")
                return
            if isinstance(total, int) and offset >= total:
                return

    def member_pages(self, audience: str, hash: str, kind: str, key: str) -> Iterator[Object]:
        """Sub-records of a member: tags, notes, activity-feed, events, goals."""
        return self.pages(f"{_member(audience, hash)}/{kind}", key)

    def _delete(self, path: str) -> bool:
        """DELETE of a store's record. False: a look-up proved that there was none."""
        try:
            self._no_content(self._call("DELETE", path))
        except NotFound:
            if self._exists(path):
                raise VendorAnswerUnexpected("mailchimp", "does not find on DELETE what it finds on GET") from None
            return False
        return True

    def _exists(self, path: str) -> bool:
        try:
            self._call("GET", path)
        except NotFound:
            return False
        return True

    def _no_content(self, answer: Answer) -> None:
        if answer.status != 204:
            raise VendorAnswerUnexpected("mailchimp", f"answered {answer.status} where only 204 means done")

    def _call(self, method: str, path: str, **more: Any) -> Answer:
        with CONNECTIONS:
            answer = self._http.call(method, path, accept=LOOKED_AT, **more)
        if answer.status < 300:
            return answer
        problem = _problem(answer)
        if answer.status == 403:
            if problem is None:  # at high volume MailChimp answers 403 without JSON: that is no matter of the key
                raise VendorRateLimited("mailchimp", "asks us to slow down (403)")
            raise CredentialsRejected("mailchimp", "our key does not allow this (403)", 403)
        if answer.status == 404:
            if problem is None:
                raise VendorAnswerUnexpected("mailchimp", "a 404 that is not MailChimp's own")
            raise NotFound("mailchimp", "no such thing (404)", 404)
        raise VendorRefused("mailchimp", f"refused the call ({answer.status})", answer.status, problem or "")


def _problem(answer: Answer) -> str | None:
    """The `title` of an error body (application/problem+json); None if it is not one."""
    try:
        body = answer.json()
    except VendorAnswerUnexpected:
        return None
    title = body.get("title") if isinstance(body, dict) else None
    return title if isinstance(title, str) else None


def _member(audience: str, id: str) -> str:
    return f"lists/{quote(audience, safe='')}/members/{quote(id, safe='')}"


def _customer(store: str, id: str) -> str:
    return f"ecommerce/stores/{quote(store, safe='')}/customers/{quote(id, safe='')}"


def _object(answer: Answer) -> Object:
    found = answer.json()
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("mailchimp", f"answered {answer.status} with something other than an object")
    return found


def _items(page: Object, key: str) -> list[Object]:
    items = page.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorAnswerUnexpected("mailchimp", f"a list without {key}")
    return items


def _text(item: Object, key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise VendorAnswerUnexpected("mailchimp", f"an object without {key}")
    return value
