"""Everything that Paddle's API shows about a person, as files of an export package, with the invoices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dsr.model import DataFile, Origin
from integrations.paddle.api import EVERY_STATUS, Api, Object, path_id

# file -> path below the customer, and what must be asked to see all
BELOW: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "addresses.json": ("addresses", {"status": EVERY_STATUS}),
    "payment_methods.json": ("payment-methods", {}),
    "credit_balances.json": ("credit-balances", {}),
}
TRANSACTION_PARTS = "address,adjustments,business,discount"


def files(api: Api, customers: Mapping[str, Object], mine: set[str]) -> Iterator[DataFile]:
    """The files; a row or an invoice is read when it is asked for.

    Args:
        mine: the person's addresses; other people who are contacts of the same business are left out.
    """
    if not customers:
        return
    ids = list(customers)
    yield DataFile("customers.json", iter(list(customers.values())), origin=Origin.PROVIDED)
    for name, (path, params) in BELOW.items():
        yield DataFile(name, _below(api, ids, path, params))
    businesses = _below(api, ids, "businesses", {"status": EVERY_STATUS})
    yield DataFile("businesses.json", (_masked(business, mine) for business in businesses))
    yield DataFile("subscriptions.json", _of(api, ids, "subscriptions", {}))
    parts = {"include": TRANSACTION_PARTS}
    yield DataFile("transactions.json", (_masked_inside(row, mine) for row in _of(api, ids, "transactions", parts)))
    yield DataFile("adjustments.json", _of(api, ids, "adjustments", {}))
    for transaction in _of(api, ids, "transactions", {}):
        if has_invoice(transaction):
            number = re.sub(r"[^\w-]", "_", str(transaction["invoice_number"]))
            yield DataFile(
                f"invoices/{number}.pdf", content=_pdf(api, str(transaction["id"])), media_type="application/pdf"
            )


def has_invoice(transaction: Object) -> bool:
    """Paddle makes a PDF once money was taken, or for an invoice that was sent; none for a value of zero."""
    by_invoice = transaction.get("collection_mode") == "manual"
    ready = transaction.get("status") in (("billed", "completed") if by_invoice else ("completed",))
    total = ((transaction.get("details") or {}).get("totals") or {}).get("grand_total")
    return ready and bool(transaction.get("invoice_number")) and str(total) != "0"


def _below(api: Api, ids: list[str], path: str, params: Mapping[str, str]) -> Iterator[Object]:
    for id in ids:
        yield from api.pages(f"customers/{path_id(id)}/{path}", params)


def _of(api: Api, ids: list[str], path: str, params: Mapping[str, str]) -> Iterator[Object]:
    for id in ids:
        yield from api.pages(path, {"customer_id": path_id(id), **params})


def _pdf(api: Api, transaction: str) -> Iterator[bytes]:
    yield api.invoice(transaction)


def _masked_inside(transaction: Object, mine: set[str]) -> Object:
    business: Any = transaction.get("business")
    return {**transaction, "business": _masked(business, mine)} if isinstance(business, dict) else transaction


def _masked(business: Object, mine: set[str]) -> Object:
    contacts = business.get("contacts") or []
    return {**business, "contacts": [c for c in contacts if str(c.get("email") or "").strip().lower() in mine]}
