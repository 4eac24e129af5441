"""Which of Paddle's records are about a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dsr.model import Identities, Identity
from integrations.paddle.api import EVERY_STATUS, Api, Object, path_id
from integrations.paddle.settings import PaddleSettings

CUSTOMER = "paddle.customer"
LIVE = frozenset({"active", "past_due", "paused", "trialing"})  # the contract still runs
PLACEHOLDERS = 5  # customers that one erasure can blank; an address has one customer, in other spellings a few

# What a blanked record looks like; a business must keep a name, and an address its country.
BLANK_ADDRESS: Mapping[str, object] = {
    **dict.fromkeys(("first_line", "second_line", "city", "postal_code", "region", "custom_data")),
    "status": "archived",
}
BLANK_BUSINESS: Mapping[str, object] = {
    "name": "Erased",
    "company_number": None,
    "tax_identifier": None,
    "contacts": [],
    "custom_data": None,
    "status": "archived",
}
BLANK_CUSTOMER: Mapping[str, object] = {"name": None, "custom_data": None, "status": "archived"}


@dataclass(frozen=True)
class Holding:
    """What is held about one person.

    Args:
        customers: by id, as Paddle has them now.
        blanked: those whom an earlier erasure has already emptied.
        doubtful: more than one person may be meant.
    """

    customers: dict[str, Object]
    blanked: dict[str, Object]
    doubtful: bool

    @property
    def ids(self) -> list[str]:
        return [*self.customers, *self.blanked]

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(Identity(CUSTOMER, id) for id in self.ids)


class Lookup:
    """Args:
    api: where to ask.
    settings: names the field of the account id and the domain of erased customers.
    """

    def __init__(self, api: Api, settings: PaddleSettings) -> None:
        self._api = api
        self._account_field = settings.account_field
        self._domain = settings.erased_domain

    def holding(self, subject: Identities, reference: str = "") -> Holding:
        """Every customer of the person, archived ones too.

        Args:
            reference: of an erasure: finds the customers again that it has blanked before it was interrupted.
        """
        emails = {e.strip().lower() for e in subject.of("email")}
        accounts = set(subject.of("account_id"))
        found = {str(c["id"]): c for c in self._carrying(emails)}
        for id in subject.of(CUSTOMER):
            known = None if id in found else self._api.get(f"customers/{path_id(id)}")
            if known:
                found[id] = known
        if reference:
            asked = ",".join(self.placeholders(reference))
            more = self._api.pages("customers", {"email": asked, "status": EVERY_STATUS})
            found |= {str(c["id"]): c for c in more if self.is_placeholder(c.get("email"))}
        blanked = {id: c for id, c in found.items() if self.is_placeholder(c.get("email"))}
        customers = {
            id: c
            for id, c in found.items()
            if id not in blanked and (_address(c) in emails or self.account(c) in accounts)
        }
        strange = len(found) > len(blanked) + len(customers)  # an id of ours that now carries somebody's other address
        external = {self.account(c) for c in customers.values()} - {""}
        return Holding(customers, blanked, strange or (len(external) > 1 and not external <= accounts))

    def account(self, customer: Object) -> str:
        """The company's own account id, which its checkout wrote into `custom_data`."""
        return str((customer.get("custom_data") or {}).get(self._account_field) or "")

    def placeholders(self, reference: str) -> list[str]:
        """The addresses that customers get whom this erasure blanks; they name the request, not the person."""
        return [f"{reference.lower()}-{n}@{self._domain}" for n in range(1, PLACEHOLDERS + 1)]

    def is_placeholder(self, address: object) -> bool:
        return isinstance(address, str) and address.lower().endswith(f"@{self._domain}")

    def left(self, customer: str) -> dict[str, list[Object]]:
        """What stands below a customer and is not blank: kind of record -> records."""
        path = f"customers/{path_id(customer)}"
        both = {"status": EVERY_STATUS}
        return {
            "payment_methods": list(self._api.pages(f"{path}/payment-methods")),
            "addresses": [a for a in self._api.pages(f"{path}/addresses", both) if not is_blank(a, BLANK_ADDRESS)],
            "businesses": [b for b in self._api.pages(f"{path}/businesses", both) if not is_blank(b, BLANK_BUSINESS)],
        }

    def live_subscriptions(self, customer: str) -> int:
        mine = self._api.pages("subscriptions", {"customer_id": path_id(customer)})
        return sum(1 for s in mine if s.get("status") in LIVE)

    def has_transactions(self, customers: list[str]) -> bool:
        return any(
            next(self._api.pages("transactions", {"customer_id": path_id(id), "per_page": "1"}), None)
            for id in customers
        )

    def _carrying(self, emails: set[str]) -> Iterator[Object]:
        """Customers with exactly this address: by the exact filter, and in other spellings by the search."""
        for email in sorted(emails):
            for filter in ("email", "search"):
                for customer in self._api.pages("customers", {filter: email, "status": EVERY_STATUS}):
                    if _address(customer) == email:
                        yield customer


def is_blank(record: Object, blank: Mapping[str, object]) -> bool:
    return all((record.get(field) or None) == (value or None) for field, value in blank.items())


def _address(customer: Object) -> str:
    return str(customer.get("email") or "").strip().lower()
