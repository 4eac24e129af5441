"""Decisions about Mailgun's records; nothing here acts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from email.utils import getaddresses
from typing import Any

from dsr.errors import VendorAnswerUnexpected
from dsr.model import Identity, Residue, Right

LIST = "mailgun.list"
RETENTION_DAYS = 30  # the longest that any plan keeps events and stored messages
UNDER_16 = "privacy_under_16_reported"

Object = dict[str, Any]

SUPPRESSION_ROWS = Residue(
    "unsubscribe, complaint and bounce entries (address and date)",
    "needed to go on honouring the objection to advertising (Art. 21(3), 17(3)(b) GDPR); deleting them would re-enable "
    "mail",
    kept_by_law=True,
)
EVENTS = Residue(
    "delivery events and stored messages",
    "Mailgun offers no deletion; they expire with the plan's retention",
    f"{RETENTION_DAYS} days",
)


def stopped(member: Object, right: Right) -> dict[str, str]:
    """What to change at a list member so that the list stops; for an age report also the tag, in `vars`."""
    changes = {"subscribed": "no"} if member["subscribed"] else {}
    held = _vars(member)
    if right is Right.AGE_REPORT and not held.get(UNDER_16):
        changes["vars"] = json.dumps({**held, UNDER_16: True})
    return changes


def reported(member: Object) -> bool:
    """Does the member carry the tag of an age report?"""
    return bool(_vars(member).get(UNDER_16))


def corrected(member: Object, wanted: Mapping[str, str]) -> dict[str, str]:
    """What to change at a list member. A field that the list does not keep is not added."""
    changes = {}
    if wanted.get("name") and member.get("name") != wanted["name"]:
        changes["name"] = wanted["name"]
    if wanted.get("email"):
        changes["address"] = wanted["email"].lower()
    held = _vars(member)
    more = {name: value for name, value in wanted.items() if name in held and held[name] != value}
    if more:
        changes["vars"] = json.dumps({**held, **more})
    return changes


def lists(memberships: Iterable[tuple[str, Object]]) -> tuple[Identity, ...]:
    """The lists, as identifiers, so that a later look can ask them by name."""
    return tuple(dict.fromkeys(Identity(LIST, name) for name, _ in memberships))


def senders(event: Object) -> set[str]:
    """The addresses in the From header of an event's message."""
    headers = (event.get("message") or {}).get("headers")
    return _addresses(headers.get("from")) if isinstance(headers, dict) else set()


def without_others(message: Object, own: set[str]) -> Object:
    """A stored message with the addresses of other people left out (Art. 15(4))."""
    kept = ("Message-Id", "Subject", "Date", "body-plain", "body-html")
    return {
        **{name: message[name] for name in kept if name in message},
        **{
            side: ", ".join(a if a in own else "(another address)" for a in sorted(_addresses(message.get(side))))
            for side in ("From", "To")
        },
    }


def _vars(member: Object) -> Object:
    """A member's own fields: an object, or that object as JSON text."""
    held = member.get("vars") or {}
    if isinstance(held, str):
        try:
            held = json.loads(held)
        except ValueError:
            held = None
    if not isinstance(held, dict):
        raise VendorAnswerUnexpected("mailgun", "a list member whose vars are not an object")
    return held


def _addresses(header: object) -> set[str]:
    return {address.lower() for _, address in getaddresses([header])} if isinstance(header, str) else set()
