"""Hotjar's API: tokens, user look-up with deletion, survey answers.

https://help.hotjar.com/hc/en-us/articles/36820005914001-Hotjar-API-Reference
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from dsr.errors import CredentialsRejected, NotFound, VendorAnswerUnexpected, VendorRefused
from integrations.hotjar.settings import HotjarSettings
from integrations.transport import Answer, RateLimit, Transport

PER_PAGE = "100"
EARLY = 60.0  # seconds before a token's end at which it is renewed
PLAN = "the plan has no user look-up by API (Observe Scale or Ask Scale has), or the key may not use it (403)"

Object = dict[str, Any]


class Api:
    """Calls with a token that is fetched when needed and renewed once when Hotjar does not take it any more.

    Every method raises a `VendorError`; CredentialsRejected says whether key or plan is the matter.
    """

    def __init__(self, settings: HotjarSettings) -> None:
        # 3,000 calls a minute for an address; third-party sources agree on it.
        self._http = Transport("hotjar", settings.api_url, rate=RateLimit(25, 1))
        self._key = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def look_up(self, organization: str, who: Mapping[str, Any], *, delete: bool) -> Object:
        """Look a person up and, with `delete`, submit the deletion of everything found. Safe to repeat.

        What a success looks like is not documented: every 2xx counts as accepted, except one that is no JSON object
        (an empty body is none needed) or that says it is an error.

        Args:
            who: `data_subject_email` or `data_subject_site_id_to_user_id_map`.

        Returns:
            what Hotjar answered; it may hold personal data.
        """
        body = {**who, "delete_all_hits": delete}
        path = f"v1/organizations/{organization}/user-lookup"
        found = self._call("POST", path, json=body, retry=True).json()
        if not isinstance(found, dict):
            raise VendorAnswerUnexpected("hotjar", "answered a look-up with something other than an object")
        if "error" in found or found.get("status") == "error":
            raise VendorRefused("hotjar", "refused a look-up inside a success")
        return found

    def surveys(self, site: str) -> Iterator[Object]:
        return self._pages(f"v1/sites/{site}/surveys")

    def responses(self, site: str, survey: str) -> Iterator[Object]:
        if not survey.isalnum():  # it stands in a path
            raise VendorAnswerUnexpected("hotjar", "a survey with an id of another shape than documented")
        return self._pages(f"v1/sites/{site}/surveys/{survey}/responses")

    def _pages(self, path: str) -> Iterator[Object]:
        cursor = ""
        while True:
            params = {"limit": PER_PAGE, **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", path, params=params).json()
            results = page.get("results") if isinstance(page, dict) else None
            if not isinstance(results, list) or not all(isinstance(item, dict) for item in results):
                raise VendorAnswerUnexpected("hotjar", "a list without results")
            yield from results
            cursor = str(page.get("next_cursor") or "")
            if not cursor:
                return

    def _call(self, method: str, path: str, **more: Any) -> Answer:
        answer = self._with_token(method, path, **more)
        if answer.status == 401:
            with self._lock:
                self._token = ""
            answer = self._with_token(method, path, **more)
        if answer.status == 401:
            raise CredentialsRejected("hotjar", "does not take the token that it has just given (401)", 401)
        if answer.status == 403:
            raise CredentialsRejected("hotjar", PLAN, 403)
        if answer.status == 404:
            raise NotFound("hotjar", "no such organisation or site (404)", 404)
        return answer

    def _with_token(self, method: str, path: str, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self._current_token()}"}
        return self._http.call(method, path, headers=headers, accept=(401, 403, 404), **more)

    def _current_token(self) -> str:
        with self._lock:
            if not self._token or time.monotonic() > self._until:
                answer = self._http.call("POST", "v1/oauth/token", data=self._key, retry=True, accept=(400, 401, 403))
                if answer.status >= 400:
                    raise CredentialsRejected(
                        "hotjar", f"the API key is wrong or older than a year ({answer.status})", answer.status
                    )
                given = answer.json()
                token = given.get("access_token") if isinstance(given, dict) else None
                lasts = given.get("expires_in") if isinstance(given, dict) else None
                if not isinstance(token, str) or not token.isascii() or not isinstance(lasts, int):
                    raise VendorAnswerUnexpected("hotjar", "gave no token")
                self._token, self._until = token, time.monotonic() + lasts - EARLY
            return self._token
