"""Mailgun as a processor: mailing lists, suppression lists per domain, events and stored messages.

What a person can stop is promotional mail: the marketing domains and the mailing lists. A suppression row is what
keeps their objection (Art. 21(3)) and stays; deleting one re-enables mail, so that is done for somebody alone who
unsubscribed and subscribes again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

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
    Support,
    done,
    manual,
    no_match,
)
from integrations.mailgun import rows
from integrations.mailgun.api import Api, Object
from integrations.mailgun.instructions import INSTRUCTIONS, SUPPORTS
from integrations.mailgun.settings import MailgunSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

SUPPRESSIONS = ("unsubscribes", "complaints", "bounces")
REFUSED = ("complaints", "bounces")
COMPLAINED = (
    "The unsubscribe row is gone, but a complaint or a bounce still keeps Mailgun from mailing this address. Take that "
    "away only after the person has told you that the mail is wanted and the mailbox works. "
)


class MailgunProcessor(Processor):
    """One Mailgun account. Sub-accounts are accounts of their own and need a key of their own."""

    name: ClassVar[str] = "mailgun"
    label: ClassVar[str] = "Mailgun Technologies, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", rows.LIST})

    def __init__(self, settings: MailgunSettings, policy: Policy) -> None:
        self._settings = settings
        self._api = Api(settings)

    def check(self) -> None:
        self._api.check()

    def find(self, subject: Identities) -> Findings:
        memberships = list(self._memberships(subject))
        allowed = sum(1 for _ in self._allowed(subject))
        return Findings(
            held={"list memberships": len(memberships), "allowlist entries": allowed},
            identities=rows.lists(memberships),
            residue=self._residue(subject),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        subject = instruction.subject
        memberships = ({"list": name, **row} for name, row in self._memberships(subject))
        yield DataFile("list-memberships.json", memberships, origin=Origin.PROVIDED, names_others=False)
        yield DataFile("suppressions.json", self._suppressions(subject, *SUPPRESSIONS, "whitelists"))
        yield DataFile("events.json", (event for _, event in self._events(subject)))
        yield DataFile("messages.json", self._messages(subject))

    def suppress(self, instruction: Instruction) -> Receipt:
        """Every marketing domain, also for an address that Mailgun does not know yet, and every list membership."""
        counts = {"domains": 0, "list memberships": 0}
        memberships = list(self._memberships(instruction.subject))
        for address in instruction.subject.of("email"):
            for domain in self._settings.marketing:
                self._api.forget_allowed(domain, address)  # an allowlist entry would override the suppression
                self._api.unsubscribe(domain, address)
                counts["domains"] += 1
        for name, member in memberships:
            changes = rows.stopped(member, instruction.right)
            if changes:
                self._api.update_member(name, member["address"].lower(), changes)
            counts["list memberships"] += 1
        if not any(counts.values()):
            return no_match("no marketing domain is configured, and the address is on no mailing list")
        return done(counts, identities=rows.lists(memberships))

    def restrict(self, instruction: Instruction) -> Receipt:
        """Here "stop using" is "send nothing": the same as suppression. The data stay."""
        return self.suppress(instruction)

    def stands(self, instruction: Instruction) -> bool | None:
        subject = instruction.subject
        for domain in self._settings.marketing:
            for address in subject.of("email"):
                if self._api.suppression(domain, "whitelists", address):  # it overrides the suppression
                    return False
                if not self._api.suppression(domain, "unsubscribes", address):
                    return False
        return not any(rows.stopped(member, instruction.right) for _, member in self._memberships(subject))

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """The row of each marketing domain goes, and the lists' members are subscribed.

        A complaint or a bounce still keeps mail away: nobody said by subscribing that it was wrong.
        """
        counts = {"domains": 0, "list memberships": 0}
        memberships = list(self._memberships(instruction.subject))
        for address in instruction.subject.of("email"):
            for domain in self._settings.marketing:
                self._api.mail_again(domain, address)
                counts["domains"] += 1
        for name, member in memberships:
            if rows.reported(member):
                continue
            if not member["subscribed"]:
                self._api.update_member(name, member["address"].lower(), {"subscribed": "yes"})
            counts["list memberships"] += 1
        if not any(counts.values()):
            return no_match("no marketing domain is configured, and the address is on no mailing list")
        if any(row["domain"] in self._settings.marketing for row in self._suppressions(instruction.subject, *REFUSED)):
            return manual(COMPLAINED + self.resubscribing(), counts=counts, identities=rows.lists(memberships))
        return done(counts, identities=rows.lists(memberships))

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name and address of list members, and those of their `vars` that have the field already.

        A new address takes the objections of the old one along.
        """
        new = instruction.changes.get("email", "").lower()
        subject = instruction.subject.plus([Identity("email", new)] if new else [])  # a second call finds the new one
        memberships = list(self._memberships(subject))
        for old in instruction.subject.of("email") if new else ():
            for domain in self._settings.marketing:
                if any(self._api.suppression(domain, kind, old) for kind in ("unsubscribes", "complaints")):
                    self._api.unsubscribe(domain, new)
        for name, member in memberships:
            there = member["address"].lower() == new
            changes = {} if there else rows.corrected(member, instruction.changes)
            if changes:
                self._api.update_member(name, member["address"].lower(), changes)
        if not memberships:
            return no_match()
        return done({"list memberships": len(memberships)}, identities=rows.lists(memberships))

    def erase(self, instruction: Instruction) -> Receipt:
        """List members and allowlist entries are deleted; what stays is named as residue."""
        subject = instruction.subject
        memberships = list(self._memberships(subject))
        counts = {"list memberships": 0, "allowlist entries": 0}
        for name, member in memberships:
            counts["list memberships"] += self._api.delete_member(name, member["address"].lower())
        for domain, address in list(self._allowed(subject)):
            counts["allowlist entries"] += self._api.forget_allowed(domain, address)
        residue = self._residue(subject)
        if not any(counts.values()) and not residue:
            return no_match()
        return done(counts, identities=rows.lists(memberships), residue=residue)

    # -- what there is ----------------------------------------------------------------------------------------------

    def _memberships(self, subject: Identities) -> Iterator[tuple[str, Object]]:
        addresses = subject.of("email")
        if not addresses:
            return
        for name in dict.fromkeys((*self._api.lists(), *subject.of(rows.LIST))):
            for address in addresses:
                member = self._api.member(name, address)
                if member:
                    yield name, member

    def _allowed(self, subject: Identities) -> Iterator[tuple[str, str]]:
        for domain in self._settings.domains:
            for address in subject.of("email"):
                if self._api.suppression(domain, "whitelists", address):
                    yield domain, address

    def _suppressions(self, subject: Identities, *kinds: str) -> Iterator[Object]:
        for domain in self._settings.domains:
            for kind in kinds:
                for address in subject.of("email"):
                    found = self._api.suppression(domain, kind, address)
                    if found:
                        yield {"domain": domain, "list": kind, **found}

    def _events(self, subject: Identities) -> Iterator[tuple[str, Object]]:
        """Events of mail to the person, and of mail from the person that came in; each with its domain."""
        begin = time.time() - rows.RETENTION_DAYS * 86400
        for domain in self._settings.domains:
            for address in subject.of("email"):
                for event in self._api.events(domain, {"recipient": address}, begin=begin):
                    if str(event.get("recipient", "")).lower() == address:
                        yield domain, event
                for event in self._api.events(domain, {"from": address, "event": "stored"}, begin=begin):
                    if address in rows.senders(event):
                        yield domain, event

    def _messages(self, subject: Identities) -> Iterator[Object]:
        """Bodies that are still stored. One message has many events; only the first kind leads to it."""
        addresses = set(subject.of("email"))
        for domain, event in self._events(subject):
            key = (event.get("storage") or {}).get("key")
            if event.get("event") not in ("accepted", "stored") or not isinstance(key, str):
                continue
            message = self._api.stored_message(domain, key)
            if message:
                yield rows.without_others(message, addresses)

    def _residue(self, subject: Identities) -> tuple[Residue, ...]:
        kept = any(True for _ in self._suppressions(subject, *SUPPRESSIONS))
        events = any(
            self._api.any_event(domain, {side: address})
            for domain in self._settings.domains
            for address in subject.of("email")
            for side in ("recipient", "from")
        )
        return (*((rows.SUPPRESSION_ROWS,) if kept else ()), *((rows.EVENTS,) if events else ()))
