"""A local stand-in of Intercom: contacts, conversations, tickets, tags, subscription types, signed notifications.

Like Intercom it shows archived contacts to nobody but those who know their id, still finds a deleted contact in
searches for a while, deletes conversations with their contact, and keeps ratings. Tokens and scopes: one token, all
scopes. `state` shows messages in plain text, as `display_as=plaintext` does.
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

from integrations.intercom import twin_seed, twin_shapes
from integrations.intercom.twin_routes import register
from integrations.intercom.twin_shapes import Object
from integrations.twin import Person, Twin

LIMIT = 1666  # calls in a window of 10 s
SEARCH_LAG_DAYS = 0.02  # a deleted contact is still found for so long


class IntercomTwin(Twin):
    """One workspace. Who writes unverified is a lead, or whoever carries the address, as with unsigned boots."""

    name: ClassVar[str] = "intercom"
    variables: ClassVar[Mapping[str, str]] = {
        "INTERCOM_API_URL": "{twin}",
        "INTERCOM_ADMIN_ID": "9001",
        "INTERCOM_ACCESS_TOKEN": "{secret}",
        "INTERCOM_CLIENT_SECRET": "{secret}",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        tags = self.records["tags"]
        contacts = [
            {**c, "tags": [tags[t]["name"] for t in c["tags"] if t in tags]} for c in self.records["contacts"].values()
        ]
        return {
            "contacts": contacts,
            "conversations": [twin_shapes.state_of_conversation(c) for c in self.records["conversations"].values()],
            **{
                kind: list(self.records[kind].values()) for kind in ("tickets", "tags", "subscription_types", "ratings")
            },
        }

    def find_contacts(self, email: str) -> list[Object]:
        return [c for c in self.records["contacts"].values() if email and (c["email"] or "").lower() == email.lower()]

    def new_contact(self, email: str | None, name: str, role: str, external_id: str | None = None) -> Object:
        now = int(time.time())
        id = hashlib.sha256(self.new_id("contact").encode()).hexdigest()[:24]
        contact: Object = {
            "type": "contact",
            "id": id,
            "external_id": external_id,
            "role": role,
            "email": email,
            "name": name or None,
            "phone": None,
            "tags": [],
            "subscriptions": {},
            "unsubscribed_from_emails": False,
            "archived": False,
            "created_at": now,
            "updated_at": now,
            "notes": [],
            "events": [],
        }
        self.records["contacts"][id] = contact
        return contact

    def new_part(self, author: Object, body: str, part_type: str = "comment", at: int = 0) -> Object:
        by_us = author["type"] == "admin"
        return {
            "type": "conversation_part",
            "id": self.new_id("part", 40000),
            "part_type": part_type,
            "body": body,
            "created_at": at or int(time.time()),
            "author": author,
            "redacted": False,
            "app_package_code": "privacy-desk" if by_us else None,
        }

    def new_conversation(
        self, contact: Object, body: str, *, id: str = "", at: int = 0, source_type: str = "conversation"
    ) -> Object:
        """A conversation that the contact began; `body` is HTML."""
        at = at or int(time.time())
        conversation: Object = {
            "id": id or self.new_id("conversation", 500),
            "created_at": at,
            "contacts": [contact["id"]],
            "source": {
                "type": source_type,
                "id": self.new_id("source", 403918000),
                "delivered_as": "customer_initiated",
                "subject": "",
                "body": body,
                "author": author_of(contact),
                "attachments": [],
                "url": None,
                "redacted": False,
            },
            "parts": [],
        }
        self.records["conversations"][conversation["id"]] = conversation
        return conversation

    def delete_contact(self, contact: Object) -> None:
        """For good, with the conversations in which no other contact takes part; elsewhere the name goes (assumed)."""
        id = contact["id"]
        del self.records["contacts"][id]
        until = time.time() + SEARCH_LAG_DAYS * self.world.day
        self.records["ghosts"][id] = {"contact": contact, "until": until}
        for conversation in list(self.records["conversations"].values()):
            wrote = any(m["author"]["id"] == id for m in (conversation["source"], *conversation["parts"]))
            if id in conversation["contacts"] or wrote:
                conversation["contacts"] = [c for c in conversation["contacts"] if c != id]
                if conversation["contacts"]:
                    for message in (conversation["source"], *conversation["parts"]):
                        if message["author"]["id"] == id:
                            message["author"] = {**message["author"], "name": None, "email": None}
                    self.records["conversations"][conversation["id"]] = conversation
                else:
                    del self.records["conversations"][conversation["id"]]

    # -- a customer writes ------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        text, wanted = str(said.get("text") or ""), str(said.get("conversation") or "")
        with self.records.lock:
            conversation = self.records["conversations"].get(wanted)
            contact = self._writer(said, conversation)
            body = f"<p>{twin_shapes.escape(text)}</p>"
            if conversation is None:
                conversation = self.new_conversation(contact, body, id=wanted)
                topic, part = "conversation.user.created", None
            else:
                part = self.new_part(author_of(contact), body)
                conversation["parts"].append(part)
                if contact["id"] not in conversation["contacts"]:
                    conversation["contacts"].append(contact["id"])
                self.records["conversations"][conversation["id"]] = conversation
                topic = "conversation.user.replied"
            item = twin_shapes.conversation_item(conversation, self.records["contacts"], part)
        answer: dict[str, Any] = {"conversation": conversation["id"], "contact": contact["id"]}
        if said.get("deliver"):
            answer["delivered"] = self.notify(topic, item)
            answer["status"] = 200 if 200 <= answer["delivered"] < 300 else 502
        return answer

    def _writer(self, said: Mapping[str, Any], conversation: Object | None) -> Object:
        """Who writes. With enforced Messenger security nobody is a user without having signed in."""
        email, name = str(said.get("email") or "").strip(), str(said.get("name") or "")
        contacts = self.records["contacts"]
        taking_part = [contacts[id] for id in conversation["contacts"] if id in contacts] if conversation else []
        if taking_part and not email:
            return taking_part[0]  # type: ignore[no-any-return]
        verified = said.get("verified") is True
        enforced = self.world.env.get("INTERCOM_IDENTITY_ENFORCED", "").lower() in ("1", "true", "yes", "on")
        role = "user" if verified else "lead" if enforced else str(said.get("role") or "")
        known = [c for c in self.find_contacts(email) if role in ("", c["role"])]
        if conversation:
            known.sort(key=lambda c: c["id"] not in conversation["contacts"])
        if known:
            writer: Object = known[0]
            if writer["archived"]:  # signing in again restores it
                contacts[writer["id"]] = {**writer, "archived": False}
            return contacts[writer["id"]]  # type: ignore[no-any-return]
        account = next((p.account_id for p in self.world.people if p.email == email.lower()), None)
        return self.new_contact(email or None, name, role or "lead", account if role == "user" else None)

    def notify(self, topic: str, item: Object) -> int:
        """Send a notification, signed; returns the app's HTTP status."""
        now = int(time.time())
        event = {
            "type": "notification_event",
            "app_id": "demo",
            "data": {"type": "notification_event_data", "item": item},
            "links": {},
            "id": f"notif_{uuid.uuid4()}",
            "topic": topic,
            "delivery_status": "pending",
            "delivery_attempts": 1,
            "delivered_at": 0,
            "first_sent_at": now,
            "created_at": now,
            "self": None,
        }
        body = json.dumps(event).encode()
        secret = self.world.env.get("INTERCOM_CLIENT_SECRET", "").encode()
        signature = "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature": signature, "User-Agent": "intercom-hooks"}
        return self.deliver("/webhooks/intercom", body, headers)

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_rate_headers)
        api.add_url_rule("/_twin/unsubscribe", "unsubscribe", self._unsubscribe, methods=["POST"])
        register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        code, message = {
            401: ("unauthorized", "Access Token Invalid"),
            403: ("api_plan_restricted", "Active subscription needed."),
            404: ("not_found", "Resource Not Found"),
            409: ("conflict", "A contact matching those details already exists"),
            429: ("rate_limit_exceeded", "Exceeded rate limit"),
        }.get(status, ("server_error", "Server error"))
        return twin_shapes.error_list(code, message), status

    def error_in_200(self) -> Any:
        return twin_shapes.error_list("server_error", "Server error")

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        wanted = f"Bearer {self.world.env.get('INTERCOM_ACCESS_TOKEN', '')}"
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            return None
        body, status = self.error(401)
        return jsonify(body), status

    def _unsubscribe(self) -> tuple[Response, int]:
        """The person presses "unsubscribe" in a mail that Intercom sent."""
        email = str(request.get_json(force=True).get("email") or "")
        with self.records.lock:
            for contact in self.find_contacts(email):
                self.records["contacts"][contact["id"]] = {**contact, "unsubscribed_from_emails": True}
            items = [twin_shapes.contact_json(c, self.records["tags"]) for c in self.find_contacts(email)]
        delivered = [self.notify("contact.unsubscribed", item) for item in items]
        return jsonify({"delivered": delivered}), 200 if delivered and max(delivered) < 300 else 502


def author_of(contact: Object) -> Object:
    return {"type": contact["role"], "id": contact["id"], "name": contact["name"], "email": contact["email"]}


def _rate_headers(response: Response) -> Response:
    if "/_twin/" not in request.path:
        reset = (int(time.time()) // 10 + 1) * 10
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(LIMIT - 1)
        response.headers["X-RateLimit-Reset"] = str(reset)
    return response
