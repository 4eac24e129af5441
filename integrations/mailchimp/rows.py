"""Decisions about MailChimp's records; nothing here acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dsr.model import Identity, Residue

MEMBER, CUSTOMER = "mailchimp.member", "mailchimp.customer"  # values: `<audience>/<contact id>`, `<store>/<customer>`
MAILABLE = frozenset({"subscribed", "pending", "transactional"})  # the others get no campaign
UNDER_16 = "privacy_under_16_reported"
RESTRICTED = "privacy_restricted"

Object = dict[str, Any]

BLOCK = Residue(
    "an anonymous mark in each audience that the address was deleted",
    "MailChimp keeps it so that the address cannot be imported again; it names nobody",
)
REPORTS = Residue("numbers in campaign reports", "aggregates without a person")


@dataclass(frozen=True)
class Held:
    """What MailChimp holds about a person.

    Args:
        members: (audience, member).
        customers: (store, customer).
        ambiguous: more than one person may be meant.
    """

    members: Sequence[tuple[str, Object]]
    customers: Sequence[tuple[str, Object]]
    ambiguous: bool

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (
            *(
                Identity(MEMBER, f"{audience}/{member.get('contact_id') or member['id']}")
                for audience, member in self.members
            ),
            *(Identity(CUSTOMER, f"{store}/{customer['id']}") for store, customer in self.customers),
        )


def ambiguous(held: Iterable[Object], customers: Iterable[tuple[str, Object]], addresses: Sequence[str]) -> bool:
    """Two customers of one store share the address, or a record that was the person's now has another address."""
    ids: dict[str, set[str]] = {}
    records = list(held)
    for store, customer in customers:
        ids.setdefault(store, set()).add(str(customer["id"]))
        records.append(customer)
    strangers = any(str(record.get("email_address", "")).lower() not in addresses for record in records)
    return strangers or any(len(found) > 1 for found in ids.values())


def stopped(member: Mapping[str, Any]) -> dict[str, str]:
    """What to change at a member so that no campaign reaches it. SMS has a status of its own.

    Archived, cleaned and unsubscribed members get nothing already, and changing an archived one would bring it back.
    """
    changes = {}
    if member.get("status") in MAILABLE:
        changes["status"] = "unsubscribed"
    if member.get("sms_subscription_status") in ("subscribed", "pending"):
        changes["sms_subscription_status"] = "unsubscribed"
    return changes


def tagged(member: Mapping[str, Any], tag: str) -> bool:
    """Does the member carry the tag? A member shows its tags with it."""
    return any(one.get("name") == tag for one in member.get("tags") or ())


def marked(member: Mapping[str, Any]) -> bool:
    """Does a tag say that the contact must get nothing, whoever subscribes it?"""
    return any(tag.get("name") in (UNDER_16, RESTRICTED) for tag in member.get("tags") or ())


def corrected(member: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any]:
    """What to change at a member. A merge field that the audience does not have is not added."""
    fields = dict(member.get("merge_fields") or {})
    first, _, last = wanted.get("name", "").rpartition(" ")
    new = {"PHONE": wanted.get("phone"), "COMPANY": wanted.get("company")}
    if wanted.get("name"):
        new |= {"FNAME": first or last, "LNAME": last if first else ""}
    changed = {
        name: value for name, value in new.items() if value is not None and name in fields and fields[name] != value
    }
    changes: dict[str, Any] = {"merge_fields": changed} if changed else {}
    email = wanted.get("email", "").lower()
    if email and str(member.get("email_address", "")).lower() != email:
        changes["email_address"] = email
    return changes


def corrected_customer(customer: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, str]:
    """What to change at a store's customer. Its address cannot be changed; it comes from the store."""
    first, _, last = wanted.get("name", "").rpartition(" ")
    new = {"company": wanted.get("company", "")}
    if wanted.get("name"):
        new |= {"first_name": first or last, "last_name": last if first else ""}
    return {k: v for k, v in new.items() if (v or k == "last_name") and customer.get(k) != v}


def shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for an export, without links into the API."""
    return {name: value for name, value in record.items() if name != "_links"}
