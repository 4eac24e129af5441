"""Microsoft Azure as a processor: blobs, log rows, suppression lists.

https://learn.microsoft.com/azure/compliance/ and the pages named in each part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
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
from integrations.microsoft.blobs import BLOB, Blob, Blobs
from integrations.microsoft.instructions import INSTRUCTIONS
from integrations.microsoft.logs import Logs
from integrations.microsoft.settings import MicrosoftSettings
from integrations.microsoft.suppressions import Suppressions
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.COMPOSED,
    Operation.EXPORT: Support.COMPOSED,
    Operation.ERASE: Support.COMPOSED,
    Operation.SUPPRESS: Support.COMPOSED,
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}
SUPPRESSED = Residue(
    "the address on the e-mail suppression lists", "it keeps further promotional mail away (Art. 17(3)(b), 21(3))"
)
BACKUPS = Residue("recovery points in Backup vaults, if the company keeps any", "they expire by the vault's policy")
SPELLINGS = Residue(
    "blobs in a folder whose name writes the address with capital letters, if there is one",
    "Azure finds a folder only by the exact name; the desk looks for the address in small letters",
)
POLL_DAYS = 1.0


class MicrosoftProcessor(Processor):
    """Works with those parts that are configured."""

    name: ClassVar[str] = "microsoft"
    label: ClassVar[str] = "Microsoft, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", BLOB})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS
    resubscribe_hint: ClassVar[str] = (
        "In the Azure portal open the Email Communication Service > the domain > Suppression lists of each sender."
    )

    def __init__(self, settings: MicrosoftSettings, policy: Policy | None = None) -> None:
        self._blobs = Blobs(settings) if settings.storage_account else None
        self._by_address = any("{email}" in prefix for _, prefix in settings.places)
        self._lists = Suppressions(settings) if settings.email_domain else None
        self._logs = Logs(settings) if settings.log_workspace else None
        if self._lists is None:  # without Communication Services nothing is mailed from here
            self.supports = {**SUPPORTS, Operation.SUPPRESS: Support.NONE}  # type: ignore[misc]  # one way of use

    def find(self, subject: Identities) -> Findings:
        """Blobs, versions and snapshots that are not deleted, and log rows. What is softly deleted is residue."""
        blobs = self._of(subject)
        live = [b for b in blobs if not b.deleted]
        rows = sum(n for found in self._log_rows(subject).values() for n in found.values())
        suppressed = any(self._lists.rows(subject.of("email"))) if self._lists else False
        return Findings(
            held={kind: n for kind, n in (("blobs", len(live)), ("log_rows", rows)) if n},
            identities=_identities(blobs),
            residue=(*_retained(blobs), *((SUPPRESSED,) if suppressed else ()), *self._spellings(subject)),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """Every blob's content, its properties, log rows, and entries of suppression lists."""
        subject = instruction.subject
        blobs = [b for b in self._of(subject) if not b.deleted]
        if blobs:
            yield DataFile("blobs.json", iter([_row(b) for b in blobs]))
        for blob in blobs:
            assert self._blobs  # noqa: S101  # it listed them
            yield self._blobs.file(blob)
        if self._logs and self._log_rows(subject):
            yield DataFile("logs.json", self._logs.rows(subject))
        if self._lists and (rows := list(self._lists.rows(subject.of("email")))):
            yield DataFile("suppressions.json", iter(rows))

    def erase(self, instruction: Instruction) -> Receipt:
        """Delete the blobs, then their versions and snapshots, then those for good where Azure allows; begin purges.

        Deleting a blob with versioning makes an older version of it, so the versions are listed afterwards.
        """
        subject = instruction.subject
        blobs = self._of(subject)
        counts = {"blobs": sum(1 for b in blobs if not b.deleted)}
        purges = self._log_rows(subject)
        if not blobs and not purges:
            return no_match("No blob is filed under the person, and no log row names them.")
        subject = subject.plus(_identities(blobs))
        blocked = self._delete([b for b in blobs if b.current and not b.snapshot and not b.deleted])
        blocked |= self._delete([b for b in self._of(subject) if not b.deleted and b.entry not in blocked])
        self._delete_for_good([b for b in self._of(subject) if b.deleted])
        left = self._of(subject)
        if any(not b.deleted and b.entry not in blocked for b in left):
            raise VendorAnswerUnexpected("microsoft", "still lists a blob that it said it deleted")
        operations = [self._logs.purge(*place, values) for place, values in purges.items()] if self._logs else []
        residue, touched = (*_retained(left), BACKUPS, *self._spellings(subject)), _identities(blobs)
        if blocked:
            note = "A hold, an immutability policy or a lease protects a blob. " + INSTRUCTIONS[Operation.ERASE]
            return manual(note, counts=counts, identities=touched, residue=residue)
        if not operations:
            return done(counts, identities=touched, residue=residue)
        return Receipt(
            ReceiptStatus.IN_PROGRESS,
            counts=counts,
            identities=touched,
            residue=residue,
            note="Blobs are deleted. Log rows are being purged; Microsoft takes up to 30 days.",
            ready_after_days=POLL_DAYS,
            handle=",".join(operations),
        )

    def status(self, receipt: Receipt) -> Receipt:
        """Ask after the purges."""
        waiting = [op for op in receipt.handle.split(",") if self._logs and op and not self._logs.purged(op)]
        if waiting:
            return dataclasses.replace(receipt, handle=",".join(waiting), ready_after_days=POLL_DAYS)
        return done(receipt.counts, identities=receipt.identities, residue=receipt.residue)

    def suppress(self, instruction: Instruction) -> Receipt:
        """Put the address on every sender's list, whether or not it was ever written to."""
        if self._lists is None:
            return self.by_hand(instruction)
        emails = instruction.subject.of("email")
        if not emails:
            return no_match("The person has no address, and suppression is by address.")
        return done({"suppression_lists": max(self._lists.add(email) for email in emails)})

    def stands(self, instruction: Instruction) -> bool | None:
        if self._lists is None or instruction.operation is not Operation.SUPPRESS:
            return None
        return self._lists.complete(instruction.subject.of("email"))

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Off every sender's list; an entry that somebody else made there is left to an agent."""
        if self._lists is None:
            return manual(self.resubscribing())
        emails = instruction.subject.of("email")
        left = sum(self._lists.remove(email) for email in emails)
        if left:
            return manual(self.resubscribing(), counts={"suppression_lists": left})
        return done({"addresses": len(emails)}) if emails else no_match("The person has no address.")

    def check(self) -> None:
        for part in (self._blobs, self._lists, self._logs):
            if part:
                part.check()

    def _spellings(self, subject: Identities) -> tuple[Residue, ...]:
        return (SPELLINGS,) if self._by_address and subject.email else ()

    def _log_rows(self, subject: Identities) -> dict[tuple[str, str], dict[str, int]]:
        return self._logs.held(subject) if self._logs else {}

    def _of(self, subject: Identities) -> list[Blob]:
        return self._blobs.of(subject) if self._blobs else []

    def _delete(self, blobs: list[Blob]) -> frozenset[tuple[str, ...]]:
        """The entries that could not be deleted."""
        assert self._blobs or not blobs  # noqa: S101  # it listed them
        return frozenset(b.entry for b in blobs if self._blobs and not self._blobs.delete(b))

    def _delete_for_good(self, blobs: list[Blob]) -> None:
        """Only softly deleted versions and snapshots, and only if the account allows it; else they expire."""
        for blob in blobs:
            if self._blobs and (blob.version or blob.snapshot):
                self._blobs.delete(blob, permanent=True)


def _identities(blobs: list[Blob]) -> tuple[Identity, ...]:
    return tuple(dict.fromkeys(Identity(BLOB, f"{b.container}/{b.name}") for b in blobs))


def _retained(blobs: list[Blob]) -> tuple[Residue, ...]:
    days = [int(b.days_left) if b.days_left.isdigit() else 0 for b in blobs if b.deleted]
    if not days:
        return ()
    until = f"{max(days)} days" if max(days) else ""
    return (Residue("softly deleted blobs", "the storage account's retention; nobody reads them", until),)


def _row(blob: Blob) -> Mapping[str, object]:
    return {
        "container": blob.container,
        "name": blob.name,
        "version": blob.version,
        "snapshot": blob.snapshot,
        "metadata": blob.metadata,
        "tags": blob.tags,
        **blob.properties,
    }
