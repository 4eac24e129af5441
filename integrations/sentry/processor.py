"""Sentry as a processor: error issues, feedback and session replays.

There is no erasure per person for error events (getsentry/sentry #56917): an issue is deleted when every event in it is
the person's, replays by a job, and what others share is for a person, with the date on which it leaves retention.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import VendorAnswerUnexpected, VendorRefused
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
from integrations.processor import Processor
from integrations.sentry.api import Api, Object
from integrations.sentry.export import files
from integrations.sentry.instructions import (
    COPIES,
    INSTRUCTIONS,
    JOBS,
    NOTHING,
    NUMBERS,
    SPELLINGS,
    SUPPORTS,
    TWO_PEOPLE,
)
from integrations.sentry.lookup import ISSUE, Holding, Person, holding, last_event
from integrations.sentry.settings import SentrySettings

if TYPE_CHECKING:
    from dsr.policy import Policy

JOB_TAKES = 0.05  # days until it is worth asking after a replay job
REMOVED_AFTER = 1.0  # days; events and attachments of a deleted issue are removed in the background


class SentryProcessor(Processor):
    """Finds by exact address and, where it is ours, the user id; deletes issues one by one, by their ids."""

    name: ClassVar[str] = "sentry"
    label: ClassVar[str] = "Sentry by Functional Software, Inc"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", ISSUE})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: SentrySettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._user_id_is_account_id = settings.user_id_is_account_id
        self._retention = timedelta(days=settings.retention_days)

    def find(self, subject: Identities) -> Findings:
        held = self._holding(subject)
        return Findings(
            held=held.counts,
            identities=held.identities,
            ambiguous=held.doubtful,
            residue=(
                *((NUMBERS, COPIES) if held.counts or subject.of(ISSUE) else ()),
                *((SPELLINGS,) if subject.email else ()),
            ),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        yield from files(self._api, self._person(instruction.subject), instruction.subject.of(ISSUE))

    def erase(self, instruction: Instruction) -> Receipt:
        """Delete the person's own issues and replays; the rest is a task with the date of each issue."""
        held = self._holding(instruction.subject)
        if held.doubtful:
            return manual(TWO_PEOPLE + INSTRUCTIONS[Operation.ERASE])
        if not held.counts:
            return no_match(NOTHING)
        left = self._left_to_a_person(held, self._person(instruction.subject))
        refused = [issue for id, issue in held.own.items() if not self._api.delete_issue(id)]
        if refused:
            left.append(f"Sentry's API does not delete {_names(refused)}: delete them in the issue list. ")
        note = f"{''.join(left)}{INSTRUCTIONS[Operation.ERASE]}" if left else ""
        jobs = [
            (project, self._api.start_deletion_of_replays(project, query, *self._range()))
            for project, by_query in held.replays.items()
            for query in by_query
        ]
        if not jobs:
            return _finished(held.counts, note, held.identities)
        return Receipt(
            ReceiptStatus.IN_PROGRESS,
            counts=held.counts,
            identities=held.identities,
            note=note,
            ready_after_days=JOB_TAKES,
            handle=json.dumps({"jobs": jobs, "counts": held.counts}),
        )

    def status(self, receipt: Receipt) -> Receipt:
        """Ask after the replay jobs; the note of the receipt is what remains for a person afterwards.

        Raises:
            VendorRefused: a job failed.
        """
        try:
            handle = json.loads(receipt.handle)
            jobs, counts = handle["jobs"], handle["counts"]
        except (ValueError, KeyError, TypeError):
            raise VendorAnswerUnexpected("sentry", "a receipt without its jobs") from None
        found = [self._api.replay_job(project, id) for project, id in jobs]
        if "failed" in found:
            raise VendorRefused("sentry", "a deletion of replays failed")
        if all(status == "completed" for status in found):
            return _finished(counts, receipt.note, (), JOBS)
        return Receipt(
            ReceiptStatus.IN_PROGRESS,
            counts=counts,
            note=receipt.note,
            ready_after_days=JOB_TAKES,
            handle=receipt.handle,
        )

    def check(self) -> None:
        self._api.check()

    def _person(self, subject: Identities) -> Person:
        return Person.of(subject, self._user_id_is_account_id)

    def _holding(self, subject: Identities) -> Holding:
        return holding(self._api, self._person(subject), subject.of(ISSUE))

    def _left_to_a_person(self, held: Holding, person: Person) -> list[str]:
        """Sentences about what the API cannot delete, with the date on which each issue's events leave retention."""
        left = []
        for issue in held.shared.values():
            until = (last_event(self._api, issue, person) + self._retention).date()
            left.append(
                f"{_names([issue])} also holds events of other people, or of nobody known: this person's last event "
                f"there leaves retention on {until.isoformat()}. "
            )
        if held.mentions:
            left.append(f"The title of {_names(held.mentions.values())} shows the address. ")
        if held.feedback:
            left.append(f"User Feedback has {len(held.feedback)} entries outside the deleted issues. ")
        return left

    def _range(self) -> tuple[str, str]:
        """All of retention, and a day on both sides for clocks."""
        now, day = datetime.now(UTC), timedelta(days=1)
        return (now - self._retention - day).isoformat(), (now + day).isoformat()


def _finished(counts: Mapping[str, int], note: str, identities: tuple[Identity, ...], *more: Residue) -> Receipt:
    residue = (NUMBERS, COPIES, SPELLINGS, *more)
    if note:
        return manual(note, counts=counts, identities=identities, residue=residue)
    return done(counts, identities=identities, residue=residue, ready_after_days=REMOVED_AFTER)


def _names(issues: Iterable[Object]) -> str:
    """Short ids such as WEB-12: no personal data, unlike titles."""
    return ", ".join(str(issue.get("shortId")) for issue in issues)
