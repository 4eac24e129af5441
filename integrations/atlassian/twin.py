"""A local stand-in of one Atlassian site: Jira, Confluence, its users, and the organisation that manages some.

Like Atlassian it searches with a lag, answers JQL that names somebody unknown with 400, keeps overwritten values in
the change history, has a trash in Confluence, renumbers versions when one is removed, and redacts only with Guard.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.atlassian import twin_confluence, twin_jira, twin_seed
from integrations.twin import Person, Twin

Object = dict[str, Any]
LAG = 0.5  # of a day, in which the search still shows what was deleted
MESSAGES = {
    401: "Client must be authenticated to access this resource.",
    403: "You do not have permission to perform this operation.",
    404: "Issue does not exist or you do not have permission to see it.",
    409: "The request conflicts with the current state.",
    429: "Rate limit exceeded.",
}


class AtlassianTwin(Twin):
    """State: `users` (with `id` and `email`), `issues` with everything below them, and Confluence's kinds."""

    name: ClassVar[str] = "atlassian"
    variables: ClassVar[Mapping[str, str]] = {
        "ATLASSIAN_ADMIN_API_URL": "{twin}",
        "ATLASSIAN_API_URL": "{twin}",
        "ATLASSIAN_SITE": "intellimails",
        "ATLASSIAN_EMAIL": "desk@intellimails.com",
        "ATLASSIAN_API_TOKEN": "{secret}",
    }

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        users = [{"id": u["accountId"], "email": u.get("emailAddress"), **u} for u in self.records["users"].values()]
        kinds = ("issues", "managed", *twin_confluence.PLACES)
        return {"users": users, **{kind: list(self.records[kind].values()) for kind in kinds}}

    # -- for the routes and for tests -------------------------------------------------------------------------------

    def new_user(self, email: str, name: str, kind: str = "customer", id: str = "") -> Object:
        id = id or ("qm:" if kind == "customer" else "") + f"5b10a2844c20165700ed{self.new_id('user', 4000)}"
        user = {
            "self": f"{self.world.base_url}/atlassian/rest/api/3/user?accountId={id}",
            "accountId": id,
            "accountType": kind,
            "emailAddress": email,
            "displayName": name,
            "active": True,
            "timeZone": "Europe/Bucharest",
        }
        self.records["users"][id] = user
        return user

    def user(self, id: str) -> Object:
        """As records show a user; a removed one has no name any more."""
        found = self.records["users"].get(id)
        return found or {"accountId": id, "accountType": "unknown", "displayName": "Former user", "active": False}

    def ghost(self, kind: str, id: str, found: Object) -> None:
        """A deleted record that the search has not forgotten yet."""
        self.records["ghosts"][f"{kind}:{id}"] = {**found, "until": time.time() + LAG * self.world.day}

    def ghosts(self, kind: str) -> list[Object]:
        now = time.time()
        return [g for key, g in self.records["ghosts"].items() if key.startswith(f"{kind}:") and g["until"] > now]

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_limits)
        twin_jira.register(self, api)
        twin_confluence.register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        message = MESSAGES.get(status, "Internal server error")
        if "/wiki/api/v2/" in request.path:
            return {"errors": [{"status": status, "code": "ERROR", "title": message, "detail": None}]}, status
        return {"errorMessages": [message], "errors": {}}, status

    def error_in_200(self) -> Any:
        return {"errorMessages": ["Internal server error"], "errors": {}}

    def refuse(self, status: int, message: str = "") -> Response:
        body, _ = self.error(status)
        if message and "errorMessages" in body:
            body["errorMessages"] = [message]
        answer = jsonify(body)
        answer.status_code = status
        return answer

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        given = request.headers.get("Authorization", "")
        env = self.world.env
        if request.path.startswith(("/atlassian/admin/", "/atlassian/users/")):
            key = env.get("ATLASSIAN_ORG_API_KEY", "")
            wanted = f"Bearer {key}" if key else ""
        else:
            pair = f"{env.get('ATLASSIAN_EMAIL', '')}:{env.get('ATLASSIAN_API_TOKEN', '')}"
            wanted = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return None if wanted and hmac.compare_digest(given.encode(), wanted.encode()) else self.refuse(401)


def _limits(answer: Response) -> Response:
    answer.headers["X-RateLimit-Limit"] = "350"
    answer.headers["X-RateLimit-Remaining"] = "0" if answer.status_code == 429 else "349"
    if answer.status_code == 429:
        answer.headers["RateLimit-Reason"] = "jira-burst-based"
    return answer
