"""A stand-in of Zendesk Support: users, tickets, two-step deletion, jobs, signed ticket events."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin, World
from integrations.zendesk import twin_seed as seed
from integrations.zendesk.channel import signature

Object = dict[str, Any]

OPEN = ("new", "open", "pending", "hold")
CALLS_PER_MINUTE = 2500  # Enterprise Plus


class ZendeskTwin(Twin):
    """Users, tickets with their comments, deleted ones, jobs, suspended mail."""

    name: ClassVar[str] = "zendesk"
    variables: ClassVar[Mapping[str, str]] = {
        "ZENDESK_API_URL": "{twin}",
        "ZENDESK_SUBDOMAIN": "intellimails",
        "ZENDESK_EMAIL": "desk@intellimails.com",
        "ZENDESK_API_TOKEN": "{secret}",
        "ZENDESK_WEBHOOK_SECRET": "{secret}",
        "ZENDESK_CALLS_PER_MINUTE": "10000",
    }

    def __init__(self, world: World) -> None:
        self._recent: deque[float] = deque()
        # The vendor's minute shrinks with its day, though not to nothing.
        self._minute = max(1.0, world.day * 60 / 86_400)
        super().__init__(world)

    def reset(self) -> None:
        self._recent.clear()
        super().reset()

    # -- what the vendor's API offers -------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authorised)
        api.after_request(self._limits)
        for rule, methods, view in (
            ("users/me", "GET", lambda: {"user": _shown(self.records["users"][str(seed.AGENT_ID)])}),
            ("users/search", "GET", self._search),
            ("users/<id>", "GET", self._user),
            ("users/<id>", "PUT", self._change_user),
            ("users/<id>", "DELETE", self._delete_user),
            ("users/<id>/identities", "GET", lambda id: self._page("identities", self._alive(id)["identities"])),
            ("users/<id>/identities", "POST", self._add_identity),
            ("users/<id>/identities/<identity>", "GET", self._identity),
            ("users/<id>/identities/<identity>", "DELETE", self._drop_identity),
            ("users/<id>/identities/<identity>/make_primary", "PUT", self._make_primary),
            ("users/<id>/tickets/requested", "GET", self._requested),
            ("users/<id>/tickets/ccd", "GET", self._ccd),
            ("users/<id>/compliance_deletion_statuses", "GET", self._compliance),
            ("deleted_users", "GET", lambda: self._page("deleted_users", map(_shown, self._all("deleted_users")))),
            ("deleted_users/<id>", "GET", lambda id: {"deleted_user": _shown(self._one("deleted_users", id))}),
            ("deleted_users/<id>", "DELETE", self._delete_user_for_good),
            ("tickets/<id>", "GET", lambda id: {"ticket": _shown(self._one("tickets", id))}),
            ("tickets/<id>", "PUT", self._change_ticket),
            ("tickets/<id>", "DELETE", self._delete_ticket),
            ("tickets/<id>/comments", "GET", lambda id: self._page("comments", self._one("tickets", id)["comments"])),
            ("tickets/<id>/audits", "GET", self._audits),
            ("deleted_tickets", "GET", self._deleted_tickets),
            ("deleted_tickets/<id>", "DELETE", self._delete_ticket_for_good),
            ("job_statuses/<id>", "GET", self._job),
            ("suspended_tickets", "GET", lambda: self._page("suspended_tickets", self._all("suspended_tickets"))),
            ("suspended_tickets/<id>", "DELETE", self._delete_suspended),
            ("comment_redactions/<id>", "PUT", self._redact),
        ):  # fmt: skip
            act = self._view(view)
            for path in (rule, f"{rule}.json"):  # Zendesk answers both; client packages write the second
                api.add_url_rule(f"/api/v2/{path}", f"{methods} {rule}", act, methods=[methods])

    def error(self, status: int) -> tuple[Any, int]:
        if status == 404:
            return {"error": "InvalidEndpoint", "description": "Not found"}, 404
        if status in (401, 403):
            return {"error": "Couldn't authenticate you" if status == 401 else "Forbidden"}, status
        return {"error": "TooManyRequests" if status == 429 else "InternalError", "description": ""}, status

    def seed(self, people: Iterable[Person]) -> None:
        agent = seed.user(seed.AGENT_ID, "Privacy Desk", self.world.env.get("ZENDESK_EMAIL", ""), role="admin")
        self.records["users"][str(seed.AGENT_ID)] = agent
        for kind in ("tickets", "deleted_users", "deleted_tickets", "suspended_tickets", "job_statuses"):
            _ = self.records[kind]
        for n, person in enumerate(people):
            for kind, found in seed.support_records(person, n).items():
                for record in found:
                    self.records[kind][str(record["id"])] = record

    # -- what a customer does ---------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A mail or a form becomes a ticket, or a comment on one."""
        with self.records.lock:
            author = self._author(str(said.get("email") or ""), str(said.get("name") or ""), bool(said.get("verified")))
            ticket, words = self.records["tickets"].get(str(said.get("conversation"))), str(said.get("text") or "")
            comment = seed.comment(int(self.new_id("comment", 5_000_000)), author["id"], words, seed.now())
            kind = "comment_added" if ticket else "created"
            if ticket is None:
                id, subject = int(self.new_id("ticket", 70_000)), str(said.get("subject") or words[:60])
                ticket = seed.ticket(id, author["id"], subject, "new", [])
                ticket |= {"description": words, "created_at": seed.now()}
            elif author["id"] != ticket["requester_id"]:
                ticket["collaborator_ids"] = sorted({*ticket["collaborator_ids"], author["id"]})
            ticket["comments"].append(comment)
            self.records["tickets"][str(ticket["id"])] = ticket
        answer: dict[str, Any] = {"conversation": ticket["id"], "message": comment["id"]}
        if said.get("deliver"):
            answer["delivered"] = self.send_event(kind, ticket, comment, author)
            answer["status"] = answer["delivered"] or 502
        return answer

    def send_event(self, kind: str, ticket: Object, comment: Object, author: Object) -> int:
        """Deliver one ticket event, signed. Returns the app's status."""
        body = json.dumps(seed.event(kind, ticket, comment, author)).encode()
        secret, signed_at = self.world.env.get("ZENDESK_WEBHOOK_SECRET", "").encode(), seed.now()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Zendesk-Account-Id": str(seed.ACCOUNT),
            "X-Zendesk-Webhook-Id": "01HZENDESKTWIN0000000000",
            "X-Zendesk-Webhook-Invocation-Id": uuid.uuid4().hex,
            "X-Zendesk-Webhook-Signature": signature(secret, signed_at, body).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": signed_at,
        }
        return self.deliver("/webhooks/zendesk", body, headers)

    def _author(self, email: str, name: str, verified: bool) -> Object:
        for user in self.records["users"].values():
            if email and any(i["value"].lower() == email.lower() for i in user["identities"] if i["type"] == "email"):
                return dict(user)
        id = int(self.new_id("user", 99_000_000))
        user = seed.user(id, name or email or "Visitor", email or None, verified=verified)
        self.records["users"][str(user["id"])] = user
        return user

    # -- machinery --------------------------------------------------------------------------------------------------

    def _authorised(self) -> Any:
        if "/_twin/" in request.path:
            return None
        env, given = self.world.env, request.authorization
        wanted = f"{env.get('ZENDESK_EMAIL', '')}/token", env.get("ZENDESK_API_TOKEN", "")
        if given is None or (given.username, given.password) != wanted:
            return _answer(self.error(401))
        with self.records.lock:
            now = time.monotonic()
            while self._recent and self._recent[0] < now - self._minute:
                self._recent.popleft()
            self._recent.append(now)
            if len(self._recent) > CALLS_PER_MINUTE:
                answer = _answer(self.error(429))
                answer.headers["Retry-After"] = str(int(self._recent[0] + self._minute - now) + 1)
                return answer
        return None

    def _limits(self, answer: Response) -> Response:
        left = str(max(0, CALLS_PER_MINUTE - len(self._recent)))
        answer.headers |= {"X-Rate-Limit": str(CALLS_PER_MINUTE), "X-Rate-Limit-Remaining": left}
        answer.headers |= {"ratelimit-limit": str(CALLS_PER_MINUTE), "ratelimit-remaining": left}
        return answer

    def _view(self, view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def locked(**ids: str) -> Response:
            with self.records.lock:
                try:
                    return _answer(view(**ids))
                except _Missing:
                    return _answer(({"error": "RecordNotFound", "description": "Not found"}, 404))

        return locked

    def _page(self, key: str, rows: Iterable[Object]) -> Object:
        """One cursor page; the cursor is the last id, so that what is deleted meanwhile shifts nothing."""
        after, size = int(request.args.get("page[after]", 0)), int(request.args.get("page[size]", 100))
        left = sorted((row for row in rows if int(row["id"]) > after), key=lambda row: int(row["id"]))
        page = left[: min(size, self.page_size)]
        more = len(left) > len(page)
        cursor = str(page[-1]["id"]) if page else ""
        following = f"{request.base_url}?page[size]={size}&page[after]={cursor}" if more else None
        links = {"prev": None, "next": following}
        return {key: page, "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None}, "links": links}

    def _all(self, kind: str) -> list[Object]:
        return list(self.records[kind].values())

    def _one(self, kind: str, id: str) -> Object:
        if id not in self.records[kind]:
            raise _Missing
        return dict(self.records[kind][id])

    def _alive(self, id: str) -> Object:
        return self._one("users", id)

    # -- users ------------------------------------------------------------------------------------------------------

    def _search(self) -> Object:
        """Offset pages; `email:` matches loosely (parts and secondary identities), as a search engine does."""
        query, external = request.args.get("query", ""), request.args.get("external_id")
        wanted = query.removeprefix("email:").lower()
        found = [
            _shown(user)
            for user in self._all("users")
            if (external and user["external_id"] == external)
            or (query and any(wanted in i["value"].lower() for i in user["identities"]))
        ]
        n = int(request.args.get("page", 1))
        page = found[(n - 1) * self.page_size : n * self.page_size]
        following = f"{request.base_url}?query={quote(query)}&page={n + 1}" if len(found) > n * self.page_size else None
        return {"users": page, "count": len(found), "next_page": following, "previous_page": None}

    def _user(self, id: str) -> Object:
        for kind in ("users", "deleted_users", "permanently_deleted_users"):
            if id in self.records[kind]:
                return {"user": _shown(self.records[kind][id])}
        raise _Missing

    def _change_user(self, id: str) -> Object:
        user, change = self._alive(id), request.get_json()["user"]
        if email := change.pop("email", None):  # becomes a secondary identity
            self._put_identity(user, email)
        self.records["users"][id] = user | change | {"updated_at": seed.now()}
        return {"user": _shown(self.records["users"][id])}

    def _delete_user(self, id: str) -> Any:
        user = self._alive(id)
        waiting = [t for t in self._all("tickets") if t["requester_id"] == user["id"] and t["status"] in OPEN]
        if waiting:
            why = f"User is requester on {len(waiting)} unclosed tickets"
            details = {"base": [{"description": why}]}
            body = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
            return body, 422
        del self.records["users"][id]
        self.records["deleted_users"][id] = user | {"active": False}
        return {"user": _shown(self.records["deleted_users"][id])}

    def _delete_user_for_good(self, id: str) -> Object:
        self._one("deleted_users", id)
        del self.records["deleted_users"][id]
        tombstone = seed.user(int(id), "Permanently Deleted User", None, active=False, requested=time.time())
        self.records["permanently_deleted_users"][id] = tombstone
        return {"deleted_user": _shown(tombstone)}

    def _compliance(self, id: str) -> Object:
        user, statuses = self._one("permanently_deleted_users", id), []
        age = (time.time() - user["requested"]) / max(self.world.day, 1e-9)
        for application, started, complete in (("all", 0.0, None), ("support", 0.0, 0.2), ("chat", 0.1, 1.0)):
            first = "request_deletion" if application == "all" else "started"
            for action, at in ((first, started), ("complete", complete)):
                if at is not None and age >= at:
                    statuses.append({"application": application, "action": action, "user_id": int(id),
                                     "account_subdomain": "twin", "executer_id": seed.AGENT_ID})  # fmt: skip
        return {"compliance_deletion_statuses": statuses}

    def _put_identity(self, user: Object, email: str) -> Object:
        made = seed.identity(int(self.new_id("identity", 60_000)), user["id"], "email", email)
        user["identities"] = [*user["identities"], made]
        return made

    def _add_identity(self, id: str) -> Any:
        user, asked = self._alive(id), request.get_json()["identity"]["value"]
        if any(i["value"].lower() == asked.lower() for u in self._all("users") for i in u["identities"]):
            return {"error": "RecordInvalid", "description": "Record validation errors"}, 422
        made = self._put_identity(user, asked)
        self.records["users"][id] = user
        return {"identity": made}, 201

    def _identity(self, id: str, identity: str) -> Object:
        found = [i for i in self._alive(id)["identities"] if str(i["id"]) == identity]
        if not found:
            raise _Missing
        return {"identity": found[0]}

    def _drop_identity(self, id: str, identity: str) -> Any:
        self._identity(id, identity)
        user = self._alive(id)
        user["identities"] = [i for i in user["identities"] if str(i["id"]) != identity]
        self.records["users"][id] = user
        return None, 204

    def _make_primary(self, id: str, identity: str) -> Object:
        wanted = self._identity(id, identity)["identity"]
        user = self._alive(id)
        for one in user["identities"]:
            if one["type"] == "email":
                one["primary"] = one["id"] == wanted["id"]
        user["email"] = wanted["value"]
        self.records["users"][id] = user
        return {"identities": user["identities"]}

    # -- tickets ----------------------------------------------------------------------------------------------------

    def _requested(self, id: str) -> Object:
        self._user(id)
        return self._page("tickets", [_shown(t) for t in self._all("tickets") if t["requester_id"] == int(id)])

    def _ccd(self, id: str) -> Object:
        self._user(id)
        return self._page("tickets", [_shown(t) for t in self._all("tickets") if int(id) in t["collaborator_ids"]])

    def _change_ticket(self, id: str) -> Any:
        ticket, change = self._one("tickets", id), request.get_json()["ticket"]
        if ticket["status"] == "closed":
            return {"error": "RecordInvalid", "description": "Record validation errors"}, 422
        said = change.pop("comment", None)
        if said:
            new, author = int(self.new_id("comment", 5_000_000)), said.get("author_id", seed.AGENT_ID)
            words, public = said.get("body") or said["html_body"], said.get("public", True)
            ticket["comments"] = [*ticket["comments"], seed.comment(new, author, words, seed.now(), public=public)]
        self.records["tickets"][id] = ticket | change | {"updated_at": seed.now()}
        return {"ticket": _shown(self.records["tickets"][id]), "audit": {"id": 1, "ticket_id": int(id)}}

    def _delete_ticket(self, id: str) -> Any:
        self.records["deleted_tickets"][id] = self._one("tickets", id)
        del self.records["tickets"][id]
        return None, 204

    def _deleted_tickets(self) -> Object:
        rows = [
            {"id": t["id"], "subject": t["subject"], "previous_state": t["status"], "deleted_at": seed.now()}
            for t in self._all("deleted_tickets")
        ]
        return self._page("deleted_tickets", rows)

    def _delete_ticket_for_good(self, id: str) -> Object:
        self._one("deleted_tickets", id)
        job = uuid.uuid4().hex
        self.records["job_statuses"][job] = {"id": job, "ticket": id, "at": time.time()}
        return self._job(job)

    def _job(self, id: str) -> Object:
        job = self._one("job_statuses", id)
        age = (time.time() - job["at"]) / max(self.world.day, 1e-9)
        state = "queued" if age < 0.005 else "working" if age < 0.01 else "completed"
        if state == "completed":
            self.records["deleted_tickets"].pop(job["ticket"])
        url = f"{request.url_root}zendesk/api/v2/job_statuses/{id}.json"
        return {"job_status": {"id": id, "url": url, "status": state, "total": 1}}

    def _audits(self, id: str) -> Object:
        rows = [
            {"id": c["id"] + 1, "ticket_id": int(id), "author_id": c["author_id"], "created_at": c["created_at"],
             "metadata": c["metadata"], "events": [{"id": c["id"], "type": "Comment"}]}
            for c in self._one("tickets", id)["comments"]
        ]  # fmt: skip
        return self._page("audits", rows)

    def _redact(self, id: str) -> Object:
        asked = request.get_json()
        ticket = self._one("tickets", str(asked["ticket_id"]))
        for comment in ticket["comments"]:
            if str(comment["id"]) == id:
                black = "\u2587" * 5
                comment |= {"body": black, "plain_body": black, "html_body": black}
                self.records["tickets"][str(ticket["id"])] = ticket
                return {"comment": comment}
        raise _Missing

    def _delete_suspended(self, id: str) -> Any:
        self._one("suspended_tickets", id)
        del self.records["suspended_tickets"][id]
        return None, 204

    def state(self) -> dict[str, Any]:
        """Jobs that are over have had their effect, also if nobody asked after them."""
        for job in self._all("job_statuses"):
            if time.time() - job["at"] > 0.01 * self.world.day:
                self.records["deleted_tickets"].pop(job["ticket"])
        return super().state()


class _Missing(Exception):
    """There is no such record."""


def _shown(record: Object) -> Object:
    """As the API shows it: comments and identities are lists of their own."""
    return {key: value for key, value in record.items() if key not in ("comments", "identities", "requested")}


def _answer(made: Any) -> Response:
    body, status = made if isinstance(made, tuple) else (made, 200)
    answer = Response(status=status) if body is None else jsonify(body)
    answer.status_code = status
    return answer
