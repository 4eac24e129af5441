"""Atlassian as a processor: accounts, Jira issues, Confluence pages.

Issues: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
Redaction: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-redaction/
Pages: https://developer.atlassian.com/cloud/confluence/rest/v2/api-group-page/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Receipt,
    ReceiptStatus,
    Support,
    done,
    manual,
    no_match,
)
from integrations.atlassian import confluence, jira
from integrations.atlassian import instructions as texts
from integrations.atlassian.accounts import ACCOUNT, Accounts, accounts, staff
from integrations.atlassian.api import JIRA, Api, Object, Piece
from integrations.atlassian.export import files
from integrations.atlassian.marks import Marks
from integrations.atlassian.settings import AtlassianSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

ISSUE = "atlassian.issue"
CONTENT = "atlassian.content"
REDACTION_TAKES = 0.02  # of a day; no time is documented


@dataclass(frozen=True)
class Holding:
    """What Atlassian holds about one person."""

    accounts: Accounts
    marks: Marks
    issues: list[jira.Issue]
    contents: list[confluence.Content]

    @cached_property
    def of_issues(self) -> dict[str, list[Piece]]:
        """Issue id -> what is to be done about it."""
        return {issue.id: list(jira.pieces(issue, self.marks)) for issue in self.issues}

    @cached_property
    def of_contents(self) -> list[Piece]:
        return [piece for content in self.contents for piece in confluence.pieces(content, self.marks)]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(p.kind for pieces in (*self.of_issues.values(), self.of_contents) for p in pieces)
        found["accounts"] = len(self.accounts.users.keys() | self.accounts.managed)
        return {kind: n for kind, n in found.items() if n}

    @property
    def in_history(self) -> list[str]:
        return [issue.key for issue in self.issues if issue.in_history]

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (
            *(Identity(ACCOUNT, id) for id in sorted(self.accounts.known)),
            *(Identity(ISSUE, issue.id) for issue in self.issues),
            *(Identity(CONTENT, content.known_as) for content in self.contents),
        )


class AtlassianProcessor(Processor):
    """Finds by exact address and account; erases what is the person's own, and takes the person out of the rest."""

    name: ClassVar[str] = "atlassian"
    label: ClassVar[str] = "Atlassian, Inc"
    supports: ClassVar[Mapping[Operation, Support]] = texts.SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", ACCOUNT, ISSUE, CONTENT})
    instructions: ClassVar[Mapping[Operation, str]] = texts.INSTRUCTIONS

    def __init__(self, settings: AtlassianSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)
        self._guard = settings.guard
        self._confluence = settings.confluence

    def find(self, subject: Identities) -> Findings:
        """Counts of what an erasure would take away.

        The address in a change history counts as held where Guard could have redacted it; elsewhere it is residue,
        with the manual task that the erasure opened.
        """
        held = self._holding(subject)
        history = {"change_histories": len(held.in_history)} if self._guard and held.in_history else {}
        return Findings(
            held={**held.counts, **history},
            identities=held.identities,
            ambiguous=held.accounts.doubtful,
            residue=(texts.HISTORY_STAYS,) if held.in_history and not self._guard else (),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        me = self._api.me()
        found = accounts(self._api, instruction.subject)
        marks = _marks(instruction.subject, found)
        issues = jira.issues(self._api, marks, found.users, me, instruction.subject.of(ISSUE))
        yield from files(self._api, found.users, marks, issues, self._contents(instruction.subject, found, marks))

    def erase(self, instruction: Instruction) -> Receipt:
        """Issues, then pages, then the accounts: as long as an account stands, an interrupted try finds the rest by it.

        Where Guard is on, addresses in the fields of other people's issues are handed in for redaction, and `status`
        says how that ended. That a redaction reaches the change history is what Atlassian says about Guard; the second
        look reads the history and finds out.
        """
        held = self._holding(instruction.subject)
        if held.accounts.doubtful:
            return manual(texts.SEVERAL + texts.INSTRUCTIONS[Operation.ERASE])
        if not held.counts and not held.in_history:
            return no_match("No account, issue or page carries the address.")
        if staff(self._api, held.accounts):
            return manual(texts.STAFF + texts.INSTRUCTIONS[Operation.ERASE])
        to_redact: list[Object] = []
        overwritten: list[str] = []
        for issue in (i for i in held.issues if not i.shared):
            for piece in held.of_issues[issue.id]:
                reason = f"GDPR Art. 17, {instruction.reference}"
                if self._guard and (redactions := jira.redactions(issue, piece, held.marks, reason)):
                    to_redact += redactions
                    continue
                self._api.carry_out(piece)
                overwritten += [piece.history] if piece.history else []
        for piece in held.of_contents:
            self._api.carry_out(piece)
        job = self._api.redact(to_redact) if to_redact else ""
        self._remove_accounts(held.accounts)
        keys = sorted({*held.in_history, *overwritten})
        receipt = self._receipt(held, keys)
        if job:
            return replace(
                receipt, status=ReceiptStatus.IN_PROGRESS, outcome=None, handle=job, ready_after_days=REDACTION_TAKES
            )
        return receipt

    def status(self, receipt: Receipt) -> Receipt:
        """Ask after the redactions; what else is for a person was kept in the note."""
        if not receipt.handle:
            return receipt
        well = self._api.redacted(receipt.handle)
        if well is None:
            return receipt
        note = receipt.note if well else texts.NOT_REDACTED + receipt.note
        outcome = Outcome.PARTIAL if receipt.residue else Outcome.DONE
        if note:
            return replace(receipt, outcome=Outcome.MANUAL, note=note, handle="", ready_after_days=0)
        return replace(receipt, status=ReceiptStatus.COMPLETED, outcome=outcome, handle="", ready_after_days=0)

    def check(self) -> None:
        self._api.me()

    def _holding(self, subject: Identities) -> Holding:
        me = self._api.me()
        found = accounts(self._api, subject)
        marks = _marks(subject, found)
        issues = list(jira.issues(self._api, marks, found.users, me, subject.of(ISSUE)))
        return Holding(found, marks, issues, list(self._contents(subject, found, marks)))

    def _contents(self, subject: Identities, found: Accounts, marks: Marks) -> Iterator[confluence.Content]:
        if self._confluence:
            yield from confluence.contents(self._api, marks, found.users, subject.of(CONTENT))

    def _remove_accounts(self, found: Accounts) -> None:
        """From the site; a managed account is deleted altogether. A portal-only customer can no longer sign in."""
        for id in sorted(found.managed):
            self._api.delete_managed(id)
        for id in found.users:
            if id in found.portal_only:
                self._api.revoke_portal_access(id)
            else:
                self._api.delete(f"{JIRA}/user", {"accountId": id})

    def _receipt(self, held: Holding, keys: list[str]) -> Receipt:
        shared = [issue.key for issue in held.issues if issue.shared]
        note = texts.HISTORY.format(keys=", ".join(keys)) if keys else ""
        note += texts.SHARED.format(keys=", ".join(shared)) if shared else ""
        note += texts.PORTAL_ONLY if held.accounts.portal_only else ""
        residue = [texts.BACKUPS]
        residue += [texts.HISTORY_STAYS] if keys else []
        residue += [texts.GRACE] if held.accounts.managed else []
        more = {"counts": held.counts, "identities": held.identities, "residue": tuple(residue)}
        return manual(note, **more) if note else done(**more)  # type: ignore[arg-type]  # checked by Receipt


def _marks(subject: Identities, found: Accounts) -> Marks:
    return Marks(frozenset(e.strip().lower() for e in subject.of("email")), found.known)
