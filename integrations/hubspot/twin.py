"""A local stand-in of HubSpot: contacts and what hangs on them, conversations, opt-outs, forms, signed events.

Like HubSpot it answers 204 to a permanent deletion by an unknown address and blocks that address, still finds a
deleted contact in searches for a while, keeps what hung on an erased contact for up to 30 days, puts everything else
into a recycle bin, and takes a person back who fills in a form.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.hubspot import twin_seed
from integrations.hubspot.events import signature
from integrations.hubspot.twin_routes import register
from integrations.twin import Person, Twin

Object = dict[str, Any]

PURGE_DAYS = 30.0  # until what hung on an erased contact, and archived conversations, are gone
RECYCLE_DAYS = 90.0
SEARCH_LAG_DAYS = 0.02
SATELLITES = ("notes", "emails", "calls", "meetings", "tasks", "communications", "tickets")
WEBHOOK = "/webhooks/hubspot"


class HubspotTwin(Twin):
    """One account with one private app that has every scope."""

    name: ClassVar[str] = "hubspot"
    variables: ClassVar[Mapping[str, str]] = {
        "HUBSPOT_API_URL": "{twin}",
        "HUBSPOT_ACCESS_TOKEN": "pat-eu1-{secret}",
        "HUBSPOT_CLIENT_SECRET": "{secret}",
        "HUBSPOT_ACCOUNT_PROPERTY": "account_id",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        self.purge()
        contacts = [{**c, "email": c["properties"].get("email")} for c in self.records["contacts"].values()]
        shown = ("threads", *SATELLITES, "deals", "companies", "optouts", "blocklist", "submissions", "properties")
        return {"contacts": contacts, **{kind: list(self.records[kind].values()) for kind in shown}}

    def new_contact(self, properties: Mapping[str, str | None]) -> Object:
        id = self.new_id("contact", 50100)
        now = iso(time.time())
        contact: Object = {
            "id": id,
            "properties": {"hs_object_id": id, "createdate": now, "lastmodifieddate": now, **properties},
            "createdAt": now,
            "updatedAt": now,
            "archived": False,
        }
        self.records["contacts"][id] = contact
        return contact

    def new_record(self, kind: str, contacts: Iterable[str], **properties: str) -> Object:
        """An activity, ticket, deal or company that is associated with contacts."""
        id = self.new_id("record", 70300)
        record: Object = {"id": id, "properties": properties, "contacts": list(contacts), "archived_at": 0.0}
        self.records[kind][id] = record
        return record

    def by_address(self, address: str) -> Object | None:
        """The live contact whose primary address it is."""
        wanted = address.strip().lower()
        live = (c for c in self.records["contacts"].values() if not c["archived"])
        return next((c for c in live if wanted and (c["properties"].get("email") or "").lower() == wanted), None)

    def erase(self, contact: Object) -> None:
        """For good: the contact at once, what hung on it within 30 days."""
        id, address = contact["id"], contact["properties"].get("email") or ""
        del self.records["contacts"][id]
        self.records["ghosts"][id] = {"contact": contact, "until": time.time() + SEARCH_LAG_DAYS * self.world.day}
        self.block(address)
        due = time.time() + PURGE_DAYS * self.world.day
        self.records["erasures"][id] = {"contact": id, "email": address.lower(), "due": due}
        for kind in (*SATELLITES, "deals", "companies"):
            for record in [r for r in self.records[kind].values() if id in r["contacts"]]:
                self.records[kind][record["id"]] = {**record, "contacts": [c for c in record["contacts"] if c != id]}
        threading.Thread(target=self.notify, args=("contact.privacyDeletion", id), daemon=True).start()

    def block(self, address: str) -> None:
        fingerprint = uuid.uuid5(uuid.NAMESPACE_URL, address.lower()).hex  # HubSpot keeps it in anonymised form
        self.records["blocklist"][fingerprint] = {"id": fingerprint}

    def purge(self) -> None:
        """What time does: finish erasures, empty the recycle bin."""
        now, day = time.time(), self.world.day
        for erasure in [e for e in self.records["erasures"].values() if e["due"] <= now]:
            del self.records["erasures"][erasure["contact"]]
            for thread in [t for t in self.records["threads"].values() if t["contact"] == erasure["contact"]]:
                del self.records["threads"][thread["id"]]
            for sent in [s for s in self.records["submissions"].values() if s["email"] == erasure["email"]]:
                del self.records["submissions"][sent["id"]]
        for kind, days in (("threads", PURGE_DAYS), *((kind, RECYCLE_DAYS) for kind in SATELLITES)):
            for record in list(self.records[kind].values()):
                if record["archived_at"] and record["archived_at"] + days * day <= now:
                    del self.records[kind][record["id"]]

    # -- events -----------------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": 404, "error": "this twin holds conversations but nobody writes in them"}

    def notify(self, type: str, contact: str, **more: Any) -> int:
        """Send one event, signed; returns the app's HTTP status, 0 if nobody answered."""
        event = {
            "eventId": int(self.new_id("event", 3181526800)),
            "subscriptionId": 22110,
            "portalId": 62515,
            "appId": 54321,
            "occurredAt": int(time.time() * 1000),
            "subscriptionType": type,
            "attemptNumber": 0,
            "objectId": int(contact),
            "changeSource": "CRM_UI",
            **more,
        }
        body, now = json.dumps([event]).encode(), str(int(time.time() * 1000)).encode()
        secret = self.world.env.get("HUBSPOT_CLIENT_SECRET", "")
        address = (self.world.env.get("BASE_URL") or self.world.app_url).rstrip("/") + WEBHOOK
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Request-Timestamp": now.decode(),
            "X-HubSpot-Signature-v3": signature(secret, b"POST" + address.encode() + body + now).decode(),
        }
        return self.deliver(WEBHOOK, body, headers)

    def _unsubscribe(self) -> tuple[Response, int]:
        """The person presses "unsubscribe from all" in a mail that HubSpot sent."""
        address = str(request.get_json(force=True).get("email") or "").lower()
        with self.records.lock:
            contact = self.by_address(address)
            self.records["optouts"][address] = {"id": address, "email": address, "at": iso(time.time())}
        if contact is None:
            return jsonify({"delivered": 0}), 404
        more = {"propertyName": "hs_email_optout", "propertyValue": "true"}
        delivered = self.notify("contact.propertyChange", contact["id"], **more)
        return jsonify({"delivered": delivered}), 200 if 200 <= delivered < 300 else 502

    def _form(self) -> tuple[Response, int]:
        """The person fills in a form: a contact is made if there is none, also for a blocked address."""
        address = str(request.get_json(force=True).get("email") or "").lower()
        with self.records.lock:
            contact = self.by_address(address)
            if contact is None:
                contact = self.new_contact({"email": address})
        delivered = self.notify("contact.creation", contact["id"], changeSource="FORM")
        return jsonify({"contact": contact["id"], "delivered": delivered}), 200 if 200 <= delivered < 300 else 502

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_rate_headers)
        api.add_url_rule("/_twin/unsubscribe", "unsubscribe", self._unsubscribe, methods=["POST"])
        api.add_url_rule("/_twin/form", "form", self._form, methods=["POST"])
        register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        category, message = {
            401: ("INVALID_AUTHENTICATION", "Authentication credentials not found."),
            403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call."),
            404: ("OBJECT_NOT_FOUND", "resource not found"),
            409: ("CONFLICT", "Contact already exists."),
            429: ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
        }.get(status, ("INTERNAL_ERROR", "internal error"))
        body: Object = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category}
        if status == 429:
            body |= {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
        return body, status

    def error_in_200(self) -> Any:
        return self.error(500)[0]

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        wanted = f"Bearer {self.world.env.get('HUBSPOT_ACCESS_TOKEN', '')}"
        if hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            return None
        body, status = self.error(401)
        return jsonify(body), status


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


def _rate_headers(response: Response) -> Response:
    if "/_twin/" not in request.path and not request.path.endswith("/search"):
        response.headers["X-HubSpot-RateLimit-Daily"] = "250000"
        response.headers["X-HubSpot-RateLimit-Daily-Remaining"] = "249900"
        response.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
        response.headers["X-HubSpot-RateLimit-Max"] = "100"
        response.headers["X-HubSpot-RateLimit-Remaining"] = "99"
    return response
