"""A local stand-in of Sentry: issues with events of many users, feedback, replays and their deletion jobs.

Like Sentry it deletes whole issues only, hides a deleted issue at once and removes its events in the background, runs
replay deletions as jobs, pages by Link headers, and a bulk deletion without ids takes everything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.sentry import twin_seed
from integrations.sentry.twin_routes import register
from integrations.sentry.twin_shapes import Object, iso, matches
from integrations.twin import Person, Twin

REMOVED_AFTER_DAYS = 0.5  # events of a deleted issue
JOB_TAKES_DAYS = 0.04
LIMIT = 40


class SentryTwin(Twin):
    """One organisation: the one that `SENTRY_ORG` names."""

    name: ClassVar[str] = "sentry"
    variables: ClassVar[Mapping[str, str]] = {
        "SENTRY_API_URL": "{twin}",
        "SENTRY_AUTH_TOKEN": "{secret}",
        "SENTRY_ORG": "intellimails",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        self.pass_time()
        return {
            "people": list(
                {
                    u["email"]: u
                    for u in (r["user"] for k in ("events", "replays") for r in self.records[k].values())
                    if u
                }.values()
            ),
            **{
                kind: list(self.records[kind].values())
                for kind in ("projects", "issues", "events", "feedback", "replays", "jobs")
            },
        }

    def new_issue(
        self, project: str, title: str, *, category: str = "error", contact: str = "", message: str = ""
    ) -> Object:
        id = self.new_id("issue", 5500)
        metadata = {"contact_email": contact, "message": message} if contact else {"value": title, "type": "Error"}
        issue: Object = {
            "id": id,
            "shortId": f"{project.upper()}-{id}",
            "title": title,
            "culprit": "app/upload",
            "project": {"id": self.records["projects"][project]["id"], "slug": project, "name": project},
            "issueCategory": category,
            "metadata": metadata,
            "status": "unresolved",
            "permalink": f"https://example.sentry.io/issues/{id}/",
            "deleted_at": 0.0,
        }
        self.records["issues"][id] = issue
        return issue

    def new_event(self, issue: str, user: Object | None, *, days_ago: float = 1.0, message: str = "") -> Object:
        id = uuid.uuid4().hex
        event: Object = {
            "id": id,
            "eventID": id,
            "groupID": issue,
            "user": user,
            "dateCreated": iso(time.time() - days_ago * 86400),
            "message": message,
            "contexts": {"browser": {"name": "Firefox"}},
            "breadcrumbs": [{"category": "ui.click", "message": "Upload"}],
        }
        self.records["events"][id] = event
        return event

    def events_of(self, issue: str) -> list[Object]:
        """Newest first."""
        found = [e for e in self.records["events"].values() if e["groupID"] == issue]
        return sorted(found, key=lambda e: str(e["dateCreated"]), reverse=True)

    def pass_time(self) -> None:
        """Background jobs: deleted issues lose their events, replay jobs finish."""
        now, day = time.time(), self.world.day
        for issue in [i for i in self.records["issues"].values() if i["deleted_at"]]:
            if issue["deleted_at"] + REMOVED_AFTER_DAYS * day <= now:
                del self.records["issues"][issue["id"]]
                for kind, key in (("events", "groupID"), ("feedback", "issue_id")):
                    for record in [r for r in self.records[kind].values() if r[key] == issue["id"]]:
                        del self.records[kind][record["id"]]
        for job in [j for j in self.records["jobs"].values() if j["status"] != "completed"]:
            if job["created"] + JOB_TAKES_DAYS * day <= now:
                doomed = [
                    r
                    for r in self.records["replays"].values()
                    if r["project_id"] == self.records["projects"][job["project"]]["id"] and matches(job["query"], r)
                ]
                for replay in doomed:
                    del self.records["replays"][replay["id"]]
                self.records["jobs"][job["id"]] = {**job, "status": "completed", "countDeleted": len(doomed)}

    # -- webhooks ---------------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "Sentry is no conversation platform"}

    def _crash(self) -> tuple[Response, int]:
        """The application of a person crashes: a new issue, and the integration is told."""
        given = request.get_json(force=True)
        user = {"id": given.get("id"), "email": given.get("email"), "username": None, "ip_address": None}
        with self.records.lock:
            issue = self.new_issue("web", "TypeError: x is undefined")
            self.new_event(issue["id"], user, days_ago=0)
        body = json.dumps(
            {
                "action": "created",
                "installation": {"uuid": "7a485448-a9e2-4c85-8a3c-4f44175783c9"},
                "data": {"issue": {"id": issue["id"], "shortId": issue["shortId"], "title": issue["title"]}},
                "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
            }
        ).encode()
        secret = self.world.env.get("SENTRY_CLIENT_SECRET", "").encode()
        headers = {
            "Content-Type": "application/json",
            "Request-ID": uuid.uuid4().hex,
            "Sentry-Hook-Resource": "issue",
            "Sentry-Hook-Timestamp": str(int(time.time())),
            "Sentry-Hook-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest(),
        }
        delivered = self.deliver("/webhooks/sentry", body, headers)
        return jsonify({"issue": issue["id"], "delivered": delivered}), 200 if 200 <= delivered < 300 else 502

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_rate_headers)
        api.add_url_rule("/_twin/crash", "crash", self._crash, methods=["POST"])
        register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        detail = {
            401: "Invalid token",
            403: "You do not have permission to perform this action.",
            404: "The requested resource does not exist",
            429: "You are attempting to use this endpoint too frequently.",
        }.get(status, "Internal Error")
        return {"detail": detail}, status

    def error_in_200(self) -> Any:
        return {"detail": "Internal Error", "errorId": None}

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        wanted = f"Bearer {self.world.env.get('SENTRY_AUTH_TOKEN', '')}"
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            return None
        body, status = self.error(401)
        return jsonify(body), status


def _rate_headers(response: Response) -> Response:
    if "/_twin/" not in request.path:
        response.headers["X-Sentry-Rate-Limit-Limit"] = str(LIMIT)
        response.headers["X-Sentry-Rate-Limit-Remaining"] = str(LIMIT - 1)
        response.headers["X-Sentry-Rate-Limit-Reset"] = str(int(time.time()) + 1)
        response.headers["X-Sentry-Rate-Limit-ConcurrentLimit"] = "25"
        response.headers["X-Sentry-Rate-Limit-ConcurrentRemaining"] = "24"
    return response
