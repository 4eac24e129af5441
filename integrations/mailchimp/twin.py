"""A local stand-in of MailChimp: audiences, members, e-commerce, a search index that lags, signed webhooks.

State of a member: `subscribed`, `unsubscribed`, `pending`, `cleaned`, `transactional`, `archived`. Who was deleted for
good cannot be added again, who unsubscribed cannot be subscribed by the API.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from integrations.mailchimp import twin_members, twin_seed, twin_stores
from integrations.twin import Person, Twin

TITLES = {
    400: "Bad Request",
    401: "API Key Invalid",
    403: "Forbidden",
    404: "Resource Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
INDEX_LAG_DAYS = 0.5  # until a search knows what has changed


class MailchimpTwin(Twin):
    """State: `lists`, `members` (with `tags`, `notes`, `activity`, `events`), `stores`, `customers`, `orders`."""

    name: ClassVar[str] = "mailchimp"
    variables: ClassVar[Mapping[str, str]] = {
        "MAILCHIMP_API_URL": "{twin}",
        "MAILCHIMP_API_KEY": "{secret}-us19",
        "MAILCHIMP_WEBHOOK_SECRET": "{secret}",
    }

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, list(people))

    def state(self) -> dict[str, Any]:
        kinds = ("lists", "members", "stores", "customers", "orders", "forgotten")
        return {kind: list(self.records[kind].values()) for kind in kinds}

    def error(self, status: int) -> tuple[Any, int]:
        return self.problem(status, TITLES.get(status, "Error")), status

    def problem(self, status: int, title: str, detail: str = "") -> dict[str, Any]:
        return {
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": title,
            "status": status,
            "detail": detail or title,
            "instance": hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:32],
        }

    def refuse(self, status: int, title: str = "", detail: str = "") -> Response:
        answer = jsonify(self.problem(status, title or TITLES[status], detail))
        answer.status_code = status
        answer.content_type = "application/problem+json; charset=utf-8"
        return answer

    # -- customers --------------------------------------------------------------------------------------------------

    def say(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A person presses "unsubscribe" in a campaign (`conversation`: the audience), or with `event` something else.

        Args:
            said: `event` is one of `unsubscribe`, `subscribe`, `cleaned`, `profile`; `reason` e.g. `manual`, `abuse`.
                The address need not be on the audience: the webhook then names a contact that the twin does not know.
        """
        audience = str(said.get("conversation") or "")
        if audience not in self.records["lists"]:
            audience = next(iter(self.records["lists"]))
        email = str(said.get("email") or "")
        event = str(said.get("event") or "unsubscribe")
        with self.records.lock:
            member = self.records["members"].get(f"{audience}/{twin_members.hash_of(email)}")
            status = {"unsubscribe": "unsubscribed", "subscribe": "subscribed", "cleaned": "cleaned"}.get(event)
            if member and status:
                twin_members.put(self, audience, {**member, "status": status})
        if not said.get("deliver"):
            return {"conversation": audience}
        delivered = self.webhook(event, audience, email, {"data[reason]": str(said.get("reason") or "manual")})
        return {"conversation": audience, "delivered": delivered, "status": 200 if 200 <= delivered < 300 else 502}

    def webhook(self, event: str, audience: str, email: str, more: Mapping[str, str] | None = None) -> int:
        """POST a form, signed with the webhook's secret."""
        fields = {
            "type": event,
            "fired_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "data[id]": twin_members.hash_of(email)[:10],
            "data[list_id]": audience,
            "data[email]": email,
            "data[email_type]": "html",
            "data[ip_opt]": "203.0.113.7",
            "data[merges][EMAIL]": email,
            **({"data[action]": "unsub"} if event == "unsubscribe" else {}),
            **(more or {}),
        }
        body = urlencode(fields).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Mailchimp-Signature": self.sign(body)}
        return self.deliver("/webhooks/mailchimp", body, headers)

    def sign(self, body: bytes, at: float | None = None) -> str:
        secret = self.world.env.get("MAILCHIMP_WEBHOOK_SECRET", "").split(",")[0].strip().encode()
        moment = str(int(time.time() if at is None else at))
        return f"t={moment},v1={hmac.new(secret, moment.encode() + b'.' + body, hashlib.sha256).hexdigest()}"

    # -- the API ----------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/3.0/ping", "ping", lambda: jsonify({"health_status": "Everything's Chimpy!"}))
        api.add_url_rule("/3.0/lists", "lists", lambda: self.page("lists", list(self.records["lists"].values())))
        api.add_url_rule("/3.0/search-members", "search", self._search)
        twin_members.routes(self, api)
        twin_stores.routes(self, api)

    def page(self, key: str, found: list[Any], **more: Any) -> Response:
        """One page: at most `page_size`, whatever was asked for, so that paging is always exercised."""
        offset = int(request.args.get("offset", "0"))
        count = min(int(request.args.get("count", "10")), 1000, self.page_size)
        return jsonify({key: found[offset : offset + count], "total_items": len(found), "_links": [], **more})

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        given = request.authorization
        key = self.world.env.get("MAILCHIMP_API_KEY", "")
        basic = given is not None and given.type == "basic" and given.password == key
        bearer = given is not None and given.type == "bearer" and given.token == key
        return None if basic or bearer else self.refuse(401)

    def _search(self) -> Response:
        """The index: what it held half a day ago. It finds archived members too, and never those deleted since."""
        query = request.args.get("query", "").lower()
        old = time.time() - INDEX_LAG_DAYS * self.world.day
        indexed = [m for m in self.records["index"].values() if m["until"] is None or m["until"] > old]
        shown = [m for m in indexed if m["since"] <= old]
        exact = [m["member"] for m in shown if m["member"]["email_address"].lower() == query]
        full = [m["member"] for m in shown if query in m["member"]["email_address"].lower()]
        return jsonify(
            {
                "exact_matches": {"members": exact, "total_items": len(exact)},
                "full_search": {"members": full, "total_items": len(full)},
            }
        )
