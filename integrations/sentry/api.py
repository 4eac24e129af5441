"""Sentry's web API (version 0) as far as the processor uses it.

https://docs.sentry.io/api/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dsr.errors import NotFound, VendorAnswerUnexpected, VendorRefused
from integrations.sentry.settings import SentrySettings
from integrations.transport import Answer, RateLimit, Transport

PER_PAGE = "100"
_NEXT = re.compile(r'<[^>]*>;[^,]*rel="next"[^,]*')

Object = dict[str, Any]


class Api:
    """Calls that check the shape of their answers.

    Every method raises a `VendorError`: the errors of `transport`, or VendorAnswerUnexpected for an answer of another
    shape than asked for.
    """

    def __init__(self, settings: SentrySettings) -> None:
        self._org = f"organizations/{settings.org}"
        self._slug = settings.org
        self._wanted = settings.project_slugs
        self._period = f"{settings.retention_days}d"
        self._http = Transport(
            "sentry",
            f"{settings.api_url.rstrip('/')}/api/0",
            headers={"Authorization": f"Bearer {settings.auth_token.get_secret_value()}"},
            rate=RateLimit(10, 1),  # Sentry limits each endpoint by itself, at rates that it tells only in its answers
        )

    def check(self) -> None:
        found = _object(self._http.call("GET", f"{self._org}/"))
        if found.get("slug") != self._slug:
            raise VendorAnswerUnexpected("sentry", "answered for another organisation")
        self.projects()

    def projects(self) -> dict[str, str]:
        """Slug -> id of the projects that are looked at.

        Raises:
            VendorRefused: SENTRY_PROJECTS names one that is not there.
        """
        there = {_text(p, "slug"): _text(p, "id") for p in self._pages(f"{self._org}/projects/")}
        if set(self._wanted) - there.keys():
            raise VendorRefused("sentry", "SENTRY_PROJECTS names a project that the token does not see")
        return {slug: id for slug, id in there.items() if not self._wanted or slug in self._wanted}

    # -- issues and events ------------------------------------------------------------------------------------------

    def users(self, project: str, email: str) -> Iterator[Object]:
        """Who sent events with this address: `identifier` is the application's own user id."""
        return self._pages(f"projects/{self._slug}/{project}/users/", {"query": f"email:{email}"})

    def issues(self, query: str) -> Iterator[Object]:
        """Issues in every state: without a query of our own Sentry would show unresolved ones alone."""
        params = {"query": query, "project": "-1", "statsPeriod": self._period, "limit": PER_PAGE}
        return self._pages(f"{self._org}/issues/", params)

    def issue(self, id: str) -> Object | None:
        try:
            found = _object(self._http.call("GET", f"{self._org}/issues/{path_id(id)}/"))
        except NotFound:
            return None
        if _text(found, "id") != id:
            raise VendorAnswerUnexpected("sentry", "answered another issue than asked for")
        return found

    def user_values(self, issue: str) -> Iterator[Object]:
        """The people of an issue, as values of its tag `user` (at most 1,000), each with its number of events."""
        return self._pages(f"{self._org}/issues/{path_id(issue)}/tags/user/values/")

    def events(self, issue: str, query: str = "", *, full: bool = False) -> Iterator[Object]:
        """Events of an issue, newest first."""
        params = {"statsPeriod": self._period, "query": query, "full": str(full).lower()}
        return self._pages(f"{self._org}/issues/{path_id(issue)}/events/", params)

    def delete_issue(self, id: str) -> bool:
        """Delete one issue with all its events; removed in the background.

        Always by its id in the path: a bulk deletion without ids takes the first thousand of everything.

        Returns:
            False if Sentry does not delete issues of this category (400: older and self-hosted versions).
        """
        answer = self._http.call("DELETE", f"{self._org}/issues/{path_id(id)}/", accept=(400, 404))
        if answer.status == 404 and self.issue(id) is not None:
            raise VendorAnswerUnexpected("sentry", "does not find on DELETE what it finds on GET")
        if answer.status not in (202, 204, 400, 404):
            raise VendorAnswerUnexpected("sentry", f"answered {answer.status} where only 202 means accepted")
        return answer.status != 400

    def feedback(self, project: str) -> Iterator[Object]:
        """The older user feedback of a project, of issues in every state; Sentry filters it by nothing."""
        return self._pages(f"projects/{self._slug}/{project}/user-feedback/", {"status": ""})

    # -- replays ----------------------------------------------------------------------------------------------------

    def replays(self, query: str) -> Iterator[Object]:
        params = {"query": query, "project": "-1", "statsPeriod": self._period, "per_page": PER_PAGE}
        return self._pages(f"{self._org}/replays/", params, key="data")

    def start_deletion_of_replays(self, project: str, query: str, start: str, end: str) -> str:
        """The id of the job; a second job for the same replays does no harm.

        Args:
            start, end: ISO 8601.
        """
        wanted = {"rangeStart": start, "rangeEnd": end, "environments": [], "query": query}
        path = f"projects/{self._slug}/{project}/replays/jobs/delete/"
        return _text(_job(self._http.call("POST", path, json={"data": wanted})), "id")

    def replay_job(self, project: str, id: str) -> str:
        """Its status: `pending`, `in-progress`, `completed`, `failed`."""
        path = f"projects/{self._slug}/{path_id(project)}/replays/jobs/delete/{path_id(id)}/"
        return _text(_job(self._http.call("GET", path)), "status")

    # -- machinery --------------------------------------------------------------------------------------------------

    def _pages(self, path: str, params: Mapping[str, str] | None = None, key: str = "") -> Iterator[Object]:
        """All items of a list; the way to the next page stands in the Link header."""
        cursor = ""
        while True:
            answer = self._http.call("GET", path, params={**(params or {}), **({"cursor": cursor} if cursor else {})})
            body = answer.json()
            items = body.get(key) if key and isinstance(body, dict) else body
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise VendorAnswerUnexpected("sentry", "answered something other than a list")
            yield from items
            cursor = next_cursor(answer.headers.get("Link", ""))
            if not cursor:
                return


def next_cursor(link: str) -> str:
    """The cursor of the next page; "" after the last one (`results="false"`).

    https://docs.sentry.io/api/pagination/
    """
    found = _NEXT.search(link)
    if not found or 'results="true"' not in found.group():
        return ""
    cursor = re.search(r'cursor="([^"]+)"', found.group())
    if not cursor:
        raise VendorAnswerUnexpected("sentry", "a next page without its cursor")
    return cursor[1]


def quoted(field: str, value: str) -> str:
    """A search for exactly this value: quotes for special characters, and an asterisk is no wildcard."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return f'{field}:"{escaped}"'


def path_id(id: str) -> str:
    """An id that came from outside must not lead to another path."""
    if not re.fullmatch(r"[\w-]{1,100}", id, re.ASCII):
        raise VendorAnswerUnexpected("sentry", "an id of a shape that Sentry does not give")
    return id


def _object(answer: Answer) -> Object:
    found = answer.json()
    if not isinstance(found, dict):
        raise VendorAnswerUnexpected("sentry", f"answered {answer.status} with something other than an object")
    return found


def _job(answer: Answer) -> Object:
    job = _object(answer).get("data")
    if not isinstance(job, dict):
        raise VendorAnswerUnexpected("sentry", "answered something other than a job")
    return job


def _text(found: Object, key: str) -> str:
    value = found.get(key)
    if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value):
        raise VendorAnswerUnexpected("sentry", f"an object without {key}")
    return str(value)
