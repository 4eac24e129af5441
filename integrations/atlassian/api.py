"""The REST APIs of Jira Cloud (version 3) and Confluence Cloud (versions 1 and 2), as far as the connector uses them.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
https://developer.atlassian.com/cloud/confluence/rest/v2/intro/
https://developer.atlassian.com/cloud/admin/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dsr.errors import NotFound, VendorAnswerUnexpected
from integrations.atlassian.settings import AtlassianSettings
from integrations.transport import Answer, RateLimit, Transport

CALLS_IN_10_S = 1000  # API tokens have burst limits alone, per path and unpublished; 429 says the rest
JIRA = "rest/api/3"
WIKI = "wiki/api/v2"
WIKI_1 = "wiki/rest/api"
PER_PAGE = 100

Object = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """One thing that is about the person: `find` counts it, `erase` carries it out.

    Args:
        kind: for the counts.
        path: of the record.
        params: of the DELETE or PUT.
        change: sent with PUT; None: the record is deleted.
        purge: it goes to a trash first and must be deleted once more with `purge=true`.
        history: the key of the issue whose history will keep what is overwritten; empty: none does.
        once: never repeated without a fresh look: a version's number is taken over by the next one.
    """

    kind: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    change: Object | None = None
    purge: bool = False
    history: str = ""
    once: bool = False


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for.
    """

    def __init__(self, settings: AtlassianSettings) -> None:
        rate = RateLimit(CALLS_IN_10_S, 10)
        self._http = Transport(
            "atlassian",
            settings.base_url,
            auth=(settings.email, settings.api_token.get_secret_value()),
            headers={"X-Atlassian-Token": "no-check"},
            rate=rate,
        )
        self._admin = Transport(
            "atlassian",
            settings.admin_api_url,
            headers={
                "Authorization": f"Bearer {settings.org_api_key.get_secret_value() if settings.org_api_key else ''}"
            },
            rate=rate,
        )
        self._org = settings.org_id if settings.org_api_key else ""

    def me(self) -> str:
        """Our own account id. Asked before every look-up: some lists answer a bad token like an anonymous visitor,
        that is, with nothing."""
        return str(_object(self._http.call("GET", f"{JIRA}/myself"), "accountId")["accountId"])

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Object | None:
        """One record; None if there is none."""
        try:
            return _object(self._http.call("GET", path, params=params), "id", "accountId", "watchers")
        except NotFound:
            return None

    def content(self, path: str, size: int) -> bytes:
        """The bytes of a file; as many as its record says, or it is not the file."""
        content = self._http.call("GET", path, params={"redirect": "false"}, headers={"Accept": "*/*"}).content
        if len(content) != size:
            raise VendorAnswerUnexpected("atlassian", "a file of another size than its record says")
        return content

    def users(self, query: str) -> Iterator[Object]:
        """Users whose name or address begins with the words; the first 1,000."""
        at = 0
        while at < 1000:
            page = self._http.call(
                "GET", f"{JIRA}/user/search", params={"query": query, "startAt": str(at), "maxResults": "50"}
            ).json()
            if not isinstance(page, list) or not all(isinstance(u, dict) and u.get("accountId") for u in page):
                raise VendorAnswerUnexpected("atlassian", "a search for users that is not a list of users")
            if not page:
                return
            yield from page
            at += len(page)

    def search(self, jql: str) -> Iterator[str]:
        """Ids of issues. The former search was removed; this one gives no total, and may give empty pages."""
        token, seen = "", set[str]()
        while True:
            body: Object = {"jql": jql, "fields": ["id"], "maxResults": PER_PAGE}
            if token:
                body["nextPageToken"] = token
            page = _object(self._http.call("POST", f"{JIRA}/search/jql", json=body, retry=True), "issues")
            for issue in _items(page, "issues"):
                yield str(issue["id"])
            token = str(page.get("nextPageToken") or "")
            if not token:
                return
            if token in seen:
                raise VendorAnswerUnexpected("atlassian", "a next page that is the same again")
            seen.add(token)

    def listing(self, path: str, key: str) -> Iterator[Object]:
        """All items of a list in Jira that counts from `startAt`."""
        at = 0
        while True:
            page = _object(self._http.call("GET", path, params={"startAt": str(at), "maxResults": str(PER_PAGE)}), key)
            items = _items(page, key)
            yield from items
            at += len(items)
            if not isinstance(page.get("total"), int):
                raise VendorAnswerUnexpected("atlassian", "a list without its total")
            if at >= page["total"]:
                return
            if not items:
                raise VendorAnswerUnexpected("atlassian", "a list that ends before its total")

    def pages(self, path: str, params: Mapping[str, str | list[str]]) -> Iterator[Object]:
        """All results of a list in Confluence; the cursor stands in `_links.next`."""
        more: Mapping[str, str | list[str]] = params
        seen = set[str]()
        while True:
            page = _object(self._http.call("GET", path, params=more), "results")
            yield from _items(page, "results")
            following = str((page.get("_links") or {}).get("next") or "")
            if not following:
                return
            cursor = parse_qs(urlsplit(following).query).get("cursor", [""])[0]
            if not cursor or cursor in seen:
                raise VendorAnswerUnexpected("atlassian", "a next page without its cursor")
            seen.add(cursor)
            more = {**params, "cursor": cursor}

    def carry_out(self, piece: Piece) -> None:
        """Delete or change one record. Safe to repeat."""
        if piece.change is not None:
            self._is(self._http.call("PUT", piece.path, params=piece.params, json=piece.change), 200, 204)
            return
        self.delete(piece.path, piece.params, retry=False if piece.once else None)
        if piece.purge:
            self.delete(piece.path, {"purge": "true"})

    def delete(self, path: str, params: Mapping[str, str], retry: bool | None = None) -> None:
        """Delete. A 404 counts only if a look-up agrees."""
        try:
            self._is(self._http.call("DELETE", path, params=params, retry=retry), 204)
        except NotFound:
            asked = {key: value for key, value in params.items() if key == "accountId"}
            found = self.get(path, asked)
            still = found is not None and (
                "watchers" not in found or any(w.get("accountId") == params.get("accountId") for w in found["watchers"])
            )
            if still:
                raise VendorAnswerUnexpected("atlassian", "does not find on DELETE what it finds on GET") from None

    def revoke_portal_access(self, account: str) -> None:
        """End the log-in of a portal-only customer. 404: it has none, for instance because it was revoked before."""
        path = f"rest/servicedeskapi/customer/user/{path_id(account)}/revoke-portal-only-access"
        self._is(self._http.call("PUT", path, accept=(404,)), 204, 404)

    def redact(self, redactions: list[Object]) -> str:
        """Hand in a job of redactions (needs Atlassian Guard Premium); returns its id."""
        job = self._http.call("POST", f"{JIRA}/redact", json={"redactions": redactions}).json()
        if not isinstance(job, str):
            raise VendorAnswerUnexpected("atlassian", "took redactions without naming the job")
        return path_id(job)

    def redacted(self, job: str) -> bool | None:
        """Whether every redaction of a job succeeded; None while it is not finished."""
        found = _object(self._http.call("GET", f"{JIRA}/redact/status/{path_id(job)}"), "jobStatus")
        if found["jobStatus"] in ("PENDING", "IN_PROGRESS"):
            return None
        results = (found.get("bulkRedactionResponse") or {}).get("results")
        if found["jobStatus"] != "COMPLETED" or not isinstance(results, list):
            raise VendorAnswerUnexpected("atlassian", "a redaction job in a state that we do not know")
        return bool(results) and all(one.get("successful") is True for one in results)

    def managed(self) -> Iterator[Object]:
        """Accounts that the organisation manages (claimed domains); none without its key."""
        path = f"admin/v1/orgs/{path_id(self._org)}/users" if self._org else ""
        while path:
            page = _object(self._admin.call("GET", path), "data")
            yield from _items(page, "data")
            path = str((page.get("links") or {}).get("next") or "")

    def delete_managed(self, account: str) -> None:
        """Ask for the deletion of a managed account; it can be cancelled for 14 days."""
        path = f"users/{path_id(account)}/manage/lifecycle/delete"
        self._is(self._admin.call("POST", path, retry=True), 204)

    def _is(self, answer: Answer, *statuses: int) -> None:
        if answer.status not in statuses or (answer.status == 200 and not answer.json().get("id")):
            raise VendorAnswerUnexpected("atlassian", f"answered {answer.status} where a change should be confirmed")


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[\w:-]{1,128}", id, re.ASCII):
        raise VendorAnswerUnexpected("atlassian", "an id of a shape that Atlassian does not give")
    return id


def _object(answer: Answer, *keys: str) -> Object:
    found = answer.json()
    if not isinstance(found, dict) or not any(key in found for key in keys):
        raise VendorAnswerUnexpected("atlassian", f"answered {answer.status} with something other than asked for")
    return found


def _items(page: Object, key: str) -> list[Object]:
    items = page.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise VendorAnswerUnexpected("atlassian", f"a list without {key}")
    return items
