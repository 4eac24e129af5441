"""MailChimp as a processor: members of audiences, customers and orders of connected stores.

Every audience is asked by the address's hash: the search index lags behind, the members do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected, VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Origin,
    Receipt,
    Residue,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.mailchimp import rows
from integrations.mailchimp.api import Api, Object, subscriber_hash
from integrations.mailchimp.instructions import INSTRUCTIONS, RESUBSCRIBE, SUPPORTS
from integrations.mailchimp.settings import MailchimpSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

# file -> path and key of a member's sub-records
FILES = {
    "tags": ("tags", "tags"),
    "notes": ("notes", "notes"),
    "activity": ("activity-feed", "activity"),
    "events": ("events", "events"),
    "goals": ("goals", "goals"),
}


class MailchimpProcessor(Processor):
    """One MailChimp account. MailChimp Transactional (Mandrill) is another product, which this does not reach."""

    name: ClassVar[str] = "mailchimp"
    label: ClassVar[str] = "MailChimp"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS
    resubscribe_hint: ClassVar[str] = RESUBSCRIBE
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", rows.MEMBER, rows.CUSTOMER})

    def __init__(self, settings: MailchimpSettings, policy: Policy) -> None:
        self._api = Api(settings)

    def check(self) -> None:
        self._api.check()

    def find(self, subject: Identities) -> Findings:
        held = self._held(subject)
        orders = sum(1 for store, c in held.customers for _ in self._api.orders(store, str(c["id"])))
        counts = {"audience members": len(held.members), "customers": len(held.customers), "orders": orders}
        return Findings(counts, identities=held.identities, ambiguous=held.ambiguous)

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        held = self._held(instruction.subject)
        yield DataFile(
            "members.json", ({"audience": a, **rows.shown(m)} for a, m in held.members), origin=Origin.PROVIDED
        )
        for name, (path, key) in FILES.items():
            yield DataFile(f"{name}.json", self._records(held, path, key))
        yield DataFile("customers.json", ({"store": s, **rows.shown(c)} for s, c in held.customers))
        yield DataFile("orders.json", self._orders(held))

    def suppress(self, instruction: Instruction) -> Receipt:
        """`unsubscribed` in every audience. An unknown address gets no profile: nothing is sent to it."""
        members = list(self._members(instruction.subject))
        for audience, member in members:
            self._stop(audience, member)
            if instruction.right is Right.AGE_REPORT:
                self._api.tag(audience, member["id"], rows.UNDER_16, active=True)
        return _counted(members)

    def restrict(self, instruction: Instruction) -> Receipt:
        """`unsubscribed`, and a tag that segments must leave out."""
        members = list(self._members(instruction.subject))
        for audience, member in members:
            self._stop(audience, member)
            self._api.tag(audience, member["id"], rows.RESTRICTED, active=True)
        return _counted(members)

    def lift(self, instruction: Instruction) -> Receipt:
        """Takes the tag away. Only the person can subscribe again, by the sign-up form."""
        members = list(self._members(instruction.subject))
        for audience, member in members:
            self._api.tag(audience, member["id"], rows.RESTRICTED, active=False)
            if instruction.right is Right.AGE_REPORT:
                self._api.tag(audience, member["id"], rows.UNDER_16, active=False)
        note = "The tag is gone; promotional mail stays stopped until the person signs up again."
        return _counted(members, note)

    def stands(self, instruction: Instruction) -> bool | None:
        members = [member for _, member in self._members(instruction.subject)]
        if instruction.operation is Operation.RESTRICT and not all(rows.tagged(m, rows.RESTRICTED) for m in members):
            return False
        return not any(rows.stopped(member) for member in members)

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """`pending`: MailChimp mails the person a link to confirm, and subscribes nobody without it.

        Text messages stay stopped. Archived and bounced contacts were not stopped by us and stay as they are.
        """
        members = list(self._members(instruction.subject))
        marked = [m for _, m in members if rows.marked(m)]
        refused = False
        for audience, member in members:
            if member.get("status") != "unsubscribed" or member in marked:
                continue
            try:
                changed = self._api.change_member(audience, member["id"], {"status": "pending"})
            except VendorRefused as error:
                if error.code != "Member In Compliance State":
                    raise
                refused = True
            else:
                if changed.get("status") not in rows.MAILABLE:
                    raise VendorAnswerUnexpected("mailchimp", "did not begin to subscribe a member again")
        if marked or refused:
            identities = rows.Held(members, (), False).identities
            return manual(self.resubscribing(), counts={"audience members": len(members)}, identities=identities)
        return _counted(members, "MailChimp mails the person a link; pressing it subscribes them again.")

    def rectify(self, instruction: Instruction) -> Receipt:
        new = instruction.changes.get("email", "").lower()
        # A second call finds the member under the new address.
        held = self._held(instruction.subject.plus([Identity("email", new)] if new else []))
        if held.ambiguous:
            return manual(INSTRUCTIONS[Operation.RECTIFY], identities=held.identities)
        if not held.members and not held.customers:
            return no_match()
        for audience, member in held.members:
            changes = rows.corrected(member, instruction.changes)
            if changes:
                self._api.change_member(audience, member["id"], changes)
        for store, customer in held.customers:
            fields = rows.corrected_customer(customer, instruction.changes)
            if fields:
                self._api.change_customer(store, str(customer["id"]), fields)
        counts = {"audience members": len(held.members), "customers": len(held.customers)}
        return done(counts, identities=held.identities)

    def erase(self, instruction: Instruction) -> Receipt:
        """Unsubscribed first, so that an import in between stays blocked; then stores, then members, for good.

        Whether deleting a member also deletes the customer of a store is not documented: both are deleted and asked.
        """
        subject = instruction.subject
        held = self._held(subject)
        if held.ambiguous:
            return manual(INSTRUCTIONS[Operation.ERASE], identities=held.identities)
        counts = {"audience members": 0, "customers": 0, "orders": 0}
        for audience, member in held.members:
            self._stop(audience, member)
        for store, customer in held.customers:
            for order in list(self._api.orders(store, str(customer["id"]))):
                counts["orders"] += self._api.delete_order(store, str(order["id"]))
            counts["customers"] += self._api.delete_customer(store, str(customer["id"]))
        for audience, member in held.members:
            counts["audience members"] += self._api.delete_member(audience, member["id"])
        left = self._held(subject.plus(held.identities))
        if left.members or left.customers:
            raise VendorAnswerUnexpected("mailchimp", "still holds what it said it had deleted")
        known = held.identities or subject.of(rows.MEMBER) or subject.of(rows.CUSTOMER)
        if not known:
            return no_match()
        residue: tuple[Residue, ...] = (rows.BLOCK, rows.REPORTS)
        return done(counts, identities=held.identities, residue=residue)

    # -- what there is ----------------------------------------------------------------------------------------------

    def _members(self, subject: Identities) -> Iterator[tuple[str, Object]]:
        """Members with exactly the person's addresses, in every audience and whatever state."""
        for audience in self._api.audiences():
            for address in subject.of("email"):
                member = self._api.member(audience, subscriber_hash(address))
                if member:
                    yield audience, member

    def _held(self, subject: Identities) -> rows.Held:
        """The members and customers by address, and those that were the person's when they were found before."""
        addresses = subject.of("email")
        members = {(audience, str(m["id"])): m for audience, m in self._members(subject)}
        customers: dict[tuple[str, str], Object] = {}
        for audience, id in _pairs(subject.of(rows.MEMBER)):
            member = self._api.member(audience, id)
            if member:
                members[audience, member["id"]] = member
        for store in self._api.stores():
            for address in addresses:
                customers |= {(store, str(c["id"])): c for c in self._api.customers(store, address)}
        for store, id in _pairs(subject.of(rows.CUSTOMER)):
            customer = self._api.customer(store, id)
            if customer:
                customers[store, id] = customer
        found = [(audience, m) for (audience, _), m in members.items()]
        bought = [(store, c) for (store, _), c in customers.items()]
        return rows.Held(found, bought, rows.ambiguous(members.values(), bought, addresses))

    def _stop(self, audience: str, member: Object) -> None:
        changes = rows.stopped(member)
        if not changes:
            return
        try:
            changed = self._api.change_member(audience, member["id"], changes)
        except VendorRefused as refused:
            if refused.code != "Member In Compliance State":
                raise
            changed = self._api.member(audience, member["id"]) or {}  # unsubscribed or bounced meanwhile
        if changed.get("status") in rows.MAILABLE:
            raise VendorAnswerUnexpected("mailchimp", "still has a member subscribed that was to be unsubscribed")

    def _records(self, held: rows.Held, path: str, key: str) -> Iterator[Object]:
        for audience, member in held.members:
            for record in self._api.member_pages(audience, member["id"], path, key):
                yield {"audience": audience, **rows.shown(record)}

    def _orders(self, held: rows.Held) -> Iterator[Object]:
        for store, customer in held.customers:
            for order in self._api.orders(store, str(customer["id"])):
                yield {"store": store, **rows.shown(order)}


def _counted(members: list[tuple[str, Object]], note: str = "") -> Receipt:
    if not members:
        return no_match("in no audience")
    identities = rows.Held(members, (), False).identities
    return done({"audience members": len(members)}, identities=identities, note=note)


def _pairs(values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for value in values:
        first, _, second = value.partition("/")
        if first and second:
            yield first, second
