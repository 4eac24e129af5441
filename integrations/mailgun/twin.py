"""A local stand-in of Mailgun: messages, events, suppression lists per domain, mailing lists, signed webhooks.

Mails that it accepts are kept in `messages` for ever, so that the demo can show them; events expire.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.mailgun import twin_lists, twin_mail, twin_seed
from integrations.twin import Person, Twin

ERRORS = {401: "Forbidden", 404: {"message": "Domain not found"}, 429: {"message": "Too Many Requests"}}
NOT_FOUND = {
    "unsubscribes": "Address not found in unsubscribers table",
    "complaints": "No spam complaints found for this address",
    "bounces": "Address not found in bounces table",
    "whitelists": "Address/Domain not found in allowlist table",
}
EVENT_DAYS = 30
EVENTS_AT_LEAST = 600  # seconds; in a demo with short days an interrupted mail must still be found


class MailgunTwin(Twin):
    """State: `messages`, `events`, `lists`, `members`, and per domain `unsubscribes`, `complaints`, `bounces`."""

    name: ClassVar[str] = "mailgun"
    variables: ClassVar[Mapping[str, str]] = {
        "MAILGUN_API_URL": "{twin}",
        "MAILGUN_DOMAIN": "privacy.intellimails.com",
        "MAILGUN_MARKETING_DOMAINS": "news.intellimails.com,mg.intellimails.com",
        "MAILGUN_API_KEY": "{secret}",
        "MAILGUN_WEBHOOK_SIGNING_KEY": "{secret}",
        "MAILGUN_SPAM_FILTER": "true",
    }

    # -- what it holds ----------------------------------------------------------------------------------------------

    @property
    def domains(self) -> list[str]:
        own = self.world.env.get("MAILGUN_DOMAIN") or "mg.example.com"
        more = self.world.env.get("MAILGUN_MARKETING_DOMAINS") or "news.example.com,offers.example.com"
        return [own, *(d.strip() for d in more.split(",") if d.strip())]

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, list(people))

    def state(self) -> dict[str, Any]:
        kinds = ("messages", "events", "lists", "members", *NOT_FOUND)
        held = {kind: list(self.records[kind].values()) for kind in kinds}
        return {**held, "conversations": twin_mail.conversations(self)}

    def error(self, status: int) -> tuple[Any, int]:
        return ERRORS.get(status, {"message": "Internal Server Error" if status >= 500 else "Bad request"}), status

    def new_event(self, domain: str, event: str, **fields: Any) -> dict[str, Any]:
        """Add an event; `timestamp` may be given."""
        made = {
            "id": secrets.token_urlsafe(16),
            "event": event,
            "timestamp": time.time(),
            "log-level": "info",
            "tags": [],
            "user-variables": {},
            **fields,
        }
        self.records["events"][made["id"]] = {"domain": domain, **made}
        return made

    def recent(self, domain: str) -> list[dict[str, Any]]:
        """The domain's events that have not expired, oldest first."""
        oldest = time.time() - max(EVENT_DAYS * self.world.day, EVENTS_AT_LEAST)
        for id in [id for id, e in self.records["events"].items() if e["timestamp"] < oldest]:
            del self.records["events"][id]
        found = [e for e in self.records["events"].values() if e["domain"] == domain]
        return sorted(found, key=lambda e: float(e["timestamp"]))

    def suppressed(self, domain: str, address: str) -> str:
        """The reason why this domain sends nothing to the address; empty if it does."""
        row = self.records["unsubscribes"].get(f"{domain}/{address}")
        if row and "*" in row["tags"]:
            return "suppress-unsubscribe"
        if f"{domain}/{address}" in self.records["complaints"]:
            return "suppress-complaint"
        bounced = f"{domain}/{address}" in self.records["bounces"]
        allowed = f"{domain}/{address}" in self.records["whitelists"]
        return "suppress-bounce" if bounced and not allowed else ""

    # -- customers --------------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A person writes a mail; or presses "unsubscribe" (`event` = `unsubscribed`) or "spam" (`complained`).

        A mail is kept as the action `store` keeps it, a press as a row of `domain`; with `deliver` the signed webhook
        goes to the app.
        """
        event = said.get("event")
        if not event:
            return twin_mail.say(self, said)
        domain = str(said.get("domain") or self.domains[-1])
        address = str(said.get("email") or "").lower()
        if event not in ("unsubscribed", "complained"):
            return {"conversation": "", "status": 400, "error": "say which event: unsubscribed or complained"}
        with self.records.lock:
            kind = "unsubscribes" if event == "unsubscribed" else "complaints"
            self.put_row(domain, kind, address, ["*"])
            about = {"headers": {}, "attachments": [], "size": 0}
            made = self.new_event(domain, event, recipient=address, message=about)
        if not said.get("deliver"):
            return {"conversation": made["id"]}
        status = self.webhook(made)
        return {"conversation": made["id"], "delivered": status, "status": 200 if 200 <= status < 300 else 502}

    def webhook(self, event: Mapping[str, Any], **overrides: str) -> int:
        """POST an event, signed as Mailgun signs: time and token, not the body."""
        body = json.dumps({"signature": {**self.sign(), **overrides}, "event-data": event}).encode()
        return self.deliver("/webhooks/mailgun", body, {"Content-Type": "application/json"})

    def sign(self) -> dict[str, str]:
        timestamp, token = str(int(time.time())), secrets.token_hex(25)
        key = self.world.env.get("MAILGUN_WEBHOOK_SIGNING_KEY", "").encode()
        return {
            "timestamp": timestamp,
            "token": token,
            "signature": hmac.new(key, (timestamp + token).encode(), hashlib.sha256).hexdigest(),
        }

    def put_row(self, domain: str, kind: str, address: str, tags: Iterable[str] = ()) -> None:
        """Add a suppression row, or its tags to the one that is there."""
        id = f"{domain}/{address}"
        old = self.records[kind].get(id, {})
        row = {"id": id, "email": address, "domain": domain, "created_at": old.get("created_at", twin_seed.rfc2822())}
        row |= {"value": address, "type": "address"} if kind == "whitelists" else {"address": address}
        if kind == "unsubscribes":
            row["tags"] = sorted({*old.get("tags", ()), *tags})
        self.records[kind][id] = row

    # -- the API ----------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_limits)
        api.add_url_rule("/v4/domains", "domains", self._domains)
        api.add_url_rule("/v4/domains/<domain>", "domain", self._domain)
        api.add_url_rule("/v3/<domain>/messages", "messages", self._send, methods=["POST"])
        api.add_url_rule("/v3/domains/<domain>/messages/<key>", "stored", self._stored)
        api.add_url_rule("/v3/<domain>/events", "events", self._events)
        for kind in NOT_FOUND:
            one, many = f"/v3/<domain>/{kind}/<address>", f"/v3/<domain>/{kind}"
            api.add_url_rule(one, f"{kind}_one", self._row, methods=["GET", "DELETE"], defaults={"kind": kind})
            api.add_url_rule(many, f"{kind}_add", self._add_rows, methods=["POST"], defaults={"kind": kind})
        twin_lists.routes(self, api)

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        given = request.authorization
        key = self.world.env.get("MAILGUN_API_KEY", "")
        if not given or given.type != "basic" or given.username != "api" or given.password != key:
            return jsonify("Forbidden"), 401
        domain = (request.view_args or {}).get("domain")
        if domain and domain not in self.domains:
            return jsonify({"message": f"Domain not found: {domain}"}), 404
        return None

    def _domains(self) -> Response:
        return jsonify({"total_count": len(self.domains), "items": [twin_seed.domain(d) for d in self.domains]})

    def _domain(self, domain: str) -> Response:
        return jsonify({"domain": twin_seed.domain(domain), "receiving_dns_records": [], "sending_dns_records": []})

    def _send(self, domain: str) -> Any:
        form, to = request.form, request.form.get("to", "")
        if "@" not in to:
            return jsonify({"message": "to parameter is not a valid address. please check documentation"}), 400
        if not form.get("from"):
            return jsonify({"message": "from parameter is missing"}), 400
        if not any(form.get(part) for part in ("text", "html", "amp-html", "template")):
            needs = "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified."
            return jsonify({"message": needs}), 400
        with self.records.lock:
            for address in to.split(","):
                id = self._accept(domain, address.strip().lower())
        return jsonify({"id": id, "message": "Queued. Thank you."})

    def _accept(self, domain: str, address: str) -> str:
        """Queue one mail. A suppressed recipient is accepted, and then dropped."""
        form = request.form
        headers = {name[2:]: value for name, value in form.items() if name.startswith("h:")}
        id = headers.get("Message-Id") or f"<{time.strftime('%Y%m%d%H%M%S')}.{secrets.token_hex(8)}@{domain}>"
        key = base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()
        about = {"message-id": id.strip("<>"), "from": form["from"], "to": address, "subject": form.get("subject", "")}
        fields: dict[str, Any] = {
            "recipient": address,
            "tags": form.getlist("o:tag"),
            "message": {"headers": about, "attachments": [], "size": len(form.get("text", "") + form.get("html", ""))},
            "storage": {"key": key, "url": f"{self.world.base_url}/mailgun/v3/domains/{domain}/messages/{key}"},
        }
        self.new_event(domain, "accepted", **fields)
        reason = self.suppressed(domain, address)
        if reason:
            self.new_event(domain, "failed", **fields, severity="permanent", reason=reason)
            return id
        self.new_event(domain, "delivered", **fields)
        self.records["messages"][key] = {
            "id": id,
            "domain": domain,
            "from": form["from"],
            "to": address,
            "subject": form.get("subject", ""),
            "text": form.get("text", ""),
            "html": form.get("html", ""),
            "headers": headers,
            "options": {name: value for name, value in form.items() if name.startswith("o:")},
            "date": twin_seed.rfc2822(),
            "at": time.time(),
        }
        return id

    def _stored(self, domain: str, key: str) -> Any:
        """A stored message expires with its events."""
        known = any((e.get("storage") or {}).get("key") == key for e in self.recent(domain))
        mail = self.records["messages"].get(key) or self.records["stored"].get(key)
        if not known or not mail:
            return jsonify({"message": "Message not found"}), 404
        return jsonify(twin_seed.stored(mail))

    def _events(self, domain: str) -> Any:
        """Filters are exact; the next page is always named, and the page after the last is empty."""
        asked = request.args.to_dict()
        offset = int(asked.pop("_offset", "0"))
        limit = min(int(asked.pop("limit", "100")), self.page_size)
        ascending = asked.pop("ascending", "no") == "yes"
        begin, end = float(asked.pop("begin", "0")), float(asked.pop("end", "1e12"))
        found = [e for e in self.recent(domain) if begin <= e["timestamp"] <= end and _matches(e, asked)]
        found = found if ascending else found[::-1]
        items = [{k: v for k, v in e.items() if k != "domain"} for e in found[offset : offset + limit]]
        return jsonify({"items": items, "paging": twin_lists.paging(offset, limit)})

    def _row(self, domain: str, address: str, kind: str) -> Any:
        id = f"{domain}/{address.lower()}"
        with self.records.lock:
            row = self.records[kind].get(id)
            if not row:
                return jsonify({"message": NOT_FOUND[kind]}), 404
            if request.method == "DELETE":
                del self.records[kind][id]
                return jsonify({"message": "Address has been removed", "address": row["email"]})
        return jsonify({k: v for k, v in row.items() if k not in ("id", "email", "domain")})

    def _add_rows(self, domain: str, kind: str) -> Any:
        rows = request.get_json(silent=True)
        if not isinstance(rows, list):
            rows = [{"address": request.form.get("address", ""), "tags": request.form.getlist("tag")}]
        if len(rows) > 1000:
            return jsonify({"message": "Batch size should be less than 1000"}), 400
        with self.records.lock:
            for row in rows:
                if "@" not in str(row.get("address", "")):
                    return jsonify({"message": "Invalid format"}), 400
                self.put_row(domain, kind, row["address"].lower(), row.get("tags") or ["*"])
        return jsonify({"message": f"{len(rows)} addresses have been added to the {kind} table"})


def _matches(event: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    headers = (event.get("message") or {}).get("headers") or {}
    for name, wanted in filters.items():
        if name in ("message-id", "from", "to", "subject"):
            there = str(headers.get(name, "")).lower()
            if (wanted.lower() not in there) if name in ("from", "to") else (wanted.lower() != there):
                return False
        elif name == "tags":
            if wanted not in event.get("tags", ()):
                return False
        elif str(event.get(name, "")).lower() != wanted.lower():
            return False
    return True


def _limits(answer: Response) -> Response:
    answer.headers["X-RateLimit-Limit"] = "500"
    answer.headers["X-RateLimit-Remaining"] = "499"
    return answer
