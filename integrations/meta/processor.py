"""Meta as a processor: custom audiences (by hashed address) and leads of instant forms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import CredentialsRejected, VendorRefused
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Origin,
    Receipt,
    ReceiptStatus,
    Support,
    done,
    manual,
    no_match,
)
from integrations.meta import instructions as words
from integrations.meta.api import FLAGGED, Api, Object
from integrations.meta.settings import MetaSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

LEAD = "meta.lead"
EFFECT_DAYS = 1
# Meta's own questions for an address. One in another field may be that of somebody else (a friend who is recommended).
ADDRESS_FIELDS = frozenset({"email", "work_email"})


class MetaProcessor(Processor):
    """Takes a person out of every audience at once, and finds leads by reading the forms."""

    name: ClassVar[str] = "meta"
    label: ClassVar[str] = "Facebook, Inc."
    supports: ClassVar[Mapping[Operation, Support]] = words.SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", LEAD})
    instructions: ClassVar[Mapping[Operation, str]] = words.INSTRUCTIONS

    def __init__(self, settings: MetaSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)

    def find(self, subject: Identities) -> Findings:
        """Leads are counted; once none is left, whether an audience holds the person is unknowable if there is one."""
        ids = [str(lead["id"]) for lead in self._leads(subject)]
        if ids:
            return Findings({"leads": len(ids)}, identities=tuple(Identity(LEAD, id) for id in ids))
        if next(self._api.audiences(), None) is None:
            return Findings()
        return Findings(unknowable=words.UNKNOWABLE)

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        leads = self._leads(instruction.subject)
        if first := next(leads, None):
            yield DataFile("leads.json", rows=(_row(lead) for lead in chain([first], leads)), origin=Origin.PROVIDED)

    def erase(self, instruction: Instruction) -> Receipt:
        """Out of the audiences first, so that nothing is advertised meanwhile; then the leads, for good."""
        subject = instruction.subject
        if not subject.email:
            return manual(words.INSTRUCTIONS[Operation.ERASE])
        accounts, flagged = self._out_of_the_audiences(subject.email)
        ids = [str(lead["id"]) for lead in self._leads(subject)]
        for id in ids:
            self._api.delete_lead(id)
        touched = tuple(Identity(LEAD, id) for id in ids)
        counts = {kind: n for kind, n in {"ad accounts asked": accounts, "leads": len(ids)}.items() if n}
        if flagged:
            return self._flagged(Operation.ERASE, flagged, counts, touched)
        if not counts:
            return no_match(f"{words.NO_AUDIENCES} No lead carries the address.")
        return done(
            counts,
            identities=touched,
            residue=(words.EVENTS, words.SHARED),
            note=words.EFFECT,
            ready_after_days=EFFECT_DAYS,
        )

    def suppress(self, instruction: Instruction) -> Receipt:
        """Out of the audiences; the desk's own suppression list keeps the address out of later uploads.

        An age report does the same: there is nothing to tag, and nobody is locked out.
        """
        return self._stop(Operation.SUPPRESS, instruction.subject)

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Who wants mail has not agreed to advertising: nobody is put back."""
        return Receipt(ReceiptStatus.CANCELLED, note=words.MAIL_ALONE)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Out of the audiences; leads are kept and Meta itself does nothing with them."""
        return self._stop(Operation.RESTRICT, instruction.subject)

    def check(self) -> None:
        self._api.check()

    def _stop(self, operation: Operation, subject: Identities) -> Receipt:
        if not subject.email:
            return manual(words.INSTRUCTIONS[operation])
        accounts, flagged = self._out_of_the_audiences(subject.email)
        counts = {"ad accounts asked": accounts}
        if flagged:
            return self._flagged(operation, flagged, counts)
        if not accounts:
            return no_match(words.NO_AUDIENCES)
        return done(counts, note=words.EFFECT, ready_after_days=EFFECT_DAYS)

    def _out_of_the_audiences(self, email: str) -> tuple[int, int]:
        """How many ad accounts were asked, and in how many audiences Meta lets nobody edit the members."""
        found = list(self._api.audiences())
        accounts = dict.fromkeys(account for account, _ in found)
        flagged = [account for account, audience in found if _status(audience) == FLAGGED]
        for account in accounts:
            try:
                self._api.remove_everywhere(account, hashed(email))
            except VendorRefused as error:
                # Whether a flagged audience spoils the call for all is not documented; a person is asked anyhow.
                if account not in flagged or isinstance(error, CredentialsRejected):
                    raise
        return len(accounts), len(flagged)

    def _flagged(
        self, operation: Operation, count: int, counts: Mapping[str, int], touched: tuple[Identity, ...] = ()
    ) -> Receipt:
        text = words.FLAGGED_AUDIENCES.format(count=count) + words.INSTRUCTIONS[operation]
        return manual(text, counts=counts, identities=touched)

    def _leads(self, subject: Identities) -> Iterator[Object]:
        """The person's leads: those in the forms, then known ones that no form lists any more."""
        if not subject.email:
            return
        seen = set()
        for lead in self._api.leads():
            if subject.email in addresses(lead):
                seen.add(str(lead["id"]))
                yield lead
        for id in subject.of(LEAD):
            known = self._api.lead(id) if id not in seen else None
            if known and subject.email in addresses(known):
                yield known


def hashed(email: str) -> str:
    """As audiences are matched: trimmed, lower case, SHA-256 in hex."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def addresses(lead: Object) -> set[str]:
    """The addresses that the person gave as their own in a form, in lower case."""
    return {
        value.strip().lower()
        for field in lead.get("field_data") or ()
        if isinstance(field, dict) and field.get("name") in ADDRESS_FIELDS
        for value in field.get("values") or ()
        if isinstance(value, str)
    }


def _row(lead: Object) -> dict[str, object]:
    """A lead as the person reads it: the answers under their questions."""
    answers = {str(f.get("name")): f.get("values") for f in lead.get("field_data") or () if isinstance(f, dict)}
    return {**{k: v for k, v in lead.items() if k != "field_data"}, "answers": answers}


def _status(audience: Object) -> object:
    status = audience.get("operation_status")
    return status.get("code") if isinstance(status, dict) else None
