"""A local stand-in of Baremetrics: two sources, one filled by API and one synchronised from Stripe.

Like Baremetrics it queues deletions (202), refuses to delete a customer who has subscriptions, refuses every write to
a synchronised source, and searches fuzzily over id, address, notes and name.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify, request

from integrations.baremetrics import twin_seed
from integrations.baremetrics.twin_seed import OWN
from integrations.twin import Person, Twin

Object = dict[str, Any]
CUSTOMER_LAG_DAYS = 0.02  # a queued deletion of a customer
LIMIT = 3600  # calls an hour
MESSAGES = {
    400: "Bad request",
    401: "Unauthorized. Token not found",
    403: "Forbidden",
    404: "Not found",
    409: "Conflict",
    429: "Rate limit exceeded",
}
BELOW = ("subscriptions", "charges", "refunds")


class BaremetricsTwin(Twin):
    """State: `customers` (their `id` is the `oid`), `subscriptions`, `charges`, `refunds`, `events`, comments.

    `subscription_lag` is how many days a deleted subscription is still listed.
    """

    name: ClassVar[str] = "baremetrics"
    variables: ClassVar[Mapping[str, str]] = {
        "BAREMETRICS_API_URL": "{twin}",
        "BAREMETRICS_API_KEY": "lk_{secret}",
    }
    subscription_lag = 0.0
    refuses_blank_attributes = False

    def seed(self, people: Iterable[Person]) -> None:
        twin_seed.seed(self, people)

    def state(self) -> dict[str, Any]:
        self._purge()
        kinds = ("sources", "customers", *BELOW, "events", "cancellation_events", "attributes")
        return {kind: list(self.records[kind].values()) for kind in kinds}

    def error(self, status: int) -> tuple[Any, int]:
        return {"error": MESSAGES.get(status, "Internal server error")}, status

    def error_in_200(self) -> Any:
        return {"error": "Internal server error"}

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def routes(self, api: Blueprint) -> None:
        api.before_request(self._authenticate)
        api.after_request(_rate_headers)
        add: Callable[..., None] = api.add_url_rule
        add("/v1/sources", "sources", lambda: self._page("sources", list(self.records["sources"].values())))
        add("/v1/<source>/customers", "customers", self._customers)
        add("/v1/<source>/customers/<path:oid>", "customer", self._customer, methods=["GET", "PUT", "DELETE"])
        for kind in BELOW:
            add(f"/v1/<source>/{kind}", kind, self._listed, defaults={"kind": kind})
            add(
                f"/v1/<source>/{kind}/<path:oid>",
                f"{kind}-one",
                self._one,
                defaults={"kind": kind},
                methods=["GET", "DELETE"],
            )
        add("/v1/attributes", "attributes", self._attributes, methods=["POST"])
        add("/v1/attributes/fields", "fields", lambda: jsonify({"fields": twin_seed.FIELDS}))
        add("/v1/cancellation_insights/events", "cancellations", self._cancellations)
        add("/v1/cancellation_insights/events/<id>", "cancellation", self._cancellation, methods=["PUT"])

    def _authenticate(self) -> Any:
        if "/_twin/" in request.path:
            return None
        wanted = f"Bearer {self.world.env.get('BAREMETRICS_API_KEY', '')}"
        given = request.headers.get("Authorization", "")
        self._purge()
        return None if hmac.compare_digest(given.encode(), wanted.encode()) else self._refuse(401)

    def _customers(self, source: str) -> Any:
        if source not in self.records["sources"]:
            return self._refuse(404)
        wanted = request.args.get("search", "").lower()
        found = [
            _shown(c)
            for c in self.records["customers"].values()
            if c["source_id"] == source
            and (not wanted or any(wanted in str(c[f] or "").lower() for f in ("oid", "email", "notes", "name")))
        ]
        return self._page("customers", found)

    def _customer(self, source: str, oid: str) -> Any:
        if oid.endswith("/events"):
            oid = oid.removesuffix("/events")
            events = [
                {k: v for k, v in e.items() if k != "customer_oid"}
                for e in self.records["events"].values()
                if (e["source_id"], e["customer_oid"]) == (source, oid)
            ]
            return self._page("events", events)
        key = f"{source}/{oid}"
        customer = self.records["customers"].get(key)
        if customer is None:
            return self._refuse(404)
        if request.method == "GET":
            return jsonify({"customer": _shown(customer)})
        if source != OWN:
            return self._refuse(400, "This action is only available for the Baremetrics source")
        if request.method == "PUT":
            fields = request.get_json(force=True)
            allowed = {k: v for k, v in fields.items() if k in ("name", "notes", "email", "created")}
            self.records["customers"][key] = customer = {**customer, **allowed}
            return jsonify({"customer": _shown(customer)})
        if any((s["source_id"], s["customer_oid"]) == (source, oid) for s in self.records["subscriptions"].values()):
            return self._refuse(400, "Customer has subscriptions")
        self.records["queue"][f"customers {key}"] = {"at": time.time() + CUSTOMER_LAG_DAYS * self.world.day}
        return jsonify({}), 202

    def _listed(self, source: str, kind: str) -> Any:
        """`customer_oid` filters subscriptions and charges; for refunds it is ignored."""
        oid = request.args.get("customer_oid") if kind != "refunds" else None
        found = [
            _shown_below(kind, r)
            for r in self.records[kind].values()
            if r["source_id"] == source and (oid is None or r["customer_oid"] == oid)
        ]
        return self._page(kind, found)

    def _one(self, source: str, oid: str, kind: str) -> Any:
        key = f"{source}/{oid}"
        record = self.records[kind].get(key)
        if record is None:
            return self._refuse(404)
        if request.method == "GET":
            return jsonify({kind[:-1]: _shown_below(kind, record)})
        if source != OWN:
            return self._refuse(400, "This action is only available for the Baremetrics source")
        if kind != "subscriptions" and record["subscription_oid"]:
            return self._refuse(400, "Only one-off records can be deleted")
        self.records["queue"][f"{kind} {key}"] = {"at": time.time() + self.subscription_lag * self.world.day}
        self._purge()
        return jsonify({}), 202

    def _attributes(self) -> Any:
        asked = request.get_json(force=True)["attributes"]
        if self.refuses_blank_attributes and any(a["value"] == "" for a in asked):
            return self._refuse(400, "value is not a number")
        for attribute in asked:
            self.records["attributes"][f"{attribute['customer_oid']}/{attribute['field_id']}"] = attribute
        return jsonify({"attributes": asked})

    def _cancellations(self) -> Any:
        return self._page("events", list(self.records["cancellation_events"].values()))

    def _cancellation(self, id: str) -> Any:
        event = self.records["cancellation_events"].get(id)
        if event is None:
            return self._refuse(404)
        fields = request.get_json(force=True)
        self.records["cancellation_events"][id] = event = {**event, "comment": fields.get("comment")}
        return jsonify({"event": event})

    def _purge(self) -> None:
        """Carry out the queued deletions whose time has come."""
        with self.records.lock:
            for job, queued in list(self.records["queue"].items()):
                if queued["at"] <= time.time():
                    kind, _, key = job.partition(" ")
                    self.records[kind].pop(key)
                    self.records["queue"].pop(job)
                    self._with(kind, key)

    def _with(self, kind: str, key: str) -> None:
        """What goes with a deleted record: a customer's events and attributes, a subscription's payments."""
        source, _, oid = key.partition("/")
        if kind == "customers":
            self._drop("events", lambda r: (r["source_id"], r["customer_oid"]) == (source, oid))
            self._drop("attributes", lambda r: r["customer_oid"] == oid)
        elif kind == "subscriptions":
            for below in ("charges", "refunds"):
                self._drop(below, lambda r: (r["source_id"], r["subscription_oid"]) == (source, oid))

    def _drop(self, kind: str, which: Callable[[Object], bool]) -> None:
        for id in [id for id, record in self.records[kind].items() if which(record)]:
            del self.records[kind][id]

    def _page(self, key: str, found: list[Any]) -> Response:
        number = max(1, int(request.args.get("page", "1")))
        size = min(int(request.args.get("per_page", "30")), self.page_size)
        shown = found[(number - 1) * size : number * size]
        paging = {"page": number, "per_page": size, "has_more": number * size < len(found)}
        return jsonify({key: shown, "meta": {"pagination": paging}})

    def _refuse(self, status: int, message: str = "") -> Response:
        answer = jsonify({"error": message or MESSAGES[status]})
        answer.status_code = status
        return answer


def _shown(customer: Object) -> Object:
    return {k: v for k, v in customer.items() if k != "id"}


def _shown_below(kind: str, record: Object) -> Object:
    """A subscription shows its customer as an object, the others name its id."""
    if kind != "subscriptions":
        return record
    return {**{k: v for k, v in record.items() if k != "customer_oid"}, "customer": {"oid": record["customer_oid"]}}


def _rate_headers(response: Response) -> Response:
    if "/_twin/" not in request.path:
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Remaining"] = str(LIMIT - 1)
    return response
