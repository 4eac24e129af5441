"""Mailgun's REST API as far as the processor, the events and the mailer use it.

https://documentation.mailgun.com/docs/mailgun/api-reference; versions stand in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from dsr.errors import VendorAnswerUnexpected
from integrations.mailgun.settings import MailgunSettings
from integrations.transport import Answer, Transport

PER_PAGE = 100
EVENTS_PER_PAGE = 300  # the most that Mailgun gives

# How the texts of a 404 begin that speak of the record asked for. Another 404 (an unknown domain or path, the wrong
# region) proves nothing about a person.
ABSENT = ("Address", "No spam complaints", "Member", "Mailing list", "Message not found")

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for.
    """

    def __init__(self, settings: MailgunSettings) -> None:
        self.domains = settings.domains
        auth = ("api", settings.api_key.get_secret_value())
        self.http = Transport("mailgun", settings.api_url, auth=auth)  # limits are not published: 429 tells

    def check(self) -> None:
        """Every configured domain exists in this region and account."""
        for name in self.domains:
            found = _object(self.http.call("GET", f"v4/domains/{quote(name)}")).get("domain")
            if not isinstance(found, dict) or found.get("name") != name:
                raise VendorAnswerUnexpected("mailgun", "answered for another domain than asked for")

    # -- mailing lists ----------------------------------------------------------------------------------------------

    def lists(self) -> Iterator[str]:
        """The addresses of all mailing lists of the account."""
        for item in self._pages("v3/lists/pages", {"limit": PER_PAGE}):
            yield _text(item, "address")

    def member(self, list_address: str, address: str) -> Object | None:
        """One member of a list, None if there is none.

        The specification shows the bare member, the service has also answered `{"member": …}`; both are read.
        """
        answer = self.http.call("GET", _member(list_address, address), accept=(404,))
        return None if _absent(answer) else _member_of(answer, address)

    def update_member(self, list_address: str, address: str, changes: Mapping[str, str]) -> Object:
        """Change properties of a member; those not named stay (multipart form, as the specification says)."""
        answer = self.http.call("PUT", _member(list_address, address), files=form(changes))
        return _member_of(answer, changes.get("address", address))

    def delete_member(self, list_address: str, address: str) -> bool:
        """False: a look-up proved that there was none."""
        path = _member(list_address, address)
        return self._delete(path, lambda: self.member(list_address, address) is not None)

    # -- suppression lists ------------------------------------------------------------------------------------------

    def suppression(self, domain: str, kind: str, address: str) -> Object | None:
        """A row of `unsubscribes`, `complaints`, `bounces` or `whitelists`; None if there is none."""
        answer = self.http.call("GET", f"v3/{quote(domain)}/{kind}/{quote(address, safe='')}", accept=(404,))
        if _absent(answer):
            return None
        row = _object(answer)
        found = row.get("value") if kind == "whitelists" else row.get("address")
        if not isinstance(found, str) or found.lower() != address:
            raise VendorAnswerUnexpected("mailgun", f"answered another row of {kind} than asked for")
        return row

    def unsubscribe(self, domain: str, address: str) -> None:
        """No mail from this domain any more (`*` = all tags). Adding it again changes nothing: it may be repeated."""
        rows = [{"address": address, "tags": ["*"]}]
        answer = self.http.call("POST", f"v3/{quote(domain)}/unsubscribes", json=rows, retry=True)
        message = _object(answer).get("message")
        if not isinstance(message, str) or "added" not in message:
            raise VendorAnswerUnexpected("mailgun", "did not confirm that the address was unsubscribed")

    def mail_again(self, domain: str, address: str) -> bool:
        """Delete the row of `unsubscribes`, which re-enables mail; False: a look-up proved that there was none."""
        path = f"v3/{quote(domain)}/unsubscribes/{quote(address, safe='')}"
        return self._delete(path, lambda: self.suppression(domain, "unsubscribes", address) is not None)

    def forget_allowed(self, domain: str, address: str) -> bool:
        """Take an address off the allowlist, which overrides suppression."""
        path = f"v3/{quote(domain)}/whitelists/{quote(address, safe='')}"
        return self._delete(path, lambda: self.suppression(domain, "whitelists", address) is not None)

    # -- events and stored messages ---------------------------------------------------------------------------------

    def events(self, domain: str, filters: Mapping[str, str], *, begin: float | None = None) -> Iterator[Object]:
        """Events, oldest first when `begin` (unix seconds) is given; page by page."""
        window = {"begin": str(int(begin)), "ascending": "yes"} if begin is not None else {}
        return self._pages(f"v3/{quote(domain)}/events", {"limit": EVENTS_PER_PAGE, **window, **filters})

    def any_event(self, domain: str, filters: Mapping[str, str]) -> bool:
        page = _object(self.http.call("GET", f"v3/{quote(domain)}/events", params={"limit": 1, **filters}))
        return bool(_items(page))

    def stored_message(self, domain: str, key: str) -> Object | None:
        """A message that Mailgun still stores; None when it has expired."""
        answer = self.http.call("GET", f"v3/domains/{quote(domain)}/messages/{quote(key, safe='')}", accept=(404,))
        if _absent(answer):
            return None
        message = _object(answer)
        _text(message, "Message-Id")
        return message

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _pages(self, path: str, params: Mapping[str, Any]) -> Iterator[Object]:
        """Items of a list. `paging.next` is always there; an empty page is the end."""
        page = _object(self.http.call("GET", path, params=params))
        while items := _items(page):
            yield from items
            following = (page.get("paging") or {}).get("next")
            if not isinstance(following, str) or not following:
                raise VendorAnswerUnexpected("mailgun", "a page without the address of the next one")
            page = _object(self.http.call("GET", following))

    def _delete(self, path: str, exists: Callable[[], bool]) -> bool:
        answer = self.http.call("DELETE", path, accept=(404,))
        if _absent(answer):
            if exists():
                raise VendorAnswerUnexpected("mailgun", "does not find on DELETE what it finds on GET")
            return False
        _object(answer)
        if exists():
            raise VendorAnswerUnexpected("mailgun", "still holds what it said it had deleted")
        return True


def form(fields: Mapping[str, str]) -> list[tuple[str, tuple[None, str]]]:
    """multipart/form-data without files, as `requests` wants it."""
    return [(name, (None, value)) for name, value in fields.items()]


def _member(list_address: str, address: str) -> str:
    return f"v3/lists/{quote(list_address, safe='')}/members/{quote(address, safe='')}"


def _absent(answer: Answer) -> bool:
    """Whether the answer is a 404 that says that there is no such record.

    Raises:
        VendorAnswerUnexpected: a 404 that says something else.
    """
    if answer.status != 404:
        return False
    message = _object(answer).get("message")
    if not isinstance(message, str) or not message.startswith(ABSENT):
        raise VendorAnswerUnexpected("mailgun", "a 404 that is not about the record asked for")
    return True


def _member_of(answer: Answer, address: str) -> Object:
    body = _object(answer)
    member = body.get("member", body)
    if not isinstance(member, dict) or str(member.get("address", "")).lower() != address:
        raise VendorAnswerUnexpected("mailgun", "answered another list member than asked for")
    if not isinstance(member.get("subscribed"), bool):
        raise VendorAnswerUnexpected("mailgun", "a list member without its subscription")
    return member


def _object(answer: Answer) -> Object:
    found = answer.json()
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("mailgun", f"answered {answer.status} with something other than an object")
    return found


def _items(page: Object) -> list[Object]:
    items = page.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorAnswerUnexpected("mailgun", "a list without its items")
    return items


def _text(item: Object, key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise VendorAnswerUnexpected("mailgun", f"an object without {key}")
    return value
