"""HubSpot as a processor: contacts, the activities and tickets that hang on them, and conversations.

Deletion: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3 (gdpr-delete); subscriptions:
https://developers.hubspot.com/docs/api-reference/communication-preferences-v4
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from dsr.errors import NotFound, VendorAnswerUnexpected
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Receipt,
    Residue,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.hubspot.api import Api
from integrations.hubspot.export import files
from integrations.hubspot.instructions import (
    BLOCKED,
    BUSINESS,
    COUNTS,
    EXCLUDE,
    INSTRUCTIONS,
    NOTHING,
    OPTED_OUT,
    RECYCLE_BIN,
    RESUBSCRIBE,
    SHARED,
    SUPPORTS,
    TWO_PEOPLE,
)
from integrations.hubspot.lookup import CONTACT, Holding, counts, holding, identities, satellites, threads
from integrations.hubspot.settings import HubspotSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

PURGED_AFTER = 31.0  # days; permanent deletion and the purge of conversations take up to 30
RESTRICTED = "privacy_restricted"
FLAG_OF_RIGHT = {Right.AGE_REPORT: "privacy_under_16_reported", Right.OBJECTION: "privacy_objection"}
LABELS = {
    RESTRICTED: "Privacy: processing restricted",
    "privacy_under_16_reported": "Privacy: reported as under 16",
    "privacy_objection": "Privacy: objected",
}
FIELDS = frozenset({"name", "email", "phone", "company"})


class HubspotProcessor(Processor):
    """Finds by exact address, account id and known contact ids; erases permanently, by id alone."""

    name: ClassVar[str] = "hubspot"
    label: ClassVar[str] = "HubSpot"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    identity_types: ClassVar[frozenset[str]] = frozenset({"email", "account_id", CONTACT})
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS
    resubscribe_hint: ClassVar[str] = RESUBSCRIBE

    def __init__(self, settings: HubspotSettings, policy: Policy | None = None) -> None:
        self._api = Api(settings)

    def find(self, subject: Identities) -> Findings:
        held = holding(self._api, subject)
        somebody = not held.nobody or bool(held.gone)
        return Findings(
            held=counts(self._api, held, satellites(self._api, held)),
            identities=identities(held),
            ambiguous=held.doubtful,
            residue=(COUNTS, BUSINESS) if somebody else (),
        )

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        yield from files(self._api, holding(self._api, instruction.subject), instruction.subject)

    def erase(self, instruction: Instruction) -> Receipt:
        """Opt out, then tickets and activities, then conversations, then the contact for good.

        In this order an interrupted try finds the rest again, which is found by its contact. Permanent deletion alone
        would leave activities that are also linked to a company on the company's timeline.
        """
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(TWO_PEOPLE + INSTRUCTIONS[Operation.ERASE])
        hanging = satellites(self._api, held)
        counted = counts(self._api, held, hanging)
        if not counted:
            return no_match(NOTHING)
        for address in sorted(held.addresses):
            self._api.opt_out(address)
        residue = dict.fromkeys((BLOCKED, OPTED_OUT, COUNTS, BUSINESS, *self._delete_satellites(held, hanging)))
        for thread in list(threads(self._api, held)):
            self._api.delete_thread(str(thread["id"]))
        if [id for id in (*held.contacts, *held.archived) if not self._erase_contact(id)]:
            deleted_before = "A contact in the recycle bin could not be erased by the API. "
            return manual(deleted_before + INSTRUCTIONS[Operation.ERASE], counts=counted, identities=identities(held))
        return done(counted, identities=identities(held), residue=tuple(residue), ready_after_days=PURGED_AFTER)

    def suppress(self, instruction: Instruction) -> Receipt:
        """Opt the address out of all marketing mail, known or not; mark an objection or an age report.

        No contact is created. If it is doubtful whose contact it is, only the address itself is opted out.
        """
        held = holding(self._api, instruction.subject)
        given = {e.strip().lower() for e in instruction.subject.of("email")}
        addresses = given if held.doubtful else given | held.addresses
        for address in sorted(addresses):
            self._api.opt_out(address)
        flag = FLAG_OF_RIGHT.get(instruction.right)
        if flag and not held.doubtful:
            self._mark(held, flag, "true")
        return done({"addresses": len(addresses)}, identities=identities(held)) if addresses else no_match(NOTHING)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Mark the contact. HubSpot has no lock, so what must obey the mark is a task."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(TWO_PEOPLE + INSTRUCTIONS[Operation.RESTRICT])
        if not held.contacts:
            return no_match(NOTHING)
        self._mark(held, RESTRICTED, "true")
        return manual(EXCLUDE, counts={"contacts": len(held.contacts)}, identities=identities(held))

    def lift(self, instruction: Instruction) -> Receipt:
        """Unmark. What was opted out stays so: only the person can subscribe again."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(TWO_PEOPLE + INSTRUCTIONS[Operation.LIFT])
        if not held.contacts:
            return no_match(NOTHING)
        self._mark(held, RESTRICTED, "false")
        if instruction.right is Right.AGE_REPORT:
            self._mark(held, FLAG_OF_RIGHT[Right.AGE_REPORT], "false")
        return done({"contacts": len(held.contacts)}, identities=identities(held))

    def stands(self, instruction: Instruction) -> bool | None:
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return None
        if instruction.operation is Operation.SUPPRESS:
            given = {e.strip().lower() for e in instruction.subject.of("email")}
            return all(self._api.opted_out(address) for address in sorted(given | held.addresses))
        return all(self._api.marked(id, RESTRICTED) for id in held.contacts)

    def rectify(self, instruction: Instruction) -> Receipt:
        """Name (first word and the rest), e-mail, phone and the text of the company; anything else is for an agent."""
        held = holding(self._api, instruction.subject)
        if held.doubtful:
            return manual(TWO_PEOPLE + INSTRUCTIONS[Operation.RECTIFY])
        if not held.contacts:
            return no_match(NOTHING + " A changed address is found under the new one.")
        wanted = properties_of(instruction.changes)
        for id in held.contacts if wanted else ():
            self._api.change_contact(id, wanted)
        counted = {"contacts": len(held.contacts)}
        if set(instruction.changes) - FIELDS:
            return manual(INSTRUCTIONS[Operation.RECTIFY], counts=counted, identities=identities(held))
        return done(counted, identities=identities(held))

    def check(self) -> None:
        self._api.contact_properties()

    def _delete_satellites(self, held: Holding, hanging: Mapping[str, Sequence[str]]) -> Iterator[Residue]:
        """Activities and tickets of these contacts alone go to the recycle bin; shared ones stay.

        Raises:
            VendorAnswerUnexpected: HubSpot does not say who else has a record that hangs on one of these contacts.
        """
        for kind, ids in hanging.items():
            owners = self._api.contacts_of(kind, ids)
            if not all(owners.get(id, set()) & held.contacts.keys() for id in ids):
                raise VendorAnswerUnexpected("hubspot", "does not say whose a record is that it linked to a contact")
            own = [id for id in ids if owners[id] <= held.contacts.keys()]
            self._api.delete(kind, own)
            if own:
                yield RECYCLE_BIN
            if len(own) < len(ids):
                yield SHARED

    def _erase_contact(self, id: str) -> bool:
        """False: HubSpot does not find on deletion what still lies in the recycle bin (not documented either way)."""
        try:
            self._api.erase_contact(id)
        except NotFound:
            if self._api.contact(id) is not None:
                raise VendorAnswerUnexpected("hubspot", "does not find on deletion what it finds on GET") from None
            return self._api.contact(id, archived=True) is None
        return True

    def _mark(self, held: Holding, flag: str, value: str) -> None:
        if held.contacts:
            self._api.ensure_flag(flag, LABELS[flag])
        for id in held.contacts:
            self._api.change_contact(id, {flag: value})


def properties_of(changes: Mapping[str, str]) -> dict[str, str]:
    """The contact properties that stand for the fields of a rectification."""
    wanted = {field: value for field, value in changes.items() if field in FIELDS - {"name"}}
    if "name" in changes:
        wanted["firstname"], _, wanted["lastname"] = changes["name"].strip().partition(" ")
    return wanted
