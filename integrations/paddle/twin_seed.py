"""What Paddle would hold about the seeded people."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.paddle.twin import PaddleTwin

Object = dict[str, Any]
DAY = 86400
RICHLY = "maria.pop@example.com"  # two spellings, pages of everything, and a subscription that has ended
COUNTRY = {"ro": "RO", "de": "DE", "fr": "FR", "es": "ES"}
PRICE: Object = {
    "id": "pri_01gsz8x8sawmvhz1pv30nge1ke",
    "product_id": "pro_01gsz4t5hdjse780zja8vvr7jg",
    "description": "Monthly",
    "name": "Monthly",
    "type": "standard",
    "billing_cycle": {"frequency": 1, "interval": "month"},
    "trial_period": None,
    "tax_mode": "internal",
    "unit_price": {"amount": "2900", "currency_code": "EUR"},
    "unit_price_overrides": [],
    "quantity": {"minimum": 1, "maximum": 100},
    "status": "active",
    "custom_data": None,
    "import_meta": None,
    "created_at": "2026-01-05T08:00:00.000Z",
    "updated_at": "2026-01-05T08:00:00.000Z",
}


def seed(twin: PaddleTwin, people: Iterable[Person]) -> None:
    """A customer with address, card and purchases each; every fourth one's subscription still runs."""
    for person in people:
        customer = twin.new_customer(person.email, person.name, person.account_id)
        richly = person.email == RICHLY
        runs = not richly and zlib.crc32(person.email.encode()) % 4 == 0
        address = new_address(twin, customer, person)
        subscription = subscribe(twin, customer, address, runs=runs)
        for n in range(7 if richly else 1):
            purchase(twin, customer, address, subscription, days_ago=30 * (n + 1), name=person.name)
        new_card(twin, customer, address, person.name)
        if richly:
            _richly(twin, person, customer, address)


def _richly(twin: PaddleTwin, person: Person, customer: Object, address: Object) -> None:
    for _ in range(3):
        new_card(twin, customer, address, person.name)
        new_address(twin, customer, person)
    old = new_address(twin, customer, person)
    twin.records["addresses"][old["id"]] = {**old, "status": "archived"}
    twin.put(
        "businesses",
        {
            "customer_id": customer["id"],
            "name": person.company or "Atelier Pop SRL",
            "company_number": "J40/1234/2019",
            "tax_identifier": "RO12345678",
            "status": "active",
            "contacts": [
                {"name": person.name, "email": person.email},
                {"name": "Radu Toma", "email": "radu.toma@example.org"},
            ],
            "custom_data": None,
            "import_meta": None,
        },
    )
    first = next(t for t in twin.records["transactions"].values() if t["customer_id"] == customer["id"])
    refund(twin, first)
    twin.records["credit_balances"][customer["id"]] = {
        "customer_id": customer["id"],
        "currency_code": "EUR",
        "balance": {"available": "550", "reserved": "0", "used": "1300"},
    }
    twin.new_customer("Maria.Pop@Example.com", "M. Pop", person.account_id, status="archived")


def new_address(twin: PaddleTwin, customer: Object, person: Person) -> Object:
    return twin.put(
        "addresses",
        {
            "status": "active",
            "customer_id": customer["id"],
            "description": "Home",
            "first_line": "Strada Lungă 12",
            "second_line": None,
            "city": "Brașov",
            "postal_code": "500035",
            "region": "BV",
            "country_code": COUNTRY.get(person.language, "GB"),
            "custom_data": None,
            "import_meta": None,
        },
    )


def new_card(twin: PaddleTwin, customer: Object, address: Object, name: str) -> Object:
    now = moment()
    return twin.put(
        "payment_methods",
        {
            "customer_id": customer["id"],
            "address_id": address["id"],
            "type": "card",
            "card": _card(name),
            "paypal": None,
            "origin": "saved_during_purchase",
            "saved_at": now,
        },
    )


def subscribe(twin: PaddleTwin, customer: Object, address: Object, *, runs: bool) -> Object:
    began, ended = moment(210), None if runs else moment(20)
    return twin.put(
        "subscriptions",
        {
            "status": "active" if runs else "canceled",
            "customer_id": customer["id"],
            "address_id": address["id"],
            "business_id": None,
            "currency_code": "EUR",
            "started_at": began,
            "first_billed_at": began,
            "next_billed_at": moment(-10) if runs else None,
            "paused_at": None,
            "canceled_at": ended,
            "collection_mode": "automatic",
            "billing_details": None,
            "current_billing_period": {"starts_at": moment(20), "ends_at": moment(-10)} if runs else None,
            "billing_cycle": {"frequency": 1, "interval": "month"},
            "scheduled_change": None,
            "items": [
                {
                    "status": "active" if runs else "inactive",
                    "quantity": 1,
                    "recurring": True,
                    "created_at": began,
                    "updated_at": began,
                    "price": PRICE,
                }
            ],
            "custom_data": None,
            "management_urls": {
                "update_payment_method": None,
                "cancel": "https://buyer-portal.paddle.com/subscriptions/cancel",
            },
            "discount": None,
            "import_meta": None,
            "created_at": began,
        },
    )


def purchase(
    twin: PaddleTwin,
    customer: Object,
    address: Object | None,
    subscription: Object | None = None,
    *,
    days_ago: int = 0,
    name: str = "",
) -> Object:
    """A completed transaction, with its invoice number and the payment."""
    at = moment(days_ago)
    totals = {"subtotal": "2437", "tax": "463", "discount": "0", "total": "2900", "grand_total": "2900"}
    return twin.put(
        "transactions",
        {
            "status": "completed",
            "customer_id": customer["id"],
            "address_id": address["id"] if address else None,
            "business_id": None,
            "custom_data": None,
            "origin": "subscription_recurring" if subscription else "web",
            "collection_mode": "automatic",
            "subscription_id": subscription["id"] if subscription else None,
            "invoice_id": None,
            "invoice_number": f"325-{twin.new_id('invoice', 10000)}",
            "billing_details": None,
            "billing_period": None,
            "currency_code": "EUR",
            "discount_id": None,
            "billed_at": at,
            "revised_at": None,
            "items": [{"price_id": PRICE["id"], "price": PRICE, "quantity": 1, "proration": None}],
            "details": {
                "tax_rates_used": [],
                "totals": {
                    **totals,
                    "grand_total_tax": "463",
                    "credit": "0",
                    "credit_to_balance": "0",
                    "balance": "0",
                    "fee": "195",
                    "earnings": "2242",
                    "currency_code": "EUR",
                },
                "line_items": [],
            },
            "payments": [
                {
                    "payment_attempt_id": "e2b9d2f0-0000-4000-8000-000000000001",
                    "payment_method_id": None,
                    "stored_payment_method_id": "7d50b6d0-0000-4000-8000-000000000002",
                    "amount": "2900",
                    "status": "captured",
                    "error_code": None,
                    "method_details": {"type": "card", "card": _card(name)},
                    "created_at": at,
                    "captured_at": at,
                }
            ],
            "checkout": {"url": None},
            "created_at": at,
        },
    )


def refund(twin: PaddleTwin, transaction: Object) -> Object:
    totals = {"subtotal": "92", "tax": "8", "total": "100", "fee": "5", "earnings": "87", "currency_code": "EUR"}
    return twin.put(
        "adjustments",
        {
            "action": "refund",
            "type": "partial",
            "transaction_id": transaction["id"],
            "subscription_id": transaction["subscription_id"],
            "customer_id": transaction["customer_id"],
            "reason": "The import stopped twice.",
            "credit_applied_to_balance": None,
            "currency_code": "EUR",
            "status": "approved",
            "items": [
                {
                    "id": "adjitm_01hvgf2s84dr6reszzg2gx70gj",
                    "item_id": "txnitm_01hvcc94b7qgz60qmrqmbm19zw",
                    "type": "partial",
                    "amount": "100",
                    "proration": None,
                    "totals": {"subtotal": "92", "tax": "8", "total": "100"},
                }
            ],
            "totals": totals,
            "payout_totals": totals,
            "tax_rates_used": [],
        },
    )


def _card(name: str) -> Object:
    return {"type": "visa", "last4": "4242", "expiry_month": 5, "expiry_year": 2028, "cardholder_name": name}


def moment(days_ago: float = 0) -> str:
    """RFC 3339 in UTC, with milliseconds, as Paddle writes it."""
    at = datetime.fromtimestamp(time.time() - days_ago * DAY, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
