"""The value types of the house: what rooms hand to each other. Nothing here acts.
Words follow the field: data subject, right, operation, processor, receipt, residue (see docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Right(StrEnum):  # of a data subject: GDPR articles 15 to 22, and the policy's own promises
    UNSUBSCRIBE = "unsubscribe"  # Art. 21(2)-(3): direct marketing
    ERASURE = "erasure"  # Art. 17
    EXPORT = "export"  # Art. 20
    AGE_REPORT = "age_report"  # Art. 8, 17(1)(f)
    OBJECTION = "objection"  # Art. 21(1)
    ACCESS = "access"  # Art. 15
    RECTIFICATION = "rectification"  # Art. 16
    RESTRICTION = "restriction"  # Art. 18


class Operation(StrEnum):  # what a processor does
    FIND = "find"
    EXPORT = "export"
    ERASE = "erase"
    RESTRICT = "restrict"
    LIFT = "lift"
    SUPPRESS = "suppress"
    RECTIFY = "rectify"


# Which operations carry out a right, in this order. The only place where this is said.
OPERATIONS: Mapping[Right, tuple[Operation, ...]] = {
    Right.UNSUBSCRIBE: (Operation.SUPPRESS,),
    Right.ERASURE: (Operation.ERASE,),
    Right.EXPORT: (Operation.EXPORT,),
    Right.ACCESS: (Operation.EXPORT,),
    Right.AGE_REPORT: (Operation.SUPPRESS,),  # an agent may hold the account: then RESTRICT too
    Right.OBJECTION: (Operation.SUPPRESS, Operation.RESTRICT),  # RESTRICT once the person is proved
    Right.RESTRICTION: (Operation.RESTRICT,),
    Right.RECTIFICATION: (Operation.RECTIFY,),
}

# An intent, as people say it, and the right that it asks for.
RIGHT_OF_INTENT: Mapping[str, Right] = {
    "unsubscribe": Right.UNSUBSCRIBE,
    "delete": Right.ERASURE,
    "export": Right.EXPORT,
    "age_report": Right.AGE_REPORT,
    "object": Right.OBJECTION,
}


class Support(StrEnum):  # how a processor carries out an operation
    NATIVE = "native"  # one documented call for this purpose
    COMPOSED = "composed"  # put together from several calls
    MANUAL = "manual"  # a person does it; tracked as a task
    NONE = "none"  # the operation has no meaning there


class RequestStatus(StrEnum):
    IDENTITY_PENDING = "identity_pending"
    COOLING_OFF = "cooling_off"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_AGENT = "waiting_for_agent"
    FROZEN = "frozen"  # "this was not me"
    PARTIALLY_COMPLETED = "partially_completed"
    COMPLETED = "completed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ReceiptStatus(StrEnum):  # OpenDSR's words
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    DONE = "done"
    NO_MATCH = "no_match"  # a look-up proved that nothing is held
    PARTIAL = "partial"  # done, but see the residue
    MANUAL = "manual"  # with a person
    HELD = "held"  # kept on a legal ground for now; resumes by itself


class Verdict(StrEnum):  # what a certificate row says of a processor
    GONE = "gone"  # asked again: holds nothing
    ACCEPTED = "accepted"  # accepted, cannot be asked
    AT_VENDOR = "at_vendor"  # accepted, finished there by a date, and then asked again; never a receipt's last word
    WITH_A_PERSON = "with_a_person"  # until a date
    KEPT = "kept"  # ground, until a date


@dataclass(frozen=True)
class Identity:
    """One identifier of a person.

    Args:
        type: `email`, `account_id` (the company's own id), or `<vendor>.<kind>` such as `intercom.contact`.
        value: the identifier, normalised (an e-mail address in lower case).
    """

    type: str
    value: str


@dataclass(frozen=True)
class Identities:
    """The proved e-mail address of a person, and the identifiers that were resolved from it."""

    all: tuple[Identity, ...] = ()

    @classmethod
    def of_email(cls, address: str) -> Identities:
        return cls((Identity("email", address),))

    def of(self, type: str) -> tuple[str, ...]:
        """Every value of one type, in the order in which they were found."""
        return tuple(i.value for i in self.all if i.type == type)

    @property
    def email(self) -> str:
        """The proved address; empty when the person has none (an account id only)."""
        return next(iter(self.of("email")), "")

    def plus(self, more: Iterable[Identity]) -> Identities:
        return Identities(tuple(dict.fromkeys((*self.all, *more))))


@dataclass(frozen=True)
class Residue:
    """What a processor keeps anyway.

    Args:
        what: which records, in plain English, without values.
        why: ground or reason, with the article where there is one.
        until: date (ISO) or a phrase such as "90 days"; empty if for as long as the vendor decides.
        kept_by_law: True when the ground is a legal duty or claim (the certificate says "kept").
    """

    what: str
    why: str
    until: str = ""
    kept_by_law: bool = False


@dataclass(frozen=True)
class Findings:
    """What a processor holds about a person: counts, never values.

    Args:
        held: kind of record -> how many. Empty: nothing.
        unknowable: why the processor cannot be asked; empty if it was asked.
        identities: the processor's own identifiers of this person, for later calls.
        ambiguous: more than one person may be meant: stop, an agent decides.
        residue: records that are expected to stay and are not counted in `held`.
    """

    held: Mapping[str, int] = field(default_factory=dict)
    unknowable: str = ""
    identities: tuple[Identity, ...] = ()
    ambiguous: bool = False
    residue: tuple[Residue, ...] = ()

    @property
    def nothing(self) -> bool:
        """True only if the processor was asked and holds nothing."""
        return not self.unknowable and not any(self.held.values())


@dataclass(frozen=True)
class Instruction:
    """One operation for one person at one processor.

    Args:
        reference: the request's reference (`PR-…`).
        right: the right that is being carried out; a processor may tag by it.
        subject: whom it is about.
        changes: for RECTIFY: field -> new value.
        keep: for ERASE: kinds of record, as `Findings.held` names them, that a hold exempts; only given to a
            processor that `keeps`.
        idempotency_key: the same for every try of this instruction.
    """

    reference: str
    right: Right
    operation: Operation
    subject: Identities
    idempotency_key: str
    changes: Mapping[str, str] = field(default_factory=dict)
    keep: frozenset[str] = frozenset()

    @property
    def resubscribes(self) -> bool:
        """Does it take back an unsubscribing? Every other LIFT undoes a restriction alone."""
        return self.operation is Operation.LIFT and self.right is Right.UNSUBSCRIBE


@dataclass(frozen=True)
class Receipt:
    """What a processor did with an instruction.

    Args:
        counts: kind of record -> how many were affected.
        identities: the processor's identifiers that were touched, so that a second look can ask by id.
        residue: what stays.
        note: for agents: what happened, without personal data; for MANUAL: the instructions.
        ready_after_days: when it is worth asking again (`status` if IN_PROGRESS, `find` if COMPLETED), in the
            vendor's days; 0 = at once.
        handle: the vendor's id of an asynchronous job, for `status`.
    """

    status: ReceiptStatus
    outcome: Outcome | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()
    residue: tuple[Residue, ...] = ()
    note: str = ""
    ready_after_days: float = 0
    handle: str = ""


def done(
    counts: Mapping[str, int] | None = None, *, identities: tuple[Identity, ...] = (),
    residue: tuple[Residue, ...] = (), note: str = "", ready_after_days: float = 0
) -> Receipt:  # fmt: skip
    """A completed receipt: DONE, or PARTIAL when there is residue."""
    outcome = Outcome.PARTIAL if residue else Outcome.DONE
    return Receipt(ReceiptStatus.COMPLETED, outcome, counts or {}, identities, residue, note, ready_after_days)


def no_match(note: str = "") -> Receipt:
    """A completed receipt: a look-up proved that nothing is held."""
    return Receipt(ReceiptStatus.COMPLETED, Outcome.NO_MATCH, note=note)


def manual(
    instructions: str, *, counts: Mapping[str, int] | None = None, residue: tuple[Residue, ...] = (),
    identities: tuple[Identity, ...] = ()
) -> Receipt:  # fmt: skip
    """A tracked task for a person."""
    return Receipt(ReceiptStatus.IN_PROGRESS, Outcome.MANUAL, counts or {}, identities, residue, instructions)


class Origin(StrEnum):
    """Where data came from: the right to portability covers the first two (Art. 29 Working Party, WP 242 rev.01,
    section III), the right of access all three."""

    PROVIDED = "provided"  # typed, sent or uploaded by the person
    OBSERVED = "observed"  # recorded while the person used the service
    DERIVED = "derived"  # made of it by the controller: notes, tags, segments, scores, accounting documents


@dataclass(frozen=True)
class DataFile:
    """One file of an export package.

    Args:
        name: path inside the processor's folder of the package, e.g. `contact.json`.
        rows: dictionaries (written as JSON and, when flat enough, CSV), streamed.
        content: bytes of an attachment, streamed; exactly one of rows and content is given.
        media_type: of content.
        origin: decides whether it belongs to the right to portability.
        names_others: other people may stand in it, and are masked; False only where the source rules that out.
    """

    name: str
    rows: Iterator[Mapping[str, object]] | None = None
    content: Iterator[bytes] | None = None
    media_type: str = "application/json"
    origin: Origin = Origin.OBSERVED
    names_others: bool = True
