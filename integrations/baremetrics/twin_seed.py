"""What Baremetrics would hold about the seeded people."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from integrations.twin import Person

if TYPE_CHECKING:
    from integrations.baremetrics.twin import BaremetricsTwin

Object = dict[str, Any]
DAY = 86400
OWN, STRIPE = "6a1f0c2e-own", "acct_1Stripe"
RICHLY = "maria.pop@example.com"  # pages of subscriptions, payments and events, and two cancellations with comments
FIELDS = [{"id": 11, "name": "Industry", "type": "text"}, {"id": 12, "name": "Phone", "type": "text"}]
PLAN = {"oid": "pro-monthly", "name": "Pro monthly", "currency": "eur", "amount": 2900, "interval": "month"}


def seed(twin: BaremetricsTwin, people: Iterable[Person]) -> None:
    """A customer each: most were pushed by API, every fifth came from Stripe."""
    twin.records["sources"][OWN] = {"id": OWN, "provider": "baremetrics", "provider_id": None}
    twin.records["sources"][STRIPE] = {"id": STRIPE, "provider": "stripe", "provider_id": STRIPE}
    for person in people:
        richly = person.email == RICHLY
        digest = zlib.crc32(person.email.encode())
        synced = not richly and digest % 5 == 0
        source, oid = (STRIPE, f"cus_{digest:08x}") if synced else (OWN, person.account_id or f"u-{digest:08x}")
        new_customer(twin, source, oid, person.email, person.name)
        for n in range(4 if richly else 1):
            subscription = new_record(twin, "subscriptions", source, oid, plan=PLAN, active=n == 0, quantity=1)
            new_record(twin, "charges", source, oid, subscription_oid=subscription["oid"], amount=2900)
        if richly:
            _richly(twin, source, oid)


def _richly(twin: BaremetricsTwin, source: str, oid: str) -> None:
    for n in range(2):
        charge = new_record(twin, "charges", source, oid, subscription_oid=None, amount=900 + n)
        new_record(twin, "refunds", source, oid, subscription_oid=None, charge_oid=charge["oid"], amount=100)
    for n in range(7):
        id = twin.new_id("event")
        twin.records["events"][id] = {
            "id": id,
            "event_type": "subscription.created" if n == 0 else "charge.succeeded",
            "source": "baremetrics",
            "source_id": source,
            "customer_oid": oid,
            "timestamp": int(time.time()) - n * 30 * DAY,
        }
    for text in ("Too expensive for my small shop.", "I asked Andrei twice and got no answer."):
        id = twin.new_id("cancellation")
        twin.records["cancellation_events"][id] = {
            "id": id,
            "customer_oid": oid,
            "source_id": source,
            "reason_id": 3,
            "comment": text,
        }
    twin.records["attributes"][f"{oid}/12"] = {"customer_oid": oid, "field_id": "12", "value": "+40721000111"}


def new_customer(twin: BaremetricsTwin, source: str, oid: str, email: str, name: str) -> Object:
    customer: Object = {
        "id": oid,
        "oid": oid,
        "source_id": source,
        "source": twin.records["sources"][source]["provider"],
        "created": int(time.time()) - 400 * DAY,
        "email": email,
        "name": name,
        "display_image": None,
        "display_name": name,
        "notes": None,
        "ltv": 11600,
        "is_active": True,
        "is_canceled": False,
        "current_mrr": 2900,
        "current_plans": [PLAN],
    }
    twin.records["customers"][f"{source}/{oid}"] = customer
    return customer


def new_record(twin: BaremetricsTwin, kind: str, source: str, customer: str, **fields: Any) -> Object:
    """A subscription, charge or refund of a customer."""
    oid = f"{kind[:3]}_{twin.new_id(kind)}"
    record: Object = {
        "oid": oid,
        "source_id": source,
        "customer_oid": customer,
        "created": int(time.time()) - 90 * DAY,
        **fields,
    }
    twin.records[kind][f"{source}/{oid}"] = record
    return record
