"""A local stand-in of tawk.to: chats, tickets, contacts, signed webhooks. It has no API, because we have none there;
`_twin/delete` is what a person does in the dashboard.

As at tawk.to the first message of a chat is sent as `chat:start`; later ones are sent with the transcript when the chat
has ended. Here the chat ends after every later message that is to be delivered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.twin import Person, Twin

Object = dict[str, Any]

DAY = 86400
RICHLY = "maria.pop@example.com"
PROPERTY = {"id": "5f0c7a1e4d2b3c0001a1b2c3", "name": "Intelli Mails"}
TALKS = (
    ("Hello, how many addresses may a list have?", "Up to 500,000 on your plan."),
    ("My upload is at 40 % for an hour.", "We restarted it; it should be through in a minute."),
    ("Can I pay by bank transfer?", "Yes, choose it under Billing."),
    ("Where do I find my invoices?", "Under Billing > History."),
)


class TawktoTwin(Twin):
    """One property."""

    name: ClassVar[str] = "tawkto"
    variables: ClassVar[Mapping[str, str]] = {"TAWKTO_WEBHOOK_SECRET": "{secret}"}

    def routes(self, api: Blueprint) -> None:
        """No API: it is given on request, and no call of it that is known concerns one person."""
        api.add_url_rule("/_twin/delete", "delete", self._delete, methods=["POST"])

    def _delete(self) -> Response:
        """A person deletes everything of one address in the dashboard."""
        email, gone = str(request.get_json(force=True).get("email") or "").lower(), 0
        with self.records.lock:
            for kind, holder in (("conversations", "visitor"), ("tickets", "requester"), ("contacts", "")):
                for id, record in list(self.records[kind].items()):
                    who = record[holder] if holder else record
                    if email and (who["email"] or "").lower() == email:
                        del self.records[kind][id]
                        gone += 1
        return jsonify({"deleted": gone})

    def seed(self, people: Iterable[Person]) -> None:
        now = time.time()
        for person in people:
            self._contact(person.email, person.name)
            for n, (question, answer) in enumerate(TALKS if person.email == RICHLY else TALKS[:1]):
                chat = self._chat("", person.email, person.name, at=now - (90 - n) * DAY)
                chat["messages"] = [_line("s", "Chat started"), _line("v", question), _line("a", answer)]
                chat["ended"] = True
                self.records["conversations"][chat["id"]] = chat
            if person.email == RICHLY:
                self._ticket(person.email, person.name, "Offline message", "Please call me back.")

    def state(self) -> dict[str, Any]:
        def shown(chat: Object) -> Object:
            return {**chat, "messages": [{**m, "text": m["msg"]} for m in chat["messages"]]}

        return {
            "contacts": list(self.records["contacts"].values()),
            "conversations": [shown(c) for c in self.records["conversations"].values()],
            "tickets": list(self.records["tickets"].values()),
        }

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A visitor writes; with `event` = `ticket:create` in the form that is shown while nobody is there."""
        text, email = str(said.get("text") or ""), str(said.get("email") or "").strip()
        name = str(said.get("name") or "")
        with self.records.lock:
            contact = self._contact(email, name)
            if said.get("event") == "ticket:create":
                ticket = self._ticket(email, name, str(said.get("subject") or ""), text)
                conversation, events = ticket["id"], [self._ticket_event(ticket)]
            else:
                conversation, events = self._write(str(said.get("conversation") or ""), contact, text)
        answer: dict[str, Any] = {"conversation": conversation, "contact": contact["id"]}
        if said.get("deliver"):
            codes = [self.send(event) for event in events]
            wrong = [code for code in codes if not 200 <= code < 300]
            answer["delivered"] = wrong[0] if wrong else codes[-1]
            answer["status"] = 502 if wrong else 200
        return answer

    def send(self, event: Mapping[str, Any]) -> int:
        """One webhook, signed; returns the app's HTTP status."""
        body = json.dumps(event).encode()
        secret = self.world.env.get("TAWKTO_WEBHOOK_SECRET", "").encode()
        headers = {
            "Content-Type": "application/json",
            "X-Hook-Event-Id": uuid.uuid4().hex,
            "X-Tawk-Signature": hmac.new(secret, body, hashlib.sha1).hexdigest(),
        }
        return self.deliver("/webhooks/tawkto", body, headers)

    def _write(self, wanted: str, contact: Object, text: str) -> tuple[str, list[Object]]:
        """Add a line; returns the chat's id and the events that tawk.to would send."""
        chat = self.records["conversations"].get(wanted)
        first = chat is None
        if chat is None:
            chat = self._chat(wanted, contact["email"], contact["name"])
        elif contact["email"]:  # the visitor may change the address in the middle of a chat
            chat["visitor"] = _visitor(contact["email"], contact["name"])
        chat["messages"].append(_line("v", text))
        chat["ended"] = not first
        self.records["conversations"][chat["id"]] = chat
        head = {"chatId": chat["id"], "time": _now(), "visitor": chat["visitor"], "property": PROPERTY}
        if first:
            message = {"text": text, "type": "msg", "sender": {"type": "visitor"}}
            return chat["id"], [{"event": "chat:start", **head, "message": message}]
        told = {"id": chat["id"], "visitor": chat["visitor"], "messages": chat["messages"]}
        transcript = {"event": "chat:transcript_created", "time": _now(), "property": PROPERTY, "chat": told}
        return chat["id"], [{"event": "chat:end", **head}, transcript]

    def _chat(self, id: str, email: str | None, name: str, at: float = 0) -> Object:
        chat: Object = {
            "id": id or str(uuid.uuid4()),
            "createdOn": _iso(at or time.time()),
            "visitor": _visitor(email, name),
            "messages": [],
            "ended": False,
        }
        return chat

    def _contact(self, email: str, name: str) -> Object:
        for contact in self.records["contacts"].values():
            if email and (contact["email"] or "").lower() == email.lower():
                return contact  # type: ignore[no-any-return]
        contact = {"id": self.new_id("contact"), "email": email or None, "name": name or "V1719", "tags": []}
        self.records["contacts"][contact["id"]] = contact
        return contact

    def _ticket(self, email: str, name: str, subject: str, message: str) -> Object:
        number = self.new_id("ticket", 0)
        ticket: Object = {
            "id": uuid.uuid4().hex[:24],
            "humanId": int(number),
            "subject": subject,
            "message": message,
            "requester": {"name": name or "V1719", "email": email or None},
        }
        self.records["tickets"][ticket["id"]] = ticket
        return ticket

    def _ticket_event(self, ticket: Object) -> Object:
        told = {k: v for k, v in ticket.items() if k != "requester"}
        head = {"event": "ticket:create", "time": _now(), "property": PROPERTY}
        return {**head, "requester": ticket["requester"], "ticket": told}


def _visitor(email: str | None, name: str) -> Object:
    return {"name": name or "V1719", "email": email or None, "city": "Cluj-Napoca", "country": "RO"}


def _line(sender: str, text: str) -> Object:
    return {"sender": {"t": sender, **({"n": "Andrei"} if sender == "a" else {})}, "type": "msg", "msg": text}


def _now() -> str:
    return _iso(time.time())


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
