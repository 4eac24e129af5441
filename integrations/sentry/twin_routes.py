"""The API paths of the twin. Each answers as https://docs.sentry.io/api/ shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

from integrations.sentry.twin_shapes import Object, matches, page, tag_value, terms

if TYPE_CHECKING:
    from integrations.sentry.twin import SentryTwin

ORG = "/api/0/organizations/<org>/"
PROJECT = "/api/0/projects/<org>/<project>/"


def register(twin: SentryTwin, api: Blueprint) -> None:
    """Every path, under the twin's lock."""
    routes = Routes(twin)
    for method, path, act in routes.table():
        api.add_url_rule(path, f"{method} {path}".replace(".", "_"), _locked(twin, act), methods=[method])


def _locked(twin: SentryTwin, act: Callable[..., Any]) -> Callable[..., Any]:
    def view(org: str, project: str = "", **ids: str) -> Any:
        with twin.records.lock:
            twin.pass_time()
            there = not project or project in twin.records["projects"]
            if org != twin.world.env.get("SENTRY_ORG") or not there:
                return twin.error(404)
            return act(project, **ids) if project else act(**ids)

    return view


class Routes:
    """The views; they run under the lock."""

    def __init__(self, twin: SentryTwin) -> None:
        self.twin = twin
        self.records = twin.records

    def table(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("GET", ORG, self.organization),
            ("GET", ORG + "projects/", self.projects),
            ("GET", ORG + "issues/", self.issues),
            ("DELETE", ORG + "issues/", self.delete_issues),
            ("GET", ORG + "issues/<id>/", self.issue),
            ("DELETE", ORG + "issues/<id>/", self.delete_issue),
            ("GET", ORG + "issues/<id>/tags/user/values/", self.user_values),
            ("GET", ORG + "issues/<id>/events/", self.events),
            ("GET", ORG + "replays/", self.replays),
            ("GET", PROJECT + "users/", self.users),
            ("GET", PROJECT + "user-feedback/", self.feedback),
            ("POST", PROJECT + "replays/jobs/delete/", self.new_job),
            ("GET", PROJECT + "replays/jobs/delete/<id>/", self.job),
        ]

    def organization(self) -> Any:
        slug = self.twin.world.env.get("SENTRY_ORG")
        return jsonify({"id": "1", "slug": slug, "name": slug, "status": {"id": "active"}})

    def projects(self) -> Any:
        return page(list(self.records["projects"].values()), self.twin.page_size)

    # -- issues -----------------------------------------------------------------------------------------------------

    def issues(self) -> Any:
        """A query of one's own replaces `is:unresolved`; feedback is shown only to who asks for it."""
        query = request.args.get("query", "is:unresolved")
        wants_feedback = ("issue.category", "feedback") in terms(query)
        hits = []
        for issue in self._live():
            if (issue["issueCategory"] == "feedback") is not wants_feedback:
                continue
            events = self.twin.events_of(issue["id"])
            if any(matches(query, {**e, "message": f"{issue['title']} {e['message']}"}) for e in events):
                hits.append(self._shown(issue))
        return page(hits, self.twin.page_size)

    def issue(self, id: str) -> Any:
        found = self._issue(id)
        return jsonify(self._shown(found)) if found else self.twin.error(404)

    def delete_issue(self, id: str) -> Any:
        found = self._issue(id)
        if found is None:
            return self.twin.error(404)
        if found["issueCategory"] not in ("error", "feedback"):
            return jsonify(["Only error issues can be deleted."]), 400
        self.records["issues"][id] = {**found, "deleted_at": time.time()}
        return "", 202

    def delete_issues(self) -> Any:
        """Without ids: the first thousand of everything, as at Sentry."""
        ids = request.args.getlist("id") or [issue["id"] for issue in self._live()][:1000]
        for id in ids:
            if self._issue(id):
                self.records["issues"][id] = {**self.records["issues"][id], "deleted_at": time.time()}
        return "", 204

    def user_values(self, id: str) -> Any:
        if self._issue(id) is None:
            return self.twin.error(404)
        users: dict[str, Object] = {}
        for event in self.twin.events_of(id):
            value = tag_value(event["user"])
            if value:
                shown = {"key": "user", "value": value, "name": value, "email": event["user"]["email"], "count": 0}
                users.setdefault(value, shown)["count"] += 1
        return page(list(users.values()), self.twin.page_size)

    def events(self, id: str) -> Any:
        if self._issue(id) is None:
            return self.twin.error(404)
        query, full = request.args.get("query", ""), request.args.get("full") == "true"
        found = [e for e in self.twin.events_of(id) if matches(query, e)]
        short = ("id", "eventID", "groupID", "user", "dateCreated", "message")
        return page([e if full else {k: e[k] for k in short} for e in found], self.twin.page_size)

    def _live(self) -> list[Object]:
        return [issue for issue in self.records["issues"].values() if not issue["deleted_at"]]

    def _issue(self, id: str) -> Object | None:
        found: Object | None = self.records["issues"].get(id)
        return found if found and not found["deleted_at"] else None

    def _shown(self, issue: Mapping[str, Any]) -> Object:
        events = self.twin.events_of(issue["id"])
        moments = [e["dateCreated"] for e in events]
        return {
            **{k: v for k, v in issue.items() if k != "deleted_at"},
            "count": str(len(events)),
            "userCount": len({tag_value(e["user"]) for e in events} - {""}),
            "firstSeen": min(moments, default=None),
            "lastSeen": max(moments, default=None),
        }

    # -- people, feedback, replays ----------------------------------------------------------------------------------

    def users(self, project: str) -> Any:
        kind, _, wanted = request.args.get("query", "").partition(":")
        found: dict[str, Object] = {}
        for issue in self._live():
            for event in self.twin.events_of(issue["id"]) if issue["project"]["slug"] == project else ():
                user = event["user"] or {}
                if kind == "email" and user.get("email") == wanted:
                    value = tag_value(user)
                    found[value] = {
                        "id": str(len(found) + 1),
                        "tagValue": value,
                        "identifier": user["id"],
                        "username": user["username"],
                        "email": user["email"],
                        "ipAddress": user["ip_address"],
                    }
        return page(list(found.values()), self.twin.page_size)

    def feedback(self, project: str) -> Any:
        shown = []
        for entry in self.records["feedback"].values():
            issue = self._issue(entry["issue_id"])
            if entry["project"] == project and (issue or not entry["issue_id"]):
                kept = {k: v for k, v in entry.items() if k not in ("project", "issue_id")}
                shown.append({**kept, "issue": {"id": issue["id"]} if issue else None})
        return page(shown, self.twin.page_size)

    def replays(self) -> Any:
        query = request.args.get("query", "")
        found = [r for r in self.records["replays"].values() if matches(query, r)]
        return page(found, self.twin.page_size, key="data")

    def new_job(self, project: str) -> Any:
        asked = request.get_json(force=True)["data"]
        if not all(isinstance(asked.get(k), str) for k in ("rangeStart", "rangeEnd", "query")) or not asked["query"]:
            return jsonify({"data": {"query": ["This field is required."]}}), 400
        id = self.twin.new_id("job", 0)
        job = {"id": id, "project": project, "status": "pending", "countDeleted": 0, "created": time.time(), **asked}
        self.records["jobs"][id] = job
        return jsonify({"data": _job(job)}), 201

    def job(self, project: str, id: str) -> Any:
        found = self.records["jobs"].get(id)
        return jsonify({"data": _job(found)}) if found and found["project"] == project else self.twin.error(404)


def _job(job: Mapping[str, Any]) -> Object:
    return {**{k: v for k, v in job.items() if k not in ("project", "created")}, "id": int(job["id"])}
