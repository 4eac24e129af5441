"""A stand-in of Zendesk messaging (Sunshine Conversations): users, conversations, webhooks with a shared secret."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin
from integrations.zendesk import twin_seed as seed

Object = dict[str, Any]

ERASED_AFTER = 0.02  # of a vendor's day: until then a deleted user is still found


class ZendeskMessagingTwin(Twin):
    """Users and conversations with their messages."""

    name: ClassVar[str] = "zendesk-messaging"
    variables: ClassVar[Mapping[str, str]] = {
        "ZENDESK_MESSAGING_API_URL": "{twin}",
        "ZENDESK_MESSAGING_APP_ID": "app-demo",
        "ZENDESK_MESSAGING_KEY_ID": "key-demo",
        "ZENDESK_MESSAGING_KEY_SECRET": "{secret}",
        "ZENDESK_MESSAGING_WEBHOOK_SECRET": "{secret}",
    }

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authorised)
        for rule, methods, view in (
            ("", "GET", lambda: {"app": {"id": request.view_args and request.view_args["app"], "displayName": "Twin"}}),
            ("/users", "GET", self._users),
            ("/users/<id>", "GET", lambda id: {"user": self._user(id)}),
            ("/users/<id>", "PATCH", self._change_user),
            ("/users/<id>", "DELETE", self._delete_user),
            ("/conversations", "GET", self._conversations),
            ("/conversations/<id>/messages", "GET", self._messages),
            ("/conversations/<id>/messages", "POST", self._send),
        ):
            path = f"/v2/apps/<app>{rule}"
            api.add_url_rule(path, f"{methods} {rule}", self._view(view), methods=[methods])

    def error(self, status: int) -> tuple[Any, int]:
        if status == 404:  # as a gateway answers, not as the API does for a user it does not know
            return {"message": "no Route matched"}, 404
        code = {401: "unauthorized", 429: "too_many_requests"}.get(status, "error")
        return {"errors": [{"code": code, "title": ""}]}, status

    def error_in_200(self) -> Any:
        return {"errors": [{"code": "internal_error", "title": ""}]}

    def seed(self, people: Iterable[Person]) -> None:
        for kind in ("users", "conversations"):
            _ = self.records[kind]
        for person in people:
            user, conversations = seed.messaging_records(person)
            self.records["users"][user["id"]] = user
            for conversation in conversations:
                self.records["conversations"][conversation["id"]] = conversation

    def state(self) -> dict[str, Any]:
        """As stored; users also with `email`, messages also with `text`, where every twin has them."""
        self._finish_deletions()
        users = [{**u, "email": u["profile"].get("email")} for u in self.records["users"].values()]
        conversations = [
            {**c, "messages": [{**m, "text": m["content"].get("text", "")} for m in c["messages"]]}
            for c in self.records["conversations"].values()
        ]
        return {"users": users, "conversations": conversations}

    # -- what a customer does ---------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A visitor writes; with `verified` one that the company's site has signed in."""
        with self.records.lock:
            user = self._author(str(said.get("email") or ""), str(said.get("name") or ""), said.get("verified") is True)
            id = str(said.get("conversation") or "")
            conversation = self.records["conversations"].get(id)
            if conversation is None:
                id = uuid.uuid4().hex[:24]
                conversation = {"id": id, "type": "personal", "participants": [], "messages": []}
            if user["id"] not in conversation["participants"]:
                conversation["participants"].append(user["id"])
            name = " ".join(filter(None, (user["profile"].get("givenName"), user["profile"].get("surname"))))
            words = str(said.get("text") or "")
            message = seed.message(uuid.uuid4().hex[:24], user["id"], words, seed.now(), name)
            conversation["messages"].append(message)
            self.records["conversations"][id] = conversation
        answer: dict[str, Any] = {"conversation": id, "message": message["id"]}
        if said.get("deliver"):
            answer["delivered"] = self.send_event(conversation, message, user)
            answer["status"] = answer["delivered"] or 502
        return answer

    def send_event(self, conversation: Object, message: Object, user: Object) -> int:
        """Deliver one message event. Returns the app's status."""
        app = self.world.env.get("ZENDESK_MESSAGING_APP_ID", "")
        body = json.dumps(event(app, conversation, message, user)).encode()
        headers = {
            "Content-Type": "application/json",
            "X-API-Key": self.world.env.get("ZENDESK_MESSAGING_WEBHOOK_SECRET", ""),
        }
        return self.deliver("/webhooks/zendesk-messaging", body, headers)

    def _author(self, email: str, name: str, verified: bool) -> Object:
        """A signed-in person is known again; a visitor who types the same address is another user."""
        known = next((p for p in self.world.people if p.email == email.lower()), None) if verified else None
        for user in self.records["users"].values():
            same = any(i["value"].lower() == email.lower() for i in user["identities"])
            if email and same and user["authenticated"] is verified:
                return dict(user)
        given, _, surname = (name or (known.name if known else "")).partition(" ")
        identity = {"type": "email", "value": email, "verification": "sso" if verified else "embed", "primary": True}
        user = {
            "id": uuid.uuid4().hex[:24],
            "externalId": known.account_id if known else None,
            "zendeskId": None,
            "authenticated": verified,
            "signedUpAt": seed.now(),
            "profile": {"givenName": given, "surname": surname, "email": email or None},
            "identities": [identity] if "@" in email else [],
            "metadata": {},
        }
        self.records["users"][user["id"]] = user
        return user

    # -- what the vendor's API offers -------------------------------------------------------------------------------

    def _authorised(self) -> Any:
        if "/_twin/" in request.path:
            return None
        env, given = self.world.env, request.authorization
        wanted = env.get("ZENDESK_MESSAGING_KEY_ID", ""), env.get("ZENDESK_MESSAGING_KEY_SECRET", "")
        app = (request.view_args or {}).get("app")
        if given is None or (given.username, given.password) != wanted or app != env.get("ZENDESK_MESSAGING_APP_ID"):
            return _answer(self.error(401))
        return None

    def _view(self, view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def locked(app: str, **ids: str) -> Response:
            with self.records.lock:
                self._finish_deletions()
                try:
                    return _answer(view(**ids))
                except _Missing as missing:
                    return _answer(({"errors": [{"code": f"{missing}_not_found", "title": "Not found"}]}, 404))

        return locked

    def _finish_deletions(self) -> None:
        for user in list(self.records["users"].values()):
            if time.time() - user.get("_deleted", time.time()) > ERASED_AFTER * self.world.day:
                del self.records["users"][user["id"]]

    def _user(self, id: str) -> Object:
        for user in self.records["users"].values():
            if id in (user["id"], user["externalId"]):
                return _shown(user)
        raise _Missing("user")

    def _users(self) -> Object:
        wanted = request.args.get("filter[identities.email]", "").lower()
        rows = [
            _shown(user)
            for user in self.records["users"].values()
            if any(i["type"] == "email" and i["value"].lower() == wanted for i in user["identities"])
        ]
        return self._page("users", rows)

    def _change_user(self, id: str) -> Object:
        user, change = self.records["users"][self._user(id)["id"]], request.get_json()
        for key in ("profile", "metadata"):
            user = user | {key: user[key] | change.get(key, {})}
        self.records["users"][user["id"]] = user
        return {"user": _shown(user)}

    def _delete_user(self, id: str) -> Object:
        """At once the conversations, a little later the user (then the vendor would send `user:remove`)."""
        user = self.records["users"][self._user(id)["id"]]
        for conversation in list(self.records["conversations"].values()):
            if user["id"] in conversation["participants"]:
                del self.records["conversations"][conversation["id"]]
        self.records["users"][user["id"]] = user | {"_deleted": user.get("_deleted", time.time())}
        return {}

    def _conversations(self) -> Object:
        wanted = request.args.get("filter[userId]", "")
        rows = [c for c in self.records["conversations"].values() if wanted in c["participants"]]
        return self._page("conversations", [{k: v for k, v in c.items() if k != "messages"} for c in rows])

    def _conversation(self, id: str) -> Object:
        if id not in self.records["conversations"]:
            raise _Missing("conversation")
        return dict(self.records["conversations"][id])

    def _messages(self, id: str) -> Object:
        """The newest page first; `links.prev` leads back."""
        found = self._conversation(id)["messages"]
        end = int(request.args.get("page[before]", len(found)))
        start = max(0, end - self.page_size)
        back = f"{request.base_url}?page[before]={start}" if start else None
        return {"messages": found[start:end], "meta": {"hasMore": bool(start)}, "links": {"prev": back, "next": None}}

    def _send(self, id: str) -> Any:
        conversation, said = self._conversation(id), request.get_json()
        message = {"id": uuid.uuid4().hex[:24], "received": seed.now(), "source": {"type": "api:conversations"}, **said}
        conversation["messages"] = [*conversation["messages"], message]
        self.records["conversations"][id] = conversation
        return {"messages": [message]}, 201

    def _page(self, key: str, rows: list[Object]) -> Object:
        start = int(request.args.get("page[after]", 0))
        more = len(rows) > start + self.page_size
        query = "&".join(f"{k}={quote(v)}" for k, v in request.args.items() if k != "page[after]")
        following = f"{request.base_url}?{query}&page[after]={start + self.page_size}" if more else None
        page = rows[start : start + self.page_size]
        return {key: page, "meta": {"hasMore": more}, "links": {"prev": None, "next": following}}


def event(app: str, conversation: Object, message: Object, user: Object) -> Object:
    """A webhook of version 2 with `includeFullUser` and `includeFullSource`."""
    happened = {
        "id": uuid.uuid4().hex[:24],
        "createdAt": seed.now(),
        "type": "conversation:message",
        "payload": {
            "conversation": {"id": conversation["id"], "type": conversation["type"]},
            "message": {**message, "author": {**message["author"], "user": _shown(user)}},
        },
    }
    return {"app": {"id": app}, "webhook": {"id": "5f3a9c11e1000000000000aa", "version": "v2"}, "events": [happened]}


class _Missing(Exception):
    """There is no such record."""


def _shown(user: Object) -> Object:
    return {key: value for key, value in user.items() if not key.startswith("_")}


def _answer(made: Any) -> Response:
    body, status = made if isinstance(made, tuple) else (made, 200)
    answer = jsonify(body)
    answer.status_code = status
    return answer
