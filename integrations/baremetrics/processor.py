"""Baremetrics as a processor: customers, their subscriptions and payments, in every source.

Only what was pushed by API (the source `baremetrics`) can be erased by API. A source that is synchronised follows the
billing system, so its customers are for a person.

Deleting a customer: https://developers.baremetrics.com/reference/delete-customer
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorRefused, VendorUnavailable
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Residue,
    Support,
    done,
    manual,
    no_match,
)
from integrations.baremetrics.api import Api, Object
from integrations.baremetrics.instructions import INSTRUCTIONS, RECTIFY_SYNCED, SUPPORTS, SYNCED
from integrations.baremetrics.lookup import CUSTOMER, KINDS, Customer, Holding, below, comments, holding
from integrations.baremetrics.settings import BaremetricsSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

QUEUE_DAYS = 0.02  # half an hour: a deletion is queued (202), and asked after by the second look
FIELDS = frozenset({"name", "email"})
SEVERAL = "More than one person may be meant. "
NOTHING = "No customer carries the address in any source."
ATTRIBUTES = Residue("custom attributes at Baremetrics", "Baremetrics did not take a blank value for one of them")


class BaremetricsProcessor(Processor):
    """Finds by exact address in every source; erases in the own source."""

    name: ClassVar[str] = "baremetrics"
    label: ClassVar[str] = "Baremetrics"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", CUSTOMER})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: BaremetricsSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._insights = settings.cancellation_insights

    def find(self, subject: Identities) -> Findings:
        held = holding(self._api, subject)
        counts = {
            "customers": sum(1 for c in held.present if c.own),
            "synced_customers": sum(1 for c in held.present if not c.own),
            "cancellation_comments": sum(1 for _ in self._comments(held)),
            **dict.fromkeys(KINDS, 0),
        }
        for customer in held.customers:
            for kind, records in below(self._api, customer).items():
                counts[kind] += len(records)
        return Findings(
            held={kind: n for kind, n in counts.items() if n},
            identities=held.identities,
            ambiguous=held.doubtful,
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        held = holding(self._api, instruction.subject)
        customers = held.present
        if not customers:
            return
        yield DataFile("customers.json", iter([dict(c.record or {}) for c in customers]))
        yield DataFile("events.json", (e for c in customers for e in self._api.events(c.source, c.oid)))
        for kind in KINDS:
            yield DataFile(f"{kind}.json", self._all(customers, kind))
        yield DataFile("cancellation_comments.json", self._comments(held), origin=Origin.PROVIDED)

    def erase(self, instruction: Instruction) -> Receipt:
        """Blank what is free text, then delete subscriptions, one-off payments, and the customer last.

        Baremetrics refuses to delete a customer who has subscriptions, and payments are found by their customer. An
        interrupted try finds the rest again by the address. Deletions are queued, so the second look comes later.
        """
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(SEVERAL + INSTRUCTIONS[Operation.ERASE])
        counts = {"customers": sum(1 for c in held.present if c.own), "cancellation_comments": 0}
        residue: dict[Residue, None] = {}
        synced = [c for c in held.present if not c.own]
        for event in list(self._comments(held)):
            self._api.blank_comment(event)
            counts["cancellation_comments"] += 1
        fields = self._api.attribute_fields() if held.present else []
        for customer in held.present if fields else ():
            residue |= dict.fromkeys(self._blank_attributes(customer, fields))
        for customer in held.customers:
            if customer.own:
                for kind, n in self._delete(customer).items():
                    counts[kind] = counts.get(kind, 0) + n
        counts = {kind: n for kind, n in counts.items() if n}
        if synced:
            return manual(SYNCED, counts=counts, identities=held.identities, residue=tuple(residue))
        if not counts:
            return no_match(NOTHING)
        return done(counts, identities=held.identities, residue=tuple(residue), ready_after_days=QUEUE_DAYS)

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name and address in the own source; a synchronised source is corrected in the billing system."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(SEVERAL + INSTRUCTIONS[Operation.RECTIFY])
        if not held.present:
            return no_match(NOTHING)
        wanted = {field: value for field, value in instruction.changes.items() if field in FIELDS}
        own = [c for c in held.present if c.own]
        for customer in own if wanted else ():
            self._api.change_customer(customer.source, customer.oid, wanted)
        counts = {"customers": len(own)} if own else {}
        if len(own) < len(held.present) or set(instruction.changes) - FIELDS:
            return manual(RECTIFY_SYNCED, counts=counts, identities=held.identities)
        return done(counts, identities=held.identities)

    def check(self) -> None:
        """The key is good, and the account has at least its list of sources."""
        list(self._api.sources())

    def _delete(self, customer: Customer) -> dict[str, int]:
        left = below(self._api, customer)
        for subscription in left["subscriptions"]:
            self._api.delete(customer.source, "subscriptions", str(subscription["oid"]))
        if left["subscriptions"] and any(self._api.of_customer(customer.source, "subscriptions", customer.oid)):
            raise VendorUnavailable("baremetrics", "is still deleting subscriptions")  # the engine comes again
        for kind in ("refunds", "charges"):
            for record in left[kind]:
                if not record.get("subscription_oid"):  # the others go with their subscription
                    self._api.delete(customer.source, kind, str(record["oid"]))
        if customer.record is not None:
            self._api.delete(customer.source, "customers", customer.oid)
        return {kind: len(records) for kind, records in left.items()}

    def _blank_attributes(self, customer: Customer, fields: list[str]) -> Iterator[Residue]:
        """Overwrite with nothing: there is no route that deletes or reads a value, and a field may want a number."""
        try:
            self._api.blank_attributes(customer.oid, fields)
        except VendorRefused as error:
            if error.status not in (400, 422):
                raise
            yield ATTRIBUTES

    def _comments(self, held: Holding) -> Iterator[Object]:
        return comments(self._api, held.customers) if self._insights else iter(())

    def _all(self, customers: tuple[Customer, ...], kind: str) -> Iterator[Object]:
        for customer in customers:
            yield from self._api.of_customer(customer.source, kind, customer.oid)
