"""Which of Baremetrics' records are about a person: in every source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dsr.model import Identities, Identity
from integrations.baremetrics.api import OWN, Api, Object

CUSTOMER = "baremetrics.customer"  # value: `<source id>/<oid>`
KINDS = ("subscriptions", "charges", "refunds")


@dataclass(frozen=True)
class Customer:
    """One customer of the person in one source.

    Args:
        own: the source is filled by API, so it can be changed; others follow the billing system.
        record: None if we knew the id and the customer does not exist any more.
    """

    source: str
    oid: str
    own: bool
    record: Object | None

    @property
    def identity(self) -> Identity:
        return Identity(CUSTOMER, f"{self.source}/{self.oid}")


@dataclass(frozen=True)
class Holding:
    """Args:
    doubtful: more than one person may be meant.
    """

    customers: tuple[Customer, ...]
    doubtful: bool

    @property
    def present(self) -> tuple[Customer, ...]:
        return tuple(c for c in self.customers if c.record is not None)

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(c.identity for c in self.customers)


def holding(api: Api, subject: Identities) -> Holding:
    """Customers of the person in all sources.

    The search is fuzzy over id, address, notes and name, so the address is compared here. In the own source a customer
    is also looked up by the company's account id, which is usually its `oid`.
    """
    emails = {e.strip().lower() for e in subject.of("email")}
    accounts = set(subject.of("account_id"))
    known = [tuple(value.split("/", 1)) for value in subject.of(CUSTOMER) if "/" in value]
    found: dict[tuple[str, str], Customer] = {}
    doubtful = False
    for source in api.sources():
        id, own = str(source["id"]), source["provider"] == OWN
        hits = {str(c["oid"]): c for email in sorted(emails) for c in _searched(api, id, email)}
        asked = [oid for at, oid in known if at == id] + (sorted(accounts) if own else [])
        for oid in dict.fromkeys((*hits, *asked)):
            record = hits.get(oid) or api.customer(id, oid)
            if record is not None and _address(record) not in emails | {""}:
                doubtful = True  # an id of ours that carries somebody's other address
                continue
            if record is not None or (id, oid) in known:
                found[id, oid] = Customer(id, oid, own, record)
        ours = {oid for at, oid in found if at == id and own}
        doubtful = doubtful or (len(ours) > 1 and not ours <= accounts)
    return Holding(tuple(found.values()), doubtful)


def below(api: Api, customer: Customer) -> dict[str, list[Object]]:
    """What stands below a customer, also one who is gone: kind -> records."""
    return {kind: list(api.of_customer(customer.source, kind, customer.oid)) for kind in KINDS}


def comments(api: Api, customers: tuple[Customer, ...]) -> Iterator[Object]:
    """Cancellations that the customers explained in their own words."""
    mine = {(c.source, c.oid) for c in customers}
    oids = {oid for _, oid in mine}
    for event in api.cancellations() if mine else ():
        oid, source = str(event.get("customer_oid")), str(event.get("source_id") or "")
        if event.get("comment") and ((source, oid) in mine if source else oid in oids):
            yield event


def _searched(api: Api, source: str, email: str) -> Iterator[Object]:
    for customer in api.pages(f"{source}/customers", "customers", {"search": email}):
        if _address(customer) == email and customer.get("oid"):
            yield customer


def _address(customer: Object) -> str:
    return str(customer.get("email") or "").strip().lower()
