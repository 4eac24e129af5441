"""A local stand-in of Paddle Billing: customers and what stands below them, purchases with invoices, signed events.

Like Paddle it deletes no customer, shows archived records only to those who ask for them, keeps an address taken for
ever by its customer, and never forgets a transaction. One key with all permissions. A change of a customer is told to
the app by `customer.updated`, a purchase (`_twin/checkout`) by `customer.created` or `customer.updated`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.paddle import twin_seed
from integrations.paddle.twin_routes import register
from integrations.paddle.twin_seed import moment
from integrations.twin import Person, Twin

Object = dict[str, Any]
KINDS = (
    ("customers", "ctm"),
    ("addresses", "add"),
    ("businesses", "biz"),
    ("payment_methods", "paymtd"),
    ("subscriptions", "sub"),
    ("transactions", "txn"),
    ("adjustments", "adj"),
)
PREFIX = dict(KINDS)
CODES = {
    400: "bad_request",
    401: "invalid_token",
    403: "forbidden",
    404: "not_found",
    409: "customer_already_exists",
    429: "too_many_requests",
}


class PaddleTwin(Twin):
    """State: one list for each kind of record, under Paddle's names."""

    name: ClassVar[str] = "paddle"
    variables: ClassVar[Mapping[str, str]] = {
        "PADDLE_API_URL": "{twin}",
        "PADDLE_API_KEY": "pdl_sdbx_apikey_{secret}",
        "PADDLE_WEBHOOK_SECRET": "pdl_ntfset_{secret}",
    }

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        return {kind: list(self.records[kind].values()) for kind in (*PREFIX, "credit_balances")}

    def put(self, kind: str, record: Object) -> Object:
        """Store a new record; it gets an id of Paddle's shape and its times."""
        prefix = PREFIX[kind]
        id = f"{prefix}_01{hashlib.sha256((prefix + self.new_id(kind)).encode()).hexdigest()[:24]}"
        now = moment()
        made = {"id": id, **record, "created_at": record.get("created_at") or now, "updated_at": now}
        self.records[kind][id] = made
        return made

    def new_customer(self, email: str, name: str | None, account: str = "", status: str = "active") -> Object:
        return self.put(
            "customers",
            {
                "status": status,
                "custom_data": {"account_id": account} if account else None,
                "name": name,
                "email": email,
                "marketing_consent": False,
                "locale": "en",
                "import_meta": None,
            },
        )

    def customers_with(self, email: str) -> list[Object]:
        return [c for c in self.records["customers"].values() if c["email"] == email]

    # -- events -----------------------------------------------------------------------------------------------------

    def notify(self, kind: str, data: Object) -> int:
        """Send an event, signed; returns the app's HTTP status."""
        number = self.new_id("event")
        tail = hashlib.sha256(f"event{number}".encode()).hexdigest()[:24]
        event = {
            "event_id": f"evt_01{tail}",
            "event_type": kind,
            "occurred_at": moment(),
            "notification_id": f"ntf_01{tail}",
            "data": data,
        }
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", "Paddle-Signature": self.sign(body)}
        return self.deliver("/webhooks/paddle", body, headers)

    def sign(self, body: bytes, at: float | None = None) -> str:
        secret = self.world.env.get("PADDLE_WEBHOOK_SECRET", "").split(",")[0].strip().encode()
        ts = str(int(time.time() if at is None else at))
        return f"ts={ts};h1={hmac.new(secret, ts.encode() + b':' + body, hashlib.sha256).hexdigest()}"

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.add_url_rule("/_twin/checkout", "checkout", self._checkout, methods=["POST"])
        register(self, api)

    def error(self, status: int) -> tuple[Any, int]:
        return self.problem(status, CODES.get(status, "internal_error")), status

    def error_in_200(self) -> Any:
        return self.problem(500, "internal_error")

    def problem(self, status: int, code: str, detail: str = "") -> Object:
        return {
            "error": {
                "type": "request_error" if status < 500 else "api_error",
                "code": code,
                "detail": detail or code.replace("_", " "),
                "documentation_url": f"https://developer.paddle.com/v1/errors/shared/{code}",
            },
            "meta": self.meta(),
        }

    def meta(self) -> Object:
        digest = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()
        return {"request_id": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"}

    def refuse(self, status: int, code: str = "", detail: str = "") -> Response:
        answer = jsonify(self.problem(status, code or CODES[status], detail))
        answer.status_code = status
        return answer

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path or request.path.endswith(".pdf"):
            return None
        given = request.headers.get("Authorization", "")
        if not given:
            return self.refuse(401, "authentication_missing")
        wanted = f"Bearer {self.world.env.get('PADDLE_API_KEY', '')}"
        return None if hmac.compare_digest(given.encode(), wanted.encode()) else self.refuse(401)

    def _checkout(self) -> tuple[Response, int]:
        """Somebody buys: `{"email", "name"}`. An archived customer of this address becomes active again."""
        said: Mapping[str, Any] = request.get_json(force=True)
        email = str(said.get("email") or "")
        with self.records.lock:
            known = self.customers_with(email)
            if known:
                customer = {**known[0], "status": "active", "updated_at": moment()}
                self.records["customers"][customer["id"]] = customer
            else:
                customer = self.new_customer(email, str(said.get("name") or "") or None)
            twin_seed.purchase(self, customer, None)
        delivered = self.notify("customer.updated" if known else "customer.created", customer)
        return jsonify({"customer": customer["id"], "delivered": delivered}), 200 if delivered < 300 else 502
