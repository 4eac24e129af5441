"""A local stand-in of Smartsupp: contacts, conversations, messages, visitors, signed events.

Like Smartsupp it finds one contact an address, pages with `after`, shows messages newest first, echoes a bot's message
as an event, names the contact of a message by its id alone, and deletes nothing by REST: `_twin/delete` is what a
person does in the dashboard.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin

Object = dict[str, Any]
Answer = tuple[Any, int]

DAY = 86400
RICHLY = "maria.pop@example.com"
TALKS = (
    ("Hello, how many addresses may a list have?", "Up to 500,000 on your plan."),
    ("My upload is at 40 % for an hour.", "We restarted it; it should be through in a minute."),
    ("Can I pay by bank transfer?", "Yes, choose it under Billing."),
    ("Where do I find my invoices?", "Under Billing > History."),
)
CHANGEABLE = frozenset({"name", "email", "phone", "note", "gdpr_approved"})


class SmartsuppTwin(Twin):
    """One account."""

    name: ClassVar[str] = "smartsupp"
    variables: ClassVar[Mapping[str, str]] = {
        "SMARTSUPP_API_URL": "{twin}",
        "SMARTSUPP_API_TOKEN": "{secret}",
        "SMARTSUPP_APP_ID": "privacy-desk",
        "SMARTSUPP_APP_SECRET": "{secret}",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        now = time.time()
        self.records["agents"]["agAndrei"] = {"id": "agAndrei", "name": "Andrei", "email": "andrei@example.org"}
        for person in people:
            rich = person.email == RICHLY
            contact = self._contact(person.email, person.name)
            if rich:
                contact |= {"phone": "+40721000111", "note": "prefers Romanian", "gdpr_approved": True}
                self.records["contacts"][contact["id"]] = contact
            for n, (question, answer) in enumerate(TALKS if rich else TALKS[:1]):
                talk = self._conversation("", contact, at=now - (90 - n) * DAY)
                for m, (sub_type, text) in enumerate((("contact", question), ("agent", answer), ("contact", "Thanks"))):
                    talk["messages"].append(self._message(talk, sub_type, text, now - (90 - n) * DAY + 60 * m))
                if n == 0:
                    talk["messages"].append(self._message(talk, "contact", "Bye!", now - 90 * DAY + 300))
                talk["status"] = "closed"
                self.records["conversations"][talk["id"]] = talk

    def state(self) -> dict[str, Any]:
        def shown(talk: Object) -> Object:
            return {**talk, "messages": [{**m, "text": m["content"]["text"]} for m in talk["messages"]]}

        return {
            "contacts": list(self.records["contacts"].values()),
            "conversations": [shown(c) for c in self.records["conversations"].values()],
            "visitors": list(self.records["visitors"].values()),
            "agents": list(self.records["agents"].values()),
        }

    def _contact(self, email: str, name: str) -> Object:
        for contact in self.records["contacts"].values():
            if email and (contact["email"] or "").lower() == email.lower():
                return contact  # type: ignore[no-any-return]
        id = self._id("ct")
        made: Object = {
            "id": id,
            "created_at": _iso(time.time()),
            "updated_at": _iso(time.time()),
            "email": email or None,
            "name": name or None,
            "phone": None,
            "note": None,
            "properties": {},
            "banned_at": None,
            "banned_by": None,
            "gdpr_approved": False,
            "tags": {"type": "list", "data": [], "total": 0},
        }
        self.records["contacts"][id] = made
        return made

    def _conversation(self, id: str, contact: Object, at: float = 0) -> Object:
        visitor: Object = {
            "id": self._id("vi"),
            "browser": "Firefox",
            "city": "Cluj-Napoca",
            "visits": 3,
            "referrer": None,
        }
        self.records["visitors"][visitor["id"]] = visitor
        talk: Object = {
            "id": id or self._id("co"),
            "ext_id": None,
            "status": "open",
            "created_at": _iso(at or time.time()),
            "updated_at": _iso(at or time.time()),
            "channel": {"type": "default", "id": None},
            "contact_id": contact["id"],
            "visitor_id": visitor["id"],
            "assigned_ids": [],
            "variables": {},
            "domain": "intellimails.com",
            "location": {"ip": "192.0.2.7", "code": "RO", "city": "Cluj-Napoca"},
            "messages": [],
        }
        self.records["conversations"][talk["id"]] = talk
        return talk

    def _message(self, talk: Object, sub_type: str, text: str, at: float = 0, **more: Any) -> Object:
        return {
            "id": self._id("ms"),
            "created_at": _iso(at or time.time()),
            "type": "message",
            "sub_type": sub_type,
            "conversation_id": talk["id"],
            "agent_id": "agAndrei" if sub_type == "agent" else None,
            "content": {"type": "text", "text": text},
            "attachments": [],
            **more,
        }

    def _id(self, kind: str) -> str:
        return kind + hashlib.sha256(f"{kind}{self.new_id(kind)}".encode()).hexdigest()[:10]

    # -- a customer writes ------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        email, wanted = str(said.get("email") or "").strip(), str(said.get("conversation") or "")
        with self.records.lock:
            talk = self.records["conversations"].get(wanted)
            writer = self.records["contacts"].get(talk["contact_id"]) if talk else None
            if writer is None or (email and (writer["email"] or "").lower() != email.lower()):
                writer = self._contact(email, str(said.get("name") or ""))
            if talk is None:
                talk = self._conversation(wanted, writer)
            talk["contact_id"] = writer["id"]  # a conversation has one contact: whoever identified last
            message = self._message(talk, "contact", str(said.get("text") or ""))
            talk["messages"].append(message)
            self.records["conversations"][talk["id"]] = talk
            event = self._event("conversation.contact_replied", talk, message)
        answer: dict[str, Any] = {"conversation": talk["id"], "contact": writer["id"]}
        if said.get("deliver"):
            answer["delivered"] = self.send(event)
            answer["status"] = 200 if 200 <= answer["delivered"] < 300 else 502
        return answer

    def send(self, event: Mapping[str, Any]) -> int:
        """One event, signed; returns the app's HTTP status."""
        body = json.dumps(event).encode()
        secret = self.world.env.get("SMARTSUPP_APP_SECRET", "").encode()
        signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Smartsupp-Hmac": signature}
        return self.deliver("/webhooks/smartsupp", body, headers)

    def _event(self, kind: str, talk: Object, message: Object) -> Object:
        conversation = {k: v for k, v in talk.items() if k != "messages"}
        return {
            "type": "event_callback",
            "event": kind,
            "timestamp": _iso(time.time()),
            "account_id": "123456",
            "app_id": self.world.env.get("SMARTSUPP_APP_ID", ""),
            "data": {"conversation": conversation, "message": message},
        }

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/_twin/delete", "delete", self._delete, methods=["POST"])
        table: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", "/agents", lambda: ({"agents": list(self.records["agents"].values())}, 200)),
            ("GET", "/contacts/find", self._find),
            ("GET", "/contacts/<id>", lambda id: self._one("contacts", id)),
            ("PATCH", "/contacts/<id>", self._patch),
            ("GET", "/visitors/<id>", lambda id: self._one("visitors", id)),
            ("POST", "/conversations/search", self._search),
            ("GET", "/conversations/<id>", self._read),
            ("GET", "/conversations/<id>/messages", self._messages),
            ("POST", "/conversations/<id>/messages", self._write),
        ]
        for method, path, act in table:
            api.add_url_rule(path, f"{method} {path}", self._view(act), methods=[method])

    def error(self, status: int) -> tuple[Any, int]:
        code, message = {
            401: ("unauthorized", "Invalid access token"),
            403: ("forbidden", "Access denied"),
            404: ("not_found", "Not found"),
            409: ("conflict", "Conflict"),
            422: ("invalid_parameters", "Not provided any valid data"),
            429: ("too_many_requests", "Too many requests"),
        }.get(status, ("internal_error", "Internal error"))
        return {"code": code, "message": message}, status

    def error_in_200(self) -> Any:
        return {"code": "internal_error", "message": "Internal error"}

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        wanted = f"Bearer {self.world.env.get('SMARTSUPP_API_TOKEN', '')}"
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            return None
        body, status = self.error(401)
        return jsonify(body), status

    def _view(self, act: Callable[..., Answer]) -> Callable[..., Any]:
        def view(**ids: str) -> Any:
            with self.records.lock:
                body, status = act(**ids)
                answer = jsonify(body)
            if request.method == "POST" and isinstance(body, dict) and body.get("sub_type") == "bot":
                talk = self.records["conversations"][body["conversation_id"]]
                self.send(self._event("conversation.bot_replied", talk, body))  # outside the lock: the app may call
            return answer, status

        return view

    def _one(self, kind: str, id: str) -> Answer:
        found = self.records[kind].get(id)
        return (found, 200) if found else self.error(404)

    def _find(self) -> Answer:
        email = request.args.get("email", "").lower()
        found = [c for c in self.records["contacts"].values() if email and (c["email"] or "").lower() == email]
        return (found[0], 200) if found else self.error(404)

    def _patch(self, id: str) -> Answer:
        contact, given = self.records["contacts"].get(id), request.get_json(force=True)
        if contact is None:
            return self.error(404)
        changes = {k: v for k, v in given.items() if k in CHANGEABLE}
        if not changes:
            return self.error(422)
        contact |= {**changes, "updated_at": _iso(time.time())}
        self.records["contacts"][id] = contact
        return contact, 200

    def _search(self) -> Answer:
        given = request.get_json(force=True)
        wanted = {q["field"]: q["value"] for q in given.get("query") or []}
        found = [c for c in self.records["conversations"].values() if all(c.get(k) == v for k, v in wanted.items())]
        shown = [{k: v for k, v in c.items() if k != "messages"} for c in found]
        return self._page(shown, given.get("after"))

    def _read(self, id: str) -> Answer:
        talk, status = self._one("conversations", id)
        return {k: v for k, v in talk.items() if k != "messages"}, status

    def _messages(self, id: str) -> Answer:
        talk = self.records["conversations"].get(id)
        if talk is None:
            return self.error(404)
        return self._page(talk["messages"][::-1], request.args.getlist("after"))

    def _page(self, items: list[Object], after: Any) -> Answer:
        start = int(after[0]) if after else 0
        end = start + self.page_size
        return {"total": len(items), "after": [end] if end < len(items) else None, "items": items[start:end]}, 200

    def _write(self, id: str) -> Answer:
        talk, given = self.records["conversations"].get(id), request.get_json(force=True)
        if talk is None:
            return self.error(404)
        text = (given.get("content") or {}).get("text")
        if given.get("sub_type") != "bot" or not given.get("bot_id") or not text:
            return self.error(422)
        message = self._message(talk, "bot", text, bot_id=given["bot_id"], bot_name=given.get("bot_name"))
        talk["messages"].append(message)
        self.records["conversations"][id] = talk
        return message, 200

    def _delete(self) -> Response:
        """A person deletes a contact with its conversations in the dashboard."""
        email = str(request.get_json(force=True).get("email") or "").lower()
        with self.records.lock:
            gone = [c["id"] for c in self.records["contacts"].values() if (c["email"] or "").lower() == email]
            for talk in [t for t in self.records["conversations"].values() if t["contact_id"] in gone]:
                self.records["visitors"].pop(talk["visitor_id"])
                del self.records["conversations"][talk["id"]]
            for id in gone:
                del self.records["contacts"][id]
        return jsonify({"deleted": len(gone)})


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
