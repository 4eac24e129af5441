"""The paths of Paddle's API as the twin answers them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from integrations.paddle.twin_seed import moment

if TYPE_CHECKING:
    from integrations.paddle.twin import PaddleTwin

Object = dict[str, Any]
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# what a change may name (the rest is refused: additionalProperties is false)
CHANGEABLE: Mapping[str, frozenset[str]] = {
    "customers": frozenset({"name", "email", "marketing_consent", "status", "custom_data", "locale", "import_meta"}),
    "addresses": frozenset(
        {
            "description",
            "first_line",
            "second_line",
            "city",
            "postal_code",
            "region",
            "country_code",
            "custom_data",
            "status",
        }
    ),
    "businesses": frozenset({"name", "company_number", "tax_identifier", "status", "contacts", "custom_data"}),
}
PDF = b"%PDF-1.4\n% Invoice made by the twin\n%%EOF\n"


def register(twin: PaddleTwin, api: Blueprint) -> None:
    """Add every path to the blueprint."""
    routes = _Routes(twin)
    add: Callable[..., None] = api.add_url_rule
    add("/customers", "customers", routes.customers)
    add("/customers/<id>", "customer", routes.customer, methods=["GET", "PATCH"])
    add("/customers/<id>/credit-balances", "credit", routes.credit)
    add("/customers/<id>/payment-methods", "methods", routes.methods)
    add("/customers/<id>/payment-methods/<method>", "method", routes.method, methods=["GET", "DELETE"])
    for kind in ("addresses", "businesses"):
        add(f"/customers/<id>/{kind}", kind, routes.below, defaults={"kind": kind})
        add(
            f"/customers/<id>/{kind}/<record>",
            f"{kind}-one",
            routes.one_below,
            defaults={"kind": kind},
            methods=["GET", "PATCH"],
        )
    for kind in ("subscriptions", "transactions", "adjustments"):
        add(f"/{kind}", kind, routes.of_customers, defaults={"kind": kind})
    add("/transactions/<id>/invoice", "invoice", routes.invoice)
    add("/invoices/<id>.pdf", "pdf", routes.pdf)


class _Routes:
    def __init__(self, twin: PaddleTwin) -> None:
        self._twin = twin

    def customers(self) -> Response:
        """Filters: exact addresses, ids, status (default: active), and a search that finds parts."""
        emails, ids, search = _listed("email"), _listed("id"), request.args.get("search", "").lower()
        wanted = _listed("status") or ["active"]
        found = [c for c in self._twin.records["customers"].values() if c["status"] in wanted]
        if emails:
            found = [c for c in found if c["email"] in emails]
        if ids:
            found = [c for c in found if c["id"] in ids]
        if search:
            found = [c for c in found if any(search in str(c[f] or "").lower() for f in ("id", "name", "email"))]
        return self._page(found, "customers")

    def customer(self, id: str) -> Any:
        customers = self._twin.records["customers"]
        if id not in customers:
            return self._twin.refuse(404)
        if request.method == "GET":
            return self._one(customers[id])
        fields = request.get_json(force=True)
        email = fields.get("email", customers[id]["email"])
        if not isinstance(email, str) or not EMAIL.fullmatch(email):
            return self._twin.refuse(400, "invalid_field", "email")
        if any(c["email"] == email and c["id"] != id for c in customers.values()):
            return self._twin.refuse(409)
        answer = self._change("customers", id, {k: v for k, v in fields.items() if k != "marketing_consent"})
        if answer.status_code == 200:
            self._twin.notify("customer.updated", customers[id])
        return answer

    def credit(self, id: str) -> Response:
        balances = self._twin.records["credit_balances"].values()
        return jsonify({"data": [b for b in balances if b["customer_id"] == id], "meta": self._twin.meta()})

    def methods(self, id: str) -> Response:
        methods = self._twin.records["payment_methods"].values()
        found = [_without_times(m) for m in methods if m["customer_id"] == id]
        return self._page(found, f"customers/{id}/payment-methods")

    def method(self, id: str, method: str) -> Any:
        methods = self._twin.records["payment_methods"]
        if method not in methods or methods[method]["customer_id"] != id:
            return self._twin.refuse(404)
        if request.method == "GET":
            return self._one(_without_times(methods[method]))
        del methods[method]
        return "", 204

    def below(self, id: str, kind: str) -> Response:
        if id not in self._twin.records["customers"]:
            return self._twin.refuse(404)
        wanted = _listed("status") or ["active"]
        records = self._twin.records[kind].values()
        found = [r for r in records if r["customer_id"] == id and r["status"] in wanted]
        return self._page(found, f"customers/{id}/{kind}")

    def one_below(self, id: str, record: str, kind: str) -> Response:
        records = self._twin.records[kind]
        if record not in records or records[record]["customer_id"] != id:
            return self._twin.refuse(404)
        if request.method == "GET":
            return self._one(records[record])
        fields = request.get_json(force=True)
        if "contacts" in fields:
            fields["contacts"] = fields["contacts"] or []
        return self._change(kind, record, fields)

    def of_customers(self, kind: str) -> Response:
        ids, include = _listed("customer_id"), _listed("include")
        found = [r for r in self._twin.records[kind].values() if not ids or r["customer_id"] in ids]
        if kind == "transactions":
            found = [self._with(t, include) for t in found]
        return self._page(found, kind)

    def invoice(self, id: str) -> Response:
        transaction = self._twin.records["transactions"].get(id)
        if not transaction or transaction["status"] not in ("billed", "completed"):
            return self._twin.refuse(404, "transaction_invoice_not_found")
        url = f"{self._twin.world.base_url}/paddle/invoices/{id}.pdf"
        return self._one({"url": url})

    def pdf(self, id: str) -> Response:
        return Response(PDF, content_type="application/pdf")

    def _with(self, transaction: Object, include: list[str]) -> Object:
        """The related records that were asked for, as they are now."""
        records, shown = self._twin.records, dict(transaction)
        for name, kind in (("address", "addresses"), ("business", "businesses"), ("customer", "customers")):
            if name in include and transaction[f"{name}_id"]:
                shown[name] = records[kind][transaction[f"{name}_id"]]
        if "adjustments" in include:
            shown["adjustments"] = [
                a for a in records["adjustments"].values() if a["transaction_id"] == transaction["id"]
            ]
        return shown

    def _change(self, kind: str, id: str, fields: Object) -> Response:
        if set(fields) - CHANGEABLE[kind] or fields.get("status", "active") not in ("active", "archived"):
            return self._twin.refuse(400)
        with self._twin.records.lock:
            record = {**self._twin.records[kind][id], **fields, "updated_at": moment()}
            self._twin.records[kind][id] = record
        return self._one(record)

    def _one(self, record: Object) -> Response:
        return jsonify({"data": record, "meta": self._twin.meta()})

    def _page(self, found: list[Object], path: str) -> Response:
        """At most `page_size` records, whatever was asked for, so that paging is always exercised."""
        after = request.args.get("after", "")
        rest = found
        if after:
            place = next((n for n, record in enumerate(found) if record["id"] == after), None)
            if place is None:
                return self._twin.refuse(400, "invalid_field", "after")
            rest = found[place + 1 :]
        size = min(int(request.args.get("per_page", "50")), self._twin.page_size)
        shown = rest[:size]
        last = shown[-1]["id"] if shown else after
        query = urlencode({**request.args.to_dict(), "after": last})  # what was asked for stays asked for
        pagination = {
            "per_page": size,
            "next": f"{self._twin.world.base_url}/paddle/{path}?{query}",
            "has_more": len(rest) > size,
            "estimated_total": len(found),
        }
        return jsonify({"data": shown, "meta": {**self._twin.meta(), "pagination": pagination}})


def _listed(name: str) -> list[str]:
    return [value for value in request.args.get(name, "").split(",") if value]


def _without_times(method: Object) -> Object:
    return {key: value for key, value in method.items() if key != "created_at"}
