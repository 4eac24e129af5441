"""Paddle Billing as a processor: customers and what stands below them.

Paddle is the merchant of record: for purchases it is a controller of its own, and has no API that erases. We empty and
archive what we can, and a person sends the data deletion request to Paddle.

Customers: https://developer.paddle.com/api-reference/customers/overview
Deletion: https://www.paddle.com/help, "Requesting buyer data deletion"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dsr.errors import VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Receipt,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.paddle import instructions as texts
from integrations.paddle.api import Api, Object, path_id
from integrations.paddle.export import files
from integrations.paddle.lookup import (
    BLANK_ADDRESS,
    BLANK_BUSINESS,
    BLANK_CUSTOMER,
    CUSTOMER,
    Holding,
    Lookup,
    is_blank,
)
from integrations.paddle.settings import PaddleSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

RESTRICTED = "privacy_restricted"  # its value: the status to return to
FLAG_OF_RIGHT = {Right.AGE_REPORT: "privacy_under_16_reported", Right.OBJECTION: "privacy_objection"}
FIELDS = frozenset({"name", "email"})
SEVERAL = "More than one person may be meant. "


class PaddleProcessor(Processor):
    """Finds by exact address and known customer ids; erases what an API key can reach."""

    name: ClassVar[str] = "paddle"
    label: ClassVar[str] = "Paddle.com, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = texts.SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", CUSTOMER})
    instructions: ClassVar[Mapping[Operation, str]] = texts.INSTRUCTIONS

    def __init__(self, settings: PaddleSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._lookup = Lookup(self._api, settings)

    def find(self, subject: Identities) -> Findings:
        """Counts of what can be emptied; transactions are residue from the start."""
        held = self._lookup.holding(subject)
        counts = {"customers": len(held.customers)}
        for id in held.ids:
            counts["live_subscriptions"] = counts.get("live_subscriptions", 0) + self._lookup.live_subscriptions(id)
            for kind, records in self._lookup.left(id).items():
                counts[kind] = counts.get(kind, 0) + len(records)
        return Findings(
            held={kind: n for kind, n in counts.items() if n},
            identities=held.identities,
            ambiguous=held.doubtful,
            residue=(texts.TRANSACTIONS,) if self._lookup.has_transactions(held.ids) else (),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        held = self._lookup.holding(instruction.subject)
        mine = {e.strip().lower() for e in instruction.subject.of("email")}
        yield from files(self._api, held.customers, mine)

    def erase(self, instruction: Instruction) -> Receipt:
        """Empty and archive, then leave the request to Paddle to a person.

        The address is replaced last, in one change with the rest of the customer: until then an interrupted try finds
        the customer by it again, and afterwards by the placeholder, which names the request. A customer whose
        subscription runs is left as it is: whether to cancel is decided by people.
        """
        held = self._lookup.holding(instruction.subject, instruction.reference)
        if held.doubtful:
            return manual(SEVERAL + texts.INSTRUCTIONS[Operation.ERASE])
        if not held.ids:
            return no_match("No customer carries the address, active or archived.")
        living = [id for id in held.customers if self._lookup.live_subscriptions(id)]
        counts = {"customers": len(held.ids) - len(living)}
        taken = {str(c.get("email")).lower() for c in held.blanked.values()}
        free = [p for p in self._lookup.placeholders(instruction.reference) if p not in taken]
        for id, customer in {**held.blanked, **held.customers}.items():
            if id in living:
                continue
            for kind, n in self._empty(id).items():
                counts[kind] = counts.get(kind, 0) + n
            if id in held.customers and not free:
                raise VendorRefused("paddle", "more customers carry this address than one erasure can empty")
            email = free.pop(0) if id in held.customers else str(customer.get("email"))
            self._change(id, customer, {**BLANK_CUSTOMER, "email": email})
        residue = (texts.TRANSACTIONS,) if self._lookup.has_transactions(held.ids) else ()
        note = (texts.LIVE_SUBSCRIPTION if living else "") + texts.DELETION_REQUEST
        counts = {kind: n for kind, n in counts.items() if n}
        return manual(note, counts=counts, identities=held.identities, residue=residue)

    def suppress(self, instruction: Instruction) -> Receipt:
        """Flags in `custom_data`, which reach the company's systems by webhook: Paddle itself mails receipts only, and
        sets `marketing_consent` on its own. Somebody unknown is not created."""
        held = self._lookup.holding(instruction.subject)
        flag = FLAG_OF_RIGHT.get(instruction.right)
        for id, customer in held.customers.items():
            self._flag(id, customer, {"marketing": False, **({flag: True} if flag else {})})
        return self._touched(held)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Mark and archive. With a running subscription only mark, for archiving would end its billing."""
        held = self._lookup.holding(instruction.subject)
        if held.doubtful:
            return manual(SEVERAL + texts.INSTRUCTIONS[Operation.RESTRICT])
        running = False
        for id, customer in held.customers.items():
            was = (customer.get("custom_data") or {}).get(RESTRICTED) or customer.get("status")
            live = self._lookup.live_subscriptions(id) > 0
            self._flag(id, customer, {RESTRICTED: was}, None if live else "archived")
            running = running or live
        if running:
            return manual(texts.PAUSE, counts={"customers": len(held.customers)}, identities=held.identities)
        return self._touched(held)

    def lift(self, instruction: Instruction) -> Receipt:
        """Unmark, and return to the status from before. What `suppress` stopped stays stopped."""
        held = self._lookup.holding(instruction.subject)
        for id, customer in held.customers.items():
            was = (customer.get("custom_data") or {}).get(RESTRICTED)
            if was:
                self._flag(id, customer, {RESTRICTED: None}, "archived" if was == "archived" else "active")
        return self._touched(held)

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Take the flag `marketing` away; others stay."""
        held = self._lookup.holding(instruction.subject)
        for id, customer in held.customers.items():
            self._flag(id, customer, {"marketing": None})
        return self._touched(held)

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name and e-mail address of the customer; the rest, and issued invoices, are for an agent.

        Two customers cannot carry one address, so with several of them an agent changes it.
        """
        held = self._lookup.holding(instruction.subject)
        if held.doubtful:
            return manual(SEVERAL + texts.INSTRUCTIONS[Operation.RECTIFY])
        able = FIELDS if len(held.customers) < 2 else FIELDS - {"email"}
        wanted = {field: value for field, value in instruction.changes.items() if field in able}
        for id, customer in held.customers.items():
            self._change(id, customer, wanted)
        if held.customers and set(instruction.changes) - able:
            counts = {"customers": len(held.customers)}
            return manual(texts.INVOICES_AND_MORE, counts=counts, identities=held.identities)
        return self._touched(held, "Invoices that were issued are not changed by this.")

    def check(self) -> None:
        self._api.check()

    def _empty(self, id: str) -> dict[str, int]:
        """Delete the payment methods, blank and archive addresses and businesses of a customer."""
        left, path = self._lookup.left(id), f"customers/{path_id(id)}"
        for method in left["payment_methods"]:
            self._api.delete_payment_method(id, str(method["id"]))
        for kind, blank in (("addresses", BLANK_ADDRESS), ("businesses", BLANK_BUSINESS)):
            for record in left[kind]:
                self._api.patch(f"{path}/{kind}/{path_id(str(record['id']))}", blank)
        return {kind: len(records) for kind, records in left.items()}

    def _flag(self, id: str, customer: Object, flags: Mapping[str, Any], status: str | None = None) -> None:
        """Merge flags into `custom_data`, which a change replaces as a whole; None takes a flag away."""
        merged = {**(customer.get("custom_data") or {}), **flags}
        kept = {key: value for key, value in merged.items() if value is not None}
        self._change(id, customer, {"custom_data": kept, **({"status": status} if status else {})})

    def _change(self, id: str, customer: Object, fields: Mapping[str, Any]) -> None:
        """Nothing is sent when nothing changes: each change is a webhook."""
        if not is_blank(customer, fields):
            self._api.patch(f"customers/{path_id(id)}", fields)

    def _touched(self, held: Holding, note: str = "") -> Receipt:
        if not held.customers:
            return no_match("No customer carries the address, active or archived.")
        return done({"customers": len(held.customers)}, identities=held.identities, note=note)
