"""Google as a processor: Analytics (by identifier) and the customer lists of Google Ads (by hashed address).

Neither can be asked whether it holds a person. A deletion is accepted at once and takes effect later; a removal from
lists is a job that is polled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected
from dsr.model import (
    Findings,
    Identities,
    Instruction,
    Operation,
    Receipt,
    ReceiptStatus,
    Residue,
    Support,
    done,
    manual,
    no_match,
)
from integrations.google import instructions as words
from integrations.google.api import Api
from integrations.google.identifiers import KINDS, analytics_address, analytics_ids, hashed_addresses
from integrations.google.settings import GoogleSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

POLL_DAYS = 0.25
REPORT_DAYS = 3  # until reports on users no longer show a deleted one
LISTS_A_JOB = 10
JOBS = 4  # their ids must fit into a receipt's handle
UNFINISHED = frozenset({"PROCESSING", "REQUEST_STATUS_UNKNOWN"})


@dataclasses.dataclass(frozen=True)
class Handle:
    """What a receipt must remember while the jobs run; written as `erase:0:2:4:ID ID`."""

    operation: Operation
    by_hand: bool
    identifiers: int
    lists: int
    jobs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.operation}:{int(self.by_hand)}:{self.identifiers}:{self.lists}:{' '.join(self.jobs)}"

    @classmethod
    def read(cls, text: str) -> Handle:
        operation, by_hand, identifiers, lists, jobs = text.split(":", 4)
        return cls(Operation(operation), by_hand == "1", int(identifiers), int(lists), tuple(jobs.split()))

    @property
    def counts(self) -> Mapping[str, int]:
        """What was sent, not what was found: Google does not say whether a person was there."""
        counts = {"deletions by identifier": self.identifiers, "customer lists": self.lists}
        return {kind: n for kind, n in counts.items() if n}


class GoogleProcessor(Processor):
    """Accepts by identifier and by hashed address; proves nothing by asking again, because nobody can ask."""

    name: ClassVar[str] = "google"
    label: ClassVar[str] = "Google, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = words.SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", *KINDS})
    instructions: ClassVar[Mapping[Operation, str]] = words.INSTRUCTIONS

    def __init__(self, settings: GoogleSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._properties = settings.properties
        self._user_id_is_account_id = settings.user_id_is_account_id

    def find(self, subject: Identities) -> Findings:
        return Findings(unknowable="Google tells nobody whether Analytics or a customer list holds a person")

    def erase(self, instruction: Instruction) -> Receipt:
        """Off every customer list first, so that nothing is advertised meanwhile; then each Analytics identifier.

        A property that takes user-provided data is also asked by the address; the others never learn it.
        """
        subject = instruction.subject
        if not subject.email:
            return manual(words.INSTRUCTIONS[Operation.ERASE])
        lists, jobs, residue = self._off_the_lists(subject.email)
        identifiers, by_hand = 0, False
        for property in self._properties:
            known = list(analytics_ids(subject, user_id_is_account_id=self._user_id_is_account_id))
            if self._api.collects_addresses(property):
                known.append(("userProvidedData", analytics_address(subject.email)))
            for field, value in known:
                self._api.delete_user(property, field, value)
            identifiers += len(known)
            by_hand |= not known
        kept = (words.SERVERS, words.REPORTS, words.EXPORTED) if identifiers else ()
        return self._begun(Handle(Operation.ERASE, by_hand, identifiers, lists, jobs), (*kept, *residue))

    def suppress(self, instruction: Instruction) -> Receipt:
        """Off every customer list. The desk's own suppression list keeps the address out of later uploads.

        An age report does the same: there is nothing to tag, and nobody is locked out.
        """
        if not instruction.subject.email:
            return manual(words.INSTRUCTIONS[Operation.SUPPRESS])
        lists, jobs, residue = self._off_the_lists(instruction.subject.email)
        return self._begun(Handle(Operation.SUPPRESS, False, 0, lists, jobs), residue)

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Who wants mail has not agreed to advertising: nobody is put back."""
        return Receipt(ReceiptStatus.CANCELLED, note=words.MAIL_ALONE)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Off every customer list; then a person stops Analytics on the site."""
        if not instruction.subject.email:
            return manual(words.INSTRUCTIONS[Operation.RESTRICT])
        lists, jobs, residue = self._off_the_lists(instruction.subject.email)
        return self._begun(Handle(Operation.RESTRICT, True, 0, lists, jobs), residue)

    def status(self, receipt: Receipt) -> Receipt:
        """Ask after the jobs. Google keeps their state for a limited time (`REQUEST_TOO_OLD`): a refusal is raised."""
        try:
            handle = Handle.read(receipt.handle)
        except ValueError:
            raise VendorAnswerUnexpected("google", "the receipt does not name its jobs") from None
        each = [one for job in handle.jobs for one in self._api.job(job)]
        states = {one["requestStatus"] for one in each}
        if states & UNFINISHED:
            return dataclasses.replace(receipt, counts=handle.counts, ready_after_days=POLL_DAYS)
        if states != {"SUCCESS"}:
            text = words.NOT_PROCESSED.format(reasons=", ".join(sorted(_reasons(each))) or "no reason given")
            return manual(
                text + words.INSTRUCTIONS[handle.operation], counts=handle.counts, residue=tuple(receipt.residue)
            )
        return self._finished(handle, receipt.residue)

    def check(self) -> None:
        for property in self._properties:
            self._api.collects_addresses(property)
        self._api.list_page(1)

    def _off_the_lists(self, email: str) -> tuple[int, tuple[str, ...], tuple[Residue, ...]]:
        """How many lists, which jobs, and what stays because others own it."""
        found = list(self._api.customer_lists())
        own = [str(one["id"]) for one in found if one.get("readOnly") is not True]
        size = max(LISTS_A_JOB, math.ceil(len(own) / JOBS))
        hashes = hashed_addresses(email)
        jobs = tuple(self._api.remove(own[at : at + size], hashes) for at in range(0, len(own), size))
        return len(own), jobs, (words.SHARED,) if len(own) < len(found) else ()

    def _begun(self, handle: Handle, residue: tuple[Residue, ...]) -> Receipt:
        if not handle.jobs:
            return self._finished(handle, residue)
        return Receipt(
            ReceiptStatus.IN_PROGRESS,
            counts=handle.counts,
            residue=residue,
            ready_after_days=POLL_DAYS,
            handle=str(handle),
        )

    def _finished(self, handle: Handle, residue: tuple[Residue, ...]) -> Receipt:
        if handle.by_hand:
            why = words.ANALYTICS_BY_HAND if handle.operation is Operation.ERASE else ""
            return manual(why + words.INSTRUCTIONS[handle.operation], counts=handle.counts, residue=residue)
        if not handle.counts:
            return no_match(words.NO_LISTS)
        wait = REPORT_DAYS if handle.identifiers else 0
        return done(handle.counts, residue=residue, ready_after_days=wait)


def _reasons(each: list[dict[str, object]]) -> set[str]:
    """Google's own reason codes; they name no person."""
    found = set()
    for one in each:
        info = one.get("errorInfo")
        counts = info.get("errorCounts") if isinstance(info, dict) else None
        for count in counts if isinstance(counts, list) else ():
            reason = count.get("reason") if isinstance(count, dict) else None
            if isinstance(reason, str) and reason.replace("_", "").isalnum():
                found.add(reason)
    return found
