"""The twin's Jira: issues, what stands below them, users, redaction, and the organisation's accounts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from integrations.atlassian.twin_shapes import ME, doc, plain

if TYPE_CHECKING:
    from integrations.atlassian.twin import AtlassianTwin

Object = dict[str, Any]
API = "/rest/api/3"
REDACTING = 0.01  # of a day
REDACTED = "\u2588\u2588\u2588"
BELOW = {"comment": "comments", "worklog": "worklogs"}


def new_issue(twin: AtlassianTwin, project: str, reporter: str, summary: str, text: str, created: str) -> Object:
    """Store an issue; its description is one paragraph."""
    id = twin.new_id("issue", 10000)
    issue: Object = {
        "id": id,
        "key": f"{project}-{int(id) - 10000}",
        "fields": {
            "summary": summary,
            "description": doc(text),
            "reporter": {"accountId": reporter},
            "creator": {"accountId": reporter},
            "assignee": None,
            "created": created,
            "labels": [],
            "environment": None,
        },
        "comments": [],
        "worklogs": [],
        "attachments": [],
        "watchers": [reporter],
        "changelog": [],
        "updated_by": [reporter],
    }
    twin.records["issues"][id] = issue
    return issue


def add(twin: AtlassianTwin, issue: Object, kind: str, author: str, **record: Any) -> Object:
    """Put a comment, worklog or attachment below an issue."""
    made = {"id": twin.new_id(kind, 20000), "author": {"accountId": author}, "created": issue["fields"]["created"]}
    made |= record
    issue[kind].append(made)
    issue["updated_by"].append(author)
    twin.records["issues"][issue["id"]] = issue
    return made


def register(twin: AtlassianTwin, api: Blueprint) -> None:
    """Register Jira's paths."""

    def shown(value: Any) -> Any:
        """Users as Jira shows them now."""
        if isinstance(value, list):
            return [shown(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"accountId"}:
            return twin.user(value["accountId"])
        return {key: shown(inner) for key, inner in value.items()}

    def issue_of(key: str) -> Object | None:
        found = twin.records["issues"]
        return found.get(key) or next((i for i in found.values() if i["key"] == key), None)

    def save(issue: Object) -> None:
        issue["updated_by"].append(ME)
        twin.records["issues"][issue["id"]] = issue

    @api.get(f"{API}/myself")
    def myself() -> Response:
        return jsonify(twin.user(ME))

    @api.get(f"{API}/user/search")
    def search_users() -> Response:
        query, at = request.args["query"].lower(), int(request.args.get("startAt", 0))
        found = [
            u
            for u in twin.records["users"].values()
            if any(
                word.startswith(query)
                for word in [*u["displayName"].lower().split(), str(u.get("_hidden") or u.get("emailAddress")).lower()]
            )
        ]
        public = [{k: v for k, v in u.items() if k != "_hidden"} for u in found]
        return jsonify(public[at : at + twin.page_size])

    @api.get(f"{API}/user")
    def get_user() -> Response:
        found = twin.records["users"].get(request.args["accountId"])
        if not found:
            return twin.refuse(404, "Specified user does not exist.")
        shown = {key: value for key, value in found.items() if key != "_roles"}
        if request.args.get("expand") == "applicationRoles":
            roles = [{"key": key, "name": key} for key in found.get("_roles", [])]
            shown["applicationRoles"] = {"size": len(roles), "items": roles}
        return jsonify(shown)

    @api.delete(f"{API}/user")
    def remove_user() -> Response | tuple[str, int]:
        if not twin.records["users"].pop(request.args["accountId"]):
            return twin.refuse(404, "Specified user does not exist.")
        return "", 204

    @api.put("/rest/servicedeskapi/customer/user/<id>/revoke-portal-only-access")
    def revoke(id: str) -> Response | tuple[str, int]:
        user = twin.records["users"].get(id)
        if not user or user["accountType"] != "customer" or user.get("portalAccess") is False:
            return twin.refuse(404)
        twin.records["users"][id] = {**user, "portalAccess": False}
        return "", 204

    def hit(issue: Object, asked: Any) -> Object:
        """What the search shows: ids alone, unless fields are asked for."""
        if not asked:
            return {"id": issue["id"]}
        names = asked.split(",") if isinstance(asked, str) else asked
        fields = {k: v for k, v in issue["fields"].items() if k in names or "*all" in names}
        return {"id": issue["id"], "key": issue["key"], "fields": shown(fields)}

    @api.route(f"{API}/search/jql", methods=["GET", "POST"])
    def search() -> Response:
        asked: Object = request.get_json(force=True) if request.method == "POST" else request.args.to_dict()
        try:
            tests = list(_clauses(twin, str(asked.get("jql") or "")))
        except ValueError as error:
            return twin.refuse(400, str(error))
        everything = [*twin.records["issues"].values(), *twin.ghosts("issue")]
        found = [i for i in everything if any(test(i) for test in tests)]
        at = int(asked.get("nextPageToken") or 0)
        more = at + twin.page_size < len(found)
        page: Object = {
            "issues": [hit(i, asked.get("fields")) for i in found[at : at + twin.page_size]],
            "isLast": not more,
        }
        return jsonify({**page, "nextPageToken": str(at + twin.page_size)} if more else page)

    @api.get(f"{API}/issue/<key>")
    def get_issue(key: str) -> Response:
        issue = issue_of(key)
        if issue is None:
            return twin.refuse(404)
        files = [{k: v for k, v in file.items() if k != "_content"} for file in issue["attachments"]]
        fields = {**issue["fields"], "attachment": files}
        return jsonify({"id": issue["id"], "key": issue["key"], "fields": shown(fields)})

    @api.put(f"{API}/issue/<key>")
    def edit(key: str) -> Response | tuple[str, int]:
        issue = issue_of(key)
        if issue is None:
            return twin.refuse(404)
        for name, value in request.get_json(force=True).get("fields", {}).items():
            if name == "summary" and not value:
                return twin.refuse(400, "You must specify a summary of the issue.")
            old = issue["fields"].get(name)
            item = {"field": name, "fieldId": name, "fromString": plain(old), "toString": plain(value)}
            change = {"id": twin.new_id("change", 30000), "author": {"accountId": ME}, "items": [item]}
            issue["changelog"].append(change)
            issue["fields"][name] = value
        save(issue)
        return "", 204

    @api.delete(f"{API}/issue/<key>")
    def delete(key: str) -> Response | tuple[str, int]:
        issue = issue_of(key)
        if issue is None:
            return twin.refuse(404)
        del twin.records["issues"][issue["id"]]
        twin.ghost("issue", issue["id"], issue)
        return "", 204

    @api.get(f"{API}/issue/<key>/changelog")
    def changelog(key: str) -> Response:
        issue = issue_of(key)
        return twin.refuse(404) if issue is None else _page(twin, "values", shown(issue["changelog"]))

    @api.get(f"{API}/issue/<key>/watchers")
    def watchers(key: str) -> Response:
        issue = issue_of(key)
        if issue is None:
            return twin.refuse(404)
        found = [shown({"accountId": id}) for id in issue["watchers"]]
        keys = ("accountId", "accountType", "displayName", "active", "emailAddress")
        public = [{k: u[k] for k in keys if k in u} for u in found]
        return jsonify({"isWatching": False, "watchCount": len(public), "watchers": public})

    @api.delete(f"{API}/issue/<key>/watchers")
    def unwatch(key: str) -> Response | tuple[str, int]:
        issue = issue_of(key)
        if issue is None or request.args["accountId"] not in issue["watchers"]:
            return twin.refuse(404)
        issue["watchers"].remove(request.args["accountId"])
        save(issue)
        return "", 204

    @api.get(f"{API}/issue/<key>/<any(comment, worklog):kind>")
    def below(key: str, kind: str) -> Response:
        issue = issue_of(key)
        return twin.refuse(404) if issue is None else _page(twin, BELOW[kind], shown(issue[BELOW[kind]]))

    @api.route(f"{API}/issue/<key>/<any(comment, worklog):kind>/<id>", methods=["GET", "PUT", "DELETE"])
    def one_below(key: str, kind: str, id: str) -> Response | tuple[str, int]:
        issue = issue_of(key)
        record = next((r for r in issue[BELOW[kind]] if r["id"] == id), None) if issue else None
        if issue is None or record is None:
            return twin.refuse(404)
        if request.method == "GET":
            return jsonify(shown(record))
        if request.method == "DELETE":
            issue[BELOW[kind]].remove(record)
            save(issue)
            return "", 204
        record |= request.get_json(force=True)
        save(issue)
        return jsonify(shown(record))

    @api.route(f"{API}/attachment/<id>", methods=["GET", "DELETE"])
    def attachment(id: str) -> Response | tuple[str, int]:
        issue, file = _file(twin, id)
        if issue is None or file is None:
            return twin.refuse(404)
        if request.method == "GET":
            return jsonify(shown({**{k: v for k, v in file.items() if k != "_content"}, "id": int(id)}))
        issue["attachments"].remove(file)
        save(issue)
        return "", 204

    @api.get(f"{API}/attachment/content/<id>")
    def content(id: str) -> Response:
        _, file = _file(twin, id)
        return Response(file["_content"], content_type=file["mimeType"]) if file else twin.refuse(404)

    @api.post(f"{API}/redact")
    def redact() -> Response | tuple[Response, int]:
        if twin.world.env.get("ATLASSIAN_GUARD", "").lower() != "true":
            return twin.refuse(403, "AGP subscription is not present.")
        job = str(uuid.uuid4())
        asked = request.get_json(force=True)["redactions"]
        due = time.time() + REDACTING * twin.world.day
        twin.records["redactions"][job] = {"due": due, "asked": asked, "results": None}
        return jsonify(job), 202

    @api.get(f"{API}/redact/status/<job>")
    def redaction(job: str) -> Response:
        found = twin.records["redactions"].get(job)
        if found is None:
            return twin.refuse(404)
        if time.time() < found["due"]:
            return jsonify({"jobStatus": "IN_PROGRESS"})
        if found["results"] is None:
            # From the last spot to the first, so that the earlier ones keep their places.
            asked = sorted(found["asked"], key=lambda one: -int(one["redactionPosition"]["from"]))
            found["results"] = [{"externalId": o["externalId"], "successful": _redact(twin, o)} for o in asked]
            twin.records["redactions"][job] = found
        return jsonify({"jobStatus": "COMPLETED", "bulkRedactionResponse": {"results": found["results"]}})

    @api.get("/admin/v1/orgs/<org>/users")
    def directory(org: str) -> Response:
        at, found = int(request.args.get("cursor", 0)), list(twin.records["managed"].values())
        following = at + twin.page_size
        here = f"{request.base_url}?cursor={following}"
        links = {"next": here} if following < len(found) else {}
        return jsonify({"data": found[at:following], "links": links})

    @api.post("/users/<id>/manage/lifecycle/delete")
    def delete_managed(id: str) -> Response | tuple[str, int]:
        account = twin.records["managed"].get(id)
        if account is None:
            return twin.refuse(404)
        twin.records["managed"][id] = {**account, "account_status": "pending_deletion"}
        return "", 204


def _page(twin: AtlassianTwin, key: str, found: list[Any]) -> Response:
    at = int(request.args.get("startAt", 0))
    page: Object = {"startAt": at, "maxResults": twin.page_size, "total": len(found)}
    if key == "values":
        page["isLast"] = at + twin.page_size >= len(found)
    return jsonify({**page, key: found[at : at + twin.page_size]})


def _file(twin: AtlassianTwin, id: str) -> tuple[Object | None, Object | None]:
    for issue in twin.records["issues"].values():
        for file in issue["attachments"]:
            if file["id"] == id:
                return issue, file
    return None, None


def _clauses(twin: AtlassianTwin, jql: str) -> Iterator[Any]:
    """The tests that a query asks for; the few clauses that are understood, joined by OR."""
    if not jql.strip():
        raise ValueError("Unbounded JQL queries are not allowed here.")
    for clause in jql.split(" OR "):
        if text := re.fullmatch(r'text ~ "\\"(.*)\\""', clause):
            words = re.findall(r"\w+", text[1].lower())
            yield lambda i, words=words: _has_phrase(i, words)
        elif by := re.fullmatch(r'issue in updatedBy\("([^"]+)"(?:, "-\d+d")?\)', clause):
            _known(twin, by[1])
            yield lambda i, id=by[1]: id in i["updated_by"]
        elif user := re.fullmatch(r'(reporter|creator|assignee) = "([^"]+)"', clause):
            _known(twin, user[2])
            yield lambda i, f=user[1], id=user[2]: (i["fields"].get(f) or {}).get("accountId") == id
        elif user := re.fullmatch(r'watcher = "([^"]+)"', clause):
            _known(twin, user[1])
            yield lambda i, id=user[1]: id in i["watchers"]
        elif user := re.fullmatch(r'worklogAuthor = "([^"]+)"', clause):
            _known(twin, user[1])
            yield lambda i, id=user[1]: any(w["author"]["accountId"] == id for w in i["worklogs"])
        else:
            raise ValueError("Error in the JQL Query.")


def _known(twin: AtlassianTwin, id: str) -> None:
    if id not in twin.records["users"]:
        raise ValueError("The value does not exist for the field.")


def _has_phrase(issue: Object, words: list[str]) -> bool:
    """A phrase search looks at words alone: it also finds a longer address that contains this one."""
    texts = json.dumps([issue["fields"], [c["body"] for c in issue["comments"]]]).lower()
    return f" {' '.join(words)} " in f" {' '.join(re.findall(r'[a-z0-9_]+', texts))} "


def _redact(twin: AtlassianTwin, one: Object) -> bool:
    """Guard's redaction of a field, its history included; False if the text is not where it was expected."""
    issue = twin.records["issues"].get(one["contentItem"]["id"])
    where, name = one["redactionPosition"], one["contentItem"]["entityId"]
    if issue is None or name not in issue["fields"]:
        return False
    holder, last = issue["fields"], name
    for step in [s for s in where.get("adfPointer", "").split("/") if s]:
        holder, last = holder[last], int(step) if step.isdigit() else step
    text = holder[last]
    spot = text[where["from"] : where["to"]]
    if base64.b64encode(hashlib.sha256(spot.encode()).hexdigest().encode()).decode() != where["expectedText"]:
        return False
    holder[last] = text[: where["from"]] + REDACTED + text[where["to"] :]
    for change in issue["changelog"]:
        for item in change["items"]:
            for end in ("fromString", "toString"):
                item[end] = item[end].replace(spot, REDACTED) if item[end] else item[end]
    twin.records["issues"][issue["id"]] = issue
    return True
