"""HubSpot's API as far as the processor uses it.

https://developers.hubspot.com/docs/api-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorUnavailable
from integrations.hubspot.settings import HubspotSettings
from integrations.transport import Answer, RateLimit, Transport

PER_PAGE = 100
GROUPS = 5  # the most filter groups of a search
BATCH = 50  # with `propertiesWithHistory` a batch read takes no more
FIELDS = ("email", "hs_additional_emails", "firstname", "lastname", "phone", "company")

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, NotFound only for HubSpot's own error object,
    VendorUnavailable for a locked record (423), VendorAnswerUnexpected for an answer of another shape.
    """

    def __init__(self, settings: HubspotSettings) -> None:
        headers = {"Authorization": f"Bearer {settings.access_token.get_secret_value()}"}
        # The smallest plan allows 100 calls in 10 s, and 5 searches a second; a burst and the steady rate together
        # stay below that. HubSpot sends no dependable Retry-After.
        self._http = Transport("hubspot", settings.api_url, headers=headers, rate=RateLimit(50, 10))
        self._searches = Transport("hubspot", settings.api_url, headers=headers, rate=RateLimit(2, 1))
        self.account_property = settings.account_property
        self._fields = (*FIELDS, *((settings.account_property,) if settings.account_property else ()))

    # -- contacts ---------------------------------------------------------------------------------------------------

    def contact(self, id: str, *, archived: bool = False) -> Object | None:
        """One contact, or one in the recycle bin; None if there is none."""
        params = {"properties": ",".join(self._fields), "archived": str(archived).lower()}
        return self._one_contact(f"crm/v3/objects/contacts/{path_id(id)}", params)

    def contact_with(self, address: str) -> Object | None:
        """The contact whose primary address it is; current, while a search lags some seconds."""
        params = {"properties": ",".join(self._fields), "idProperty": "email"}
        return self._one_contact(f"crm/v3/objects/contacts/{quote(address, safe='')}", params)

    def search_contacts(self, filters: Sequence[tuple[str, str, str]]) -> Iterator[str]:
        """Ids of contacts that a search shows: late, and with fuzzy tokens; to be read again by id.

        Args:
            filters: property, operator, value; at most five, any of which may match.
        """
        groups = [{"filters": [{"propertyName": p, "operator": o, "value": v}]} for p, o, v in filters]
        after = ""
        while True:
            query: Object = {
                "filterGroups": groups,
                "limit": PER_PAGE,
                **({"after": after} if after else {}),
            }
            path = "crm/v3/objects/contacts/search"
            page = _object(self._asked(self._searches.call("POST", path, json=query, retry=True, accept=(404, 423))))
            for found in _results(page):
                yield _id(found)
            after = _after(page)
            if not after:
                return

    def change_contact(self, id: str, properties: Mapping[str, str]) -> None:
        """Raises VendorAnswerUnexpected if the answer does not show the new values."""
        path = f"crm/v3/objects/contacts/{path_id(id)}"
        now = _object(self._call("PATCH", path, json={"properties": dict(properties)}, retry=True))
        shown = now.get("properties") or {}
        if _id(now) != id or any(_plain(k, shown.get(k)) != _plain(k, v) for k, v in properties.items()):
            raise VendorAnswerUnexpected("hubspot", "did not take over a change to a contact")

    def marked(self, id: str, flag: str) -> bool:
        """Does a contact carry a flag of ours? One that is gone has nothing left to mark."""
        contact = self._one_contact(f"crm/v3/objects/contacts/{path_id(id)}", {"properties": flag})
        return contact is None or str(contact["properties"].get(flag) or "").lower() == "true"

    def erase_contact(self, id: str) -> None:
        """GDPR deletion, by id alone: for an unknown address HubSpot answers 204, too, and blocks the address.

        Raises:
            NotFound: no such contact; whether one lies in the recycle bin must be looked up.
        """
        path = "crm/v3/objects/contacts/gdpr-delete"
        self._no_content(self._call("POST", path, json={"objectId": path_id(id)}, retry=True))

    def contact_properties(self) -> list[str]:
        return [str(p["name"]) for p in _results(_object(self._call("GET", "crm/v3/properties/contacts")))]

    def ensure_flag(self, name: str, label: str) -> None:
        """A true/false property of contacts; made if there is none."""
        try:
            found = _object(self._call("GET", f"crm/v3/properties/contacts/{path_id(name)}"))
        except NotFound:
            options = [{"label": text, "value": value} for text, value in (("Yes", "true"), ("No", "false"))]
            wanted = {
                "name": name,
                "label": label,
                "type": "enumeration",
                "fieldType": "booleancheckbox",
                "groupName": "contactinformation",
                "options": options,
            }
            found = _object(self._call("POST", "crm/v3/properties/contacts", json=wanted))
        if found.get("name") != name:
            raise VendorAnswerUnexpected("hubspot", "answered another property than asked for")

    # -- what hangs on contacts -------------------------------------------------------------------------------------

    def linked(self, contact: str, kind: str) -> list[str]:
        """Ids of the records of one kind that are associated with a contact."""
        path = f"crm/v4/objects/contacts/{path_id(contact)}/associations/{kind}"
        return [_text_id(link, "toObjectId") for link in self.pages(path)]

    def contacts_of(self, kind: str, ids: Sequence[str]) -> dict[str, set[str]]:
        """Record -> the contacts that it is associated with; a partial answer (207) leaves records out."""
        found: dict[str, set[str]] = {}
        for some in _batches(ids):
            path = f"crm/v4/associations/{kind}/contacts/batch/read"
            page = _object(self._call("POST", path, json={"inputs": [{"id": id} for id in some]}, retry=True))
            for one in _results(page):
                links = one.get("to")
                if not isinstance(links, list):
                    raise VendorAnswerUnexpected("hubspot", "an association without its ends")
                found.setdefault(_id(one.get("from")), set()).update(_text_id(link, "toObjectId") for link in links)
        return found

    def read(self, kind: str, ids: Sequence[str], properties: Sequence[str], *, history: bool) -> Iterator[Object]:
        """Whole records, in batches.

        Raises:
            VendorAnswerUnexpected: fewer than asked for.
        """
        for some in _batches(ids):
            asked: Object = {"inputs": [{"id": id} for id in some], "properties": list(properties)}
            if history:
                asked["propertiesWithHistory"] = list(properties)
            page = _object(self._call("POST", f"crm/v3/objects/{kind}/batch/read", json=asked, retry=True))
            records = _results(page)
            if {_id(record) for record in records} != set(some):
                raise VendorAnswerUnexpected("hubspot", f"not all {kind} that were asked for")
            yield from records

    def delete(self, kind: str, ids: Sequence[str]) -> None:
        """Into the recycle bin: HubSpot offers no more for anything but contacts. Ids that are gone are no error."""
        for some in _batches(ids):
            body = {"inputs": [{"id": path_id(id)} for id in some]}
            self._no_content(self._call("POST", f"crm/v3/objects/{kind}/batch/archive", json=body, retry=True))

    # -- conversations ----------------------------------------------------------------------------------------------

    def threads(self, contact: str, *, archived: bool = False) -> Iterator[Object]:
        params = {"associatedContactId": path_id(contact), "archived": str(archived).lower()}
        return self.pages("conversations/v3/conversations/threads", params)

    def messages(self, thread: str) -> Iterator[Object]:
        return self.pages(f"conversations/v3/conversations/threads/{path_id(thread)}/messages")

    def delete_thread(self, id: str) -> None:
        """Archived at once, purged 30 days later."""
        path = f"conversations/v3/conversations/threads/{path_id(id)}"
        try:
            self._no_content(self._call("DELETE", path))
        except NotFound:
            try:
                self._call("GET", path)
            except NotFound:
                return
            raise VendorAnswerUnexpected("hubspot", "does not find on DELETE what it finds on GET") from None

    # -- mail -------------------------------------------------------------------------------------------------------

    def opt_out(self, address: str) -> None:
        """No marketing mail of any kind; works for addresses that no contact carries. Asked again afterwards."""
        path = f"communication-preferences/v4/statuses/{quote(address, safe='')}/unsubscribe-all"
        self._call("POST", path, params={"channel": "EMAIL"}, retry=True)
        if not self.opted_out(address):
            raise VendorAnswerUnexpected("hubspot", "does not show an opt-out that it accepted")

    def opted_out(self, address: str) -> bool:
        """Is the address opted out of everything? The list is empty unless it is."""
        path = f"communication-preferences/v4/statuses/{quote(address, safe='')}/unsubscribe-all"
        shown = _results(_object(self._call("GET", path, params={"channel": "EMAIL"})))
        return any(one.get("status") == "UNSUBSCRIBED" for one in shown)

    def subscriptions(self, address: str) -> list[Object]:
        path = f"communication-preferences/v4/statuses/{quote(address, safe='')}"
        return _results(_object(self._call("GET", path, params={"channel": "EMAIL"})))

    # -- machinery --------------------------------------------------------------------------------------------------

    def pages(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """All items of a list that is read with GET, page by page."""
        after = ""
        while True:
            asked = {**(params or {}), "limit": str(PER_PAGE), **({"after": after} if after else {})}
            page = _object(self._call("GET", path, params=asked))
            yield from _results(page)
            after = _after(page)
            if not after:
                return

    def _one_contact(self, path: str, params: Mapping[str, str]) -> Object | None:
        try:
            found = _object(self._call("GET", path, params=params))
        except NotFound:
            return None
        _id(found)
        if not isinstance(found.get("properties"), dict):
            raise VendorAnswerUnexpected("hubspot", "a contact without properties")
        return found

    def _call(self, method: str, path: str, **more: Any) -> Answer:
        return self._asked(self._http.call(method, path, accept=(404, 423), **more))

    def _asked(self, answer: Answer) -> Answer:
        if answer.status == 423:
            raise VendorUnavailable("hubspot", "a record is locked (423)")
        if answer.status != 404:
            return answer
        body = answer.json()
        if isinstance(body, dict) and body.get("status") == "error" and "correlationId" in body:
            raise NotFound("hubspot", "no such thing (404)", 404)
        raise VendorAnswerUnexpected("hubspot", "a 404 that is not HubSpot's own")

    def _no_content(self, answer: Answer) -> None:
        if answer.status != 204:
            raise VendorAnswerUnexpected("hubspot", f"answered {answer.status} where only 204 means done")


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"\w{1,100}", id, re.ASCII):
        raise VendorAnswerUnexpected("hubspot", "an id of a shape that HubSpot does not give")
    return id


def _object(answer: Answer) -> Object:
    found = answer.json()
    if not isinstance(found, dict) or found.get("status") == "error":
        raise VendorAnswerUnexpected("hubspot", f"answered {answer.status} with another object than asked for")
    return found


def _results(page: Object) -> list[Object]:
    results = page.get("results")
    if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
        raise VendorAnswerUnexpected("hubspot", "a list without results")
    return results


def _after(page: Object) -> str:
    following = (page.get("paging") or {}).get("next")
    if not following:
        return ""
    after = following.get("after") if isinstance(following, dict) else None
    if not after:
        raise VendorAnswerUnexpected("hubspot", "a next page without its cursor")
    return str(after)


def _id(found: Any) -> str:
    return _text_id(found, "id")


def _text_id(found: Any, key: str) -> str:
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value):
        raise VendorAnswerUnexpected("hubspot", "a record without its id")
    return str(value)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _plain(property: str, value: object) -> object:
    """A value as it compares: HubSpot lowers addresses."""
    return value.strip().lower() if property == "email" and isinstance(value, str) else value
