"""The API paths of the twin. Each answers as https://developers.intercom.com does for version 2.16."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

from integrations.intercom import twin_shapes as shapes
from integrations.intercom.twin_shapes import Object

if TYPE_CHECKING:
    from integrations.intercom.twin import IntercomTwin

Answer = tuple[Any, int]


def register(twin: IntercomTwin, api: Blueprint) -> None:
    """Every path, under the twin's lock."""
    routes = Routes(twin)
    for method, path, act in routes.table():
        api.add_url_rule(path, f"{method} {path}".replace(".", "_"), _locked(twin, act), methods=[method])


def _locked(twin: IntercomTwin, act: Callable[..., Answer]) -> Callable[..., Any]:
    def view(**ids: str) -> Any:
        with twin.records.lock:
            body, status = act(**ids)
            answer = jsonify(body)
            if status == 410:
                answer.headers["Link"] = f'</contacts/{twin.records["merged"][ids["id"]]["into"]}>; rel="canonical"'
            return answer, status

    return view


class Routes:
    """The views; they run under the lock."""

    def __init__(self, twin: IntercomTwin) -> None:
        self.twin = twin
        self.records = twin.records

    def table(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("GET", "/me", self.me),
            ("GET", "/admins/<id>", self.admin),
            ("POST", "/contacts/search", self.search_contacts),
            ("GET", "/contacts/<id>", self.contact),
            ("PUT", "/contacts/<id>", self.update_contact),
            ("DELETE", "/contacts/<id>", self.delete_contact),
            ("POST", "/contacts/<id>/archive", lambda id: self.archive(id, True)),
            ("POST", "/contacts/<id>/unarchive", lambda id: self.archive(id, False)),
            ("GET", "/contacts/<id>/<what>", self.of_contact),
            ("POST", "/contacts/<id>/tags", self.tag_contact),
            ("DELETE", "/contacts/<id>/tags/<tag>", self.untag_contact),
            ("POST", "/contacts/<id>/subscriptions", self.subscribe),
            ("DELETE", "/contacts/<id>/subscriptions/<kind>", self.unsubscribe),
            ("GET", "/subscription_types", self.subscription_types),
            ("POST", "/tags", self.tag),
            ("GET", "/events", self.events),
            ("POST", "/conversations/search", self.search_conversations),
            ("GET", "/conversations/<id>", self.conversation),
            ("DELETE", "/conversations/<id>", self.delete_conversation),
            ("POST", "/conversations/<id>/reply", self.reply),
            ("POST", "/conversations/redact", self.redact),
            ("DELETE", "/conversations/<id>/customers/<contact>", self.detach),
            ("POST", "/tickets/search", self.search_tickets),
            ("GET", "/tickets/<id>", self.ticket),
            ("DELETE", "/tickets/<id>", self.delete_ticket),
            ("POST", "/calls/search", self.search_calls),
        ]

    # -- admins -----------------------------------------------------------------------------------------------------

    def me(self) -> Answer:
        app = {"type": "app", "id_code": "demo", "name": "Demo", "region": "US", "timezone": "Europe/Bucharest"}
        return {**self.admin(self._admin_id())[0], "email_verified": True, "app": app}, 200

    def admin(self, id: str) -> Answer:
        if id != self._admin_id():
            return _not_found("Admin not found")
        email = "privacy-desk@example.com"
        return {"type": "admin", "id": id, "name": "Privacy Desk", "email": email, "has_inbox_seat": True}, 200

    # -- contacts ---------------------------------------------------------------------------------------------------

    def search_contacts(self) -> Answer:
        field, value, after = _query()
        if field not in ("email", "external_id"):
            return shapes.error_list("invalid_field", f"{field} is not searched in this twin"), 400
        ghosts = [g["contact"] for g in self.records["ghosts"].values() if g["until"] > time.time()]
        live = [c for c in self.records["contacts"].values() if not c["archived"]]
        hits = [c for c in (*live, *ghosts) if str(c[field] or "").lower() == value.lower()]
        page, pages = shapes.pages(hits, after, self.twin.page_size)
        shown = [shapes.contact_json(c, self.records["tags"]) for c in page]
        return {"type": "list", "data": shown, "total_count": len(hits), "pages": pages}, 200

    def contact(self, id: str) -> Answer:
        if id in self.records["merged"]:
            return shapes.error_list("contact_merged", "This contact has been merged. See the 'Link' header."), 410
        contact = self.records["contacts"].get(id)
        return (shapes.contact_json(contact, self.records["tags"]), 200) if contact else _not_found("User Not Found")

    def update_contact(self, id: str) -> Answer:
        contact, given = self.records["contacts"].get(id), request.get_json(force=True)
        if contact is None:
            return _not_found("User Not Found")
        if "email_verified" in given and "email" not in given:
            return shapes.error_list("parameter_invalid", "email_verified needs an email"), 400
        fields = {k: v for k, v in given.items() if k in ("name", "email", "phone", "unsubscribed_from_emails")}
        if isinstance(fields.get("email"), str):
            fields["email"] = fields["email"].lower()
        self.records["contacts"][id] = contact | fields | {"updated_at": int(time.time())}
        return self.contact(id)

    def delete_contact(self, id: str) -> Answer:
        contact = self.records["contacts"].get(id)
        if contact is None:
            return _not_found("User Not Found")
        self.twin.delete_contact(contact)
        return {"type": "contact", "id": id, "external_id": contact["external_id"], "deleted": True}, 200

    def archive(self, id: str, archived: bool) -> Answer:
        contact = self.records["contacts"].get(id)
        if contact is None:
            return _not_found("User Not Found")
        self.records["contacts"][id] = contact | {"archived": archived}
        return {"type": "contact", "id": id, "external_id": contact["external_id"], "archived": archived}, 200

    def of_contact(self, id: str, what: str) -> Answer:
        contact = self.records["contacts"].get(id)
        if contact is None or what not in ("notes", "tags", "segments", "subscriptions", "companies"):
            return _not_found("User Not Found")
        kinds, tags = self.records["subscription_types"], self.records["tags"]
        items: list[Object] = {
            "notes": contact["notes"],
            "tags": [tags[t] for t in contact["tags"] if t in tags],
            "subscriptions": [shapes.subscription_json(kinds[k]) for k in contact["subscriptions"]],
        }.get(what, [])
        if what != "notes":
            return {"type": "list", "data": items}, 200
        page, pages = shapes.pages(items, request.args.get("starting_after"), self.twin.page_size)
        return {"type": "list", "data": page, "total_count": len(items), "pages": pages}, 200

    def tag_contact(self, id: str) -> Answer:
        contact, tag = self.records["contacts"].get(id), str(request.get_json(force=True).get("id"))
        if contact is None or tag not in self.records["tags"]:
            return _not_found("User Not Found" if contact is None else "Resource Not Found")
        if tag not in contact["tags"]:
            self.records["contacts"][id] = contact | {"tags": [*contact["tags"], tag]}
        return self.records["tags"][tag], 200

    def untag_contact(self, id: str, tag: str) -> Answer:
        contact = self.records["contacts"].get(id)
        if contact is None or tag not in contact["tags"]:
            return _not_found("User Not Found" if contact is None else "Resource Not Found")
        self.records["contacts"][id] = contact | {"tags": [t for t in contact["tags"] if t != tag]}
        return self.records["tags"][tag], 200

    def subscribe(self, id: str) -> Answer:
        contact, given = self.records["contacts"].get(id), request.get_json(force=True)
        kind = self.records["subscription_types"].get(str(given.get("id")))
        if contact is None or kind is None or kind["consent_type"] != given.get("consent_type"):
            return _not_found("User Not Found" if contact is None else "Resource Not Found")
        chosen = {**contact["subscriptions"], kind["id"]: kind["consent_type"]}
        self.records["contacts"][id] = contact | {"subscriptions": chosen}
        return shapes.subscription_json(kind), 200

    def unsubscribe(self, id: str, kind: str) -> Answer:
        contact = self.records["contacts"].get(id)
        if contact is None or kind not in contact["subscriptions"]:
            return _not_found("User Not Found" if contact is None else "Resource Not Found")
        chosen = {k: v for k, v in contact["subscriptions"].items() if k != kind}
        self.records["contacts"][id] = contact | {"subscriptions": chosen}
        return shapes.subscription_json(self.records["subscription_types"][kind]), 200

    def subscription_types(self) -> Answer:
        kinds = [shapes.subscription_json(k) for k in self.records["subscription_types"].values()]
        return {"type": "list", "data": kinds}, 200

    def tag(self) -> Answer:
        name = str(request.get_json(force=True).get("name") or "")
        if not name:
            return shapes.error_list("parameter_invalid", "invalid tag parameters"), 400
        for tag in self.records["tags"].values():
            if tag["name"] == name:
                return tag, 200
        id = self.twin.new_id("tag", 80)
        self.records["tags"][id] = {"type": "tag", "id": id, "name": name}
        return self.records["tags"][id], 200

    def events(self) -> Answer:
        contact = self.records["contacts"].get(request.args.get("intercom_user_id", ""))
        if request.args.get("type") != "user" or contact is None:
            return _not_found("User Not Found")
        start, size = int(request.args.get("before", "0")), self.twin.page_size
        found = contact["events"][start : start + size]
        following = f"{request.base_url}?type=user&intercom_user_id={contact['id']}&before={start + size}"
        pages = {"next": following} if start + size < len(contact["events"]) else {}
        whose = {"email": contact["email"], "intercom_user_id": contact["id"], "user_id": contact["external_id"] or ""}
        return {"type": "event.summary", "events": found, "pages": pages, **whose}, 200

    # -- conversations ----------------------------------------------------------------------------------------------

    def search_conversations(self) -> Answer:
        field, value, after = _query()
        if field not in ("contact_ids", "source.author.email"):
            return shapes.error_list("invalid_field", f"{field} is not searched in this twin"), 400
        hits = [
            c
            for c in self.records["conversations"].values()
            if (value in c["contacts"] if field == "contact_ids" else _author_email(c) == value.lower())
        ]
        page, pages = shapes.pages(hits, after, self.twin.page_size)
        contacts = self.records["contacts"]
        shown = [shapes.conversation_json(c, contacts, text=False, full=False) for c in page]
        return {"type": "conversation.list", "conversations": shown, "total_count": len(hits), "pages": pages}, 200

    def conversation(self, id: str) -> Answer:
        conversation = self.records["conversations"].get(id)
        if conversation is None:
            return _not_found("Resource Not Found")
        text = request.args.get("display_as") == "plaintext"
        return shapes.conversation_json(conversation, self.records["contacts"], text=text), 200

    def delete_conversation(self, id: str) -> Answer:
        if self.records["conversations"].pop(id) is None:
            return _not_found("Resource Not Found")
        return {"id": id, "object": "conversation", "deleted": True}, 200

    def reply(self, id: str) -> Answer:
        conversation, given = self.records["conversations"].get(id), request.get_json(force=True)
        if conversation is None:
            return _not_found("Resource Not Found")
        kind, by = given.get("message_type"), str(given.get("admin_id") or "")
        if kind not in ("comment", "note") or given.get("type") != "admin" or not given.get("body"):
            return shapes.error_list("parameter_invalid", "message_type, type, body"), 400
        if by != self._admin_id():
            return _not_found("Resource Not Found")
        author = {k: v for k, v in self.admin(by)[0].items() if k != "has_inbox_seat"}
        conversation["parts"].append(self.twin.new_part(author, str(given["body"]), kind))
        self.records["conversations"][id] = conversation
        return shapes.conversation_json(conversation, self.records["contacts"], text=False), 200

    def redact(self) -> Answer:
        given = request.get_json(force=True)
        conversation = self.records["conversations"].get(str(given.get("conversation_id")))
        if conversation is None:
            return _not_found("Resource Not Found")
        source, wanted = conversation["source"], str(given.get("source_id") or given.get("conversation_part_id"))
        candidates = [source] if given.get("type") == "source" else conversation["parts"]
        for message in candidates:
            if message["id"] == wanted and message["body"]:
                message.update(body="<p>This message was deleted</p>", redacted=True)
                self.records["conversations"][conversation["id"]] = conversation
                return shapes.conversation_json(conversation, self.records["contacts"], text=False), 200
        return shapes.error_list("conversation_part_not_redactable", "It cannot be redacted"), 400

    def detach(self, id: str, contact: str) -> Answer:
        conversation = self.records["conversations"].get(id)
        if conversation is None or contact not in conversation["contacts"]:
            return _not_found("Resource Not Found")
        if len(conversation["contacts"]) == 1:
            return shapes.error_list("parameter_invalid", "Cannot remove the last participant"), 422
        conversation["contacts"].remove(contact)
        self.records["conversations"][id] = conversation
        return shapes.conversation_json(conversation, self.records["contacts"], text=False), 200

    # -- tickets and calls ------------------------------------------------------------------------------------------

    def search_tickets(self) -> Answer:
        _, value, after = _query()
        hits = [t for t in self.records["tickets"].values() if value in [c["id"] for c in t["contacts"]["contacts"]]]
        page, pages = shapes.pages(hits, after, self.twin.page_size)
        return {"type": "ticket.list", "tickets": page, "total_count": len(hits), "pages": pages}, 200

    def ticket(self, id: str) -> Answer:
        ticket = self.records["tickets"].get(id)
        return (ticket, 200) if ticket else _not_found("Resource Not Found")

    def delete_ticket(self, id: str) -> Answer:
        if self.records["tickets"].pop(id) is None:
            return _not_found("Resource Not Found")
        return {"id": id, "object": "ticket", "deleted": True}, 200

    def search_calls(self) -> Answer:
        wanted = request.get_json(force=True).get("conversation_ids") or []
        if not 1 <= len(wanted) <= 20:
            return shapes.error_list("conversation_id_limit_exceeded", "A list of up to 20 IDs is required"), 400
        calls = [c for c in self.records["calls"].values() if c["conversation_id"] in wanted]
        return {"type": "list", "data": calls}, 200

    def _admin_id(self) -> str:
        return self.twin.world.env.get("INTERCOM_ADMIN_ID", "")


def _query() -> tuple[str, str, str | None]:
    given = request.get_json(force=True)
    query, paging = given.get("query") or {}, given.get("pagination") or {}
    return str(query.get("field")), str(query.get("value")), paging.get("starting_after")


def _author_email(conversation: Object) -> str:
    return str(conversation["source"]["author"].get("email") or "").lower()


def _not_found(message: str) -> Answer:
    return shapes.error_list("not_found", message), 404
