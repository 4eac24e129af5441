"""Baremetrics' API, version 1, as far as the processor uses it.

https://developers.baremetrics.com/reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorRefused
from integrations.baremetrics.settings import BaremetricsSettings
from integrations.transport import Answer, RateLimit, Transport

PER_PAGE = 100
CALLS_AN_HOUR = 3500  # 3,600 are allowed
OWN = "baremetrics"  # provider of the source that is filled by API; all others are synchronised

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for.
    """

    def __init__(self, settings: BaremetricsSettings) -> None:
        self._http = Transport(
            "baremetrics",
            f"{settings.api_url.rstrip('/')}/v1",
            headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
            rate=RateLimit(CALLS_AN_HOUR, 3600),
        )

    def sources(self) -> Iterator[Object]:
        for source in self.pages("sources", "sources"):
            if not source.get("id") or not source.get("provider"):
                raise VendorAnswerUnexpected("baremetrics", "a source without id or provider")
            yield source

    def customer(self, source: str, oid: str) -> Object | None:
        """One customer; None if there is none."""
        found = self._get(_path(source, "customers", oid))
        if found is None:
            return None
        customer = found.get("customer")
        if not isinstance(customer, dict) or str(customer.get("oid")) != oid:
            raise VendorAnswerUnexpected("baremetrics", "answered another customer than the one asked for")
        return customer

    def change_customer(self, source: str, oid: str, fields: Mapping[str, str]) -> None:
        now = _object(self._http.call("PUT", _path(source, "customers", oid), json=dict(fields)))
        customer = now.get("customer", now)
        if not isinstance(customer, dict) or any(customer.get(name) != value for name, value in fields.items()):
            raise VendorAnswerUnexpected("baremetrics", "did not take over a change to a customer")

    def delete(self, source: str, kind: str, oid: str) -> bool:
        """Queue a deletion (202). False: a look-up proved that there was none.

        A second deletion is said to be refused with 404 or 400; either counts only if nothing is there any more.
        """
        path = _path(source, kind, oid)
        try:
            answer = self._http.call("DELETE", path)
        except VendorRefused as error:
            if error.status in (400, 404) and self._get(path) is None:
                return False
            if error.status == 404:
                raise VendorAnswerUnexpected("baremetrics", "does not find on DELETE what it finds on GET") from None
            raise
        if answer.status != 202 or _object(answer):
            raise VendorAnswerUnexpected(
                "baremetrics", f"answered {answer.status} where only an empty 202 is a deletion"
            )
        return True

    def of_customer(self, source: str, kind: str, oid: str) -> Iterator[Object]:
        """A customer's `subscriptions`, `charges` or `refunds`. For refunds the filter is not documented, so every
        record is compared."""
        for record in self.pages(_path(source, kind), kind, {"customer_oid": oid}):
            if _customer_of(record) == oid:
                yield record

    def cancellations(self) -> Iterator[Object]:
        return self.pages("cancellation_insights/events", "events")

    def blank_comment(self, event: Object) -> None:
        """Blank the free text; the reason stays, for without it a comment is not accepted."""
        path = f"cancellation_insights/events/{quote(str(event['id']), safe='')}"
        reason = event.get("reason_id") or (event.get("reason") or {}).get("id")
        now = _object(self._http.call("PUT", path, json={"reason_id": reason, "comment": ""}))
        changed = now.get("event", now)
        if not isinstance(changed, dict) or "comment" not in changed or changed["comment"]:
            raise VendorAnswerUnexpected("baremetrics", "did not blank a comment")

    def attribute_fields(self) -> list[str]:
        return [str(field["id"]) for field in self.pages("attributes/fields", "fields")]

    def blank_attributes(self, oid: str, fields: list[str]) -> None:
        body = {"attributes": [{"customer_oid": oid, "field_id": field, "value": ""} for field in fields]}
        answered = _object(self._http.call("POST", "attributes", json=body, retry=True))
        if not isinstance(answered.get("attributes"), list):
            raise VendorAnswerUnexpected("baremetrics", "did not confirm the attributes")

    def pages(self, path: str, key: str, params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """All items of a list. `meta.pagination.has_more` decides; without it an empty page is the last."""
        number, before = 1, None
        while True:
            asked = {**(params or {}), "page": str(number), "per_page": str(PER_PAGE)}
            page = _object(self._http.call("GET", path, params=asked))
            items = page.get(key)
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise VendorAnswerUnexpected("baremetrics", f"a list without {key}")
            more = ((page.get("meta") or {}).get("pagination") or {}).get("has_more")
            if items and items == before:
                raise VendorAnswerUnexpected("baremetrics", f"the same page of {key} twice")
            yield from items
            if not items or more is False or (more is None and key in UNPAGED):
                return
            number, before = number + 1, items

    def events(self, source: str, oid: str) -> Iterator[Object]:
        return self.pages(f"{_path(source, 'customers', oid)}/events", "events")

    def _get(self, path: str) -> Object | None:
        try:
            return _object(self._http.call("GET", path))
        except NotFound:
            return None


UNPAGED = frozenset({"sources", "fields"})  # short lists, which may come without paging


def _path(source: str, kind: str, oid: str = "") -> str:
    """An `oid` is the caller's own text and may hold anything, also `/`."""
    if source in ("", ".", "..") or oid in (".", ".."):
        raise VendorAnswerUnexpected("baremetrics", "an id that would lead to another path")
    return "/".join(quote(part, safe="") for part in (source, kind, oid) if part)


def _customer_of(record: Object) -> str:
    nested = record.get("customer")
    oid = record.get("customer_oid") or (nested.get("oid") if isinstance(nested, dict) else None)
    if not oid:
        raise VendorAnswerUnexpected("baremetrics", "a record that does not name its customer")
    return str(oid)


def _object(answer: Answer) -> Object:
    found = answer.json()
    if not isinstance(found, dict) or "error" in found:
        raise VendorAnswerUnexpected("baremetrics", f"answered {answer.status} with something other than an object")
    return found
