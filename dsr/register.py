"""The register of processing activities (GDPR Art. 30(1)), made from the policy alone. Pure.

What the policy leaves open stays `unset` in it: an authority that asks for the register sees what nobody has decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dsr import retention
from dsr.model import Operation, Support
from dsr.policy import Policy

INSIDE = "EU"  # the policy's word for a location without a transfer to a third country
RULES = "GDPR Art. 30(1)"


@dataclass(frozen=True)
class Recipient:
    """A processor as the public page and the register name it.

    Args:
        data: names of the categories that it may receive.
        erasure, copy: how the desk carries these out there at present.
    """

    name: str
    label: str
    purpose: str
    location: str
    site: str
    data: tuple[str, ...]
    erasure: Support
    copy: Support

    @property
    def outside(self) -> bool:
        """In a third country."""
        return self.location != INSIDE


def recipients(policy: Policy, supports: Mapping[str, Mapping[Operation, Support]]) -> tuple[Recipient, ...]:
    """Every processor of the policy, in its order.

    Args:
        supports: what each connector declares, under the present settings; one that is missing is done by hand.
    """
    names = {category.id: category.name for category in policy.categories}
    found = []
    for entry in policy.processors:
        table = supports.get(entry.name, {Operation.ERASE: Support.MANUAL, Operation.EXPORT: Support.MANUAL})
        found.append(
            Recipient(
                name=entry.name,
                label=entry.label,
                purpose=entry.purpose,
                location=entry.location,
                site=entry.site if "//" in entry.site else f"https://{entry.site}",
                data=tuple(names[id] for id in entry.data),
                erasure=table.get(Operation.ERASE, Support.NONE),
                copy=table.get(Operation.EXPORT, Support.NONE),
            )
        )
    return tuple(found)


def register(policy: Policy, supports: Mapping[str, Mapping[Operation, Support]], on: datetime) -> dict[str, Any]:
    """The register as JSON values, a key for each letter of Art. 30(1).

    Args:
        supports: as for `recipients`.
        on: the moment of which it speaks; aware.
    """
    controller, given = policy.controller, recipients(policy, supports)
    return {
        "rules": RULES,
        "on": _day(policy, on).isoformat(),
        "controller": {
            "name": controller.name,
            "brand": controller.brand,
            "address": controller.address,
            "country": controller.country,
            "contact": controller.support,
            "data_protection_officer": policy.dpo.email,
            "authority": policy.authority.name,
        },
        "activities": [
            {
                "name": category.name,
                "purposes": list(category.purposes),
                "persons": list(category.persons),
                "data": list(category.data),
                "source": category.source,
                "recipients": [entry.label for entry in policy.processors if category.id in entry.data],
            }
            for category in policy.categories
        ]
        + [_own_activity(policy)],
        "recipients": [
            {
                "name": one.label,
                "purpose": one.purpose,
                "location": one.location,
                "site": one.site,
                "data": list(one.data),
                "erasure": str(one.erasure),
                "copy": str(one.copy),
            }
            for one in given
        ],
        "transfers": {
            "countries": list(policy.transfers.countries),
            "safeguard": policy.transfers.safeguard,
            "recipients": [one.label for one in given if one.outside],
        },
        "retention": [{"what": entry.what, "until": entry.period} for entry in policy.retention]
        + [{"what": kept.what, "until": kept.until, "ground": kept.ground} for kept in policy.kept]
        + [{"what": f"privacy desk: {what}", "until": until} for what, until in retention.described()],
        "security": list(policy.security),
        "unset": list(policy.unset()),
    }


def _own_activity(policy: Policy) -> dict[str, Any]:
    """What the desk itself does is a processing activity too."""
    return {
        "name": "Requests of data subjects",
        "purposes": ["answer requests under GDPR Art. 12 to 22 and prove that they were answered (Art. 5(2), 6(1)(c))"],
        "persons": ["everybody who asks for a right"],
        "data": ["e-mail address", "messages of the conversation", "identifiers at the recipients", "receipts"],
        "source": "you, when you ask; the recipients, when they answer",
        "recipients": [entry.label for entry in policy.processors],
    }


def _day(policy: Policy, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(policy.controller.timezone)).date()
