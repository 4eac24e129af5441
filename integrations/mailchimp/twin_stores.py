"""E-commerce stores of the MailChimp twin: customers and their orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

if TYPE_CHECKING:
    from integrations.mailchimp.twin import MailchimpTwin


def routes(twin: MailchimpTwin, api: Blueprint) -> None:
    def stores() -> Any:
        return twin.page("stores", list(twin.records["stores"].values()))

    def customers(store: str) -> Any:
        wanted = request.args.get("email_address")
        found = [c for c in twin.records["customers"].values() if c["store_id"] == store]
        return twin.page("customers", [c for c in found if wanted in (None, c["email_address"])])

    def orders(store: str) -> Any:
        wanted = request.args.get("customer_id")
        found = [o for o in twin.records["orders"].values() if o["store_id"] == store]
        return twin.page("orders", [o for o in found if wanted in (None, o["customer"]["id"])])

    def customer(store: str, id: str) -> Any:
        return _one(twin, "customers", store, id)

    def order(store: str, id: str) -> Any:
        return _one(twin, "orders", store, id)

    base = "/3.0/ecommerce/stores"
    api.add_url_rule(base, "stores", stores)
    api.add_url_rule(f"{base}/<store>/customers", "customers", customers)
    api.add_url_rule(f"{base}/<store>/orders", "orders", orders)
    methods = ["GET", "PATCH", "DELETE"]
    api.add_url_rule(f"{base}/<store>/customers/<id>", "customer", customer, methods=methods)
    api.add_url_rule(f"{base}/<store>/orders/<id>", "order", order, methods=methods)


def _one(twin: MailchimpTwin, kind: str, store: str, id: str) -> Any:
    """Deleting a customer leaves the orders, whose `customer` still names the person."""
    with twin.records.lock:
        found = twin.records[kind].get(f"{store}/{id}")
        if not found:
            return twin.refuse(404)
        if request.method == "DELETE":
            del twin.records[kind][f"{store}/{id}"]
            return "", 204
        if request.method == "PATCH":
            allowed = ("first_name", "last_name", "company", "opt_in_status")
            found = {**found, **{k: v for k, v in request.get_json().items() if k in allowed}}
            twin.records[kind][f"{store}/{id}"] = found
    return jsonify(found)
