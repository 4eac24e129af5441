"""The stage of the state machine: one real desk, and fakes of processors, a channel and a mailer around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from dsr import own_data
from dsr.errors import VendorRefused, VendorUnavailable
from dsr.fulfilment import OWN_DATABASE
from dsr.messages import ConversationRef, Delivery, Inbound, Mail, Reply
from dsr.model import (
    DataFile,
    Findings,
    Identities,
    Instruction,
    Operation,
    Receipt,
    ReceiptStatus,
    RequestStatus,
    Right,
    Support,
    done,
    manual,
    no_match,
)
from integrations.channel import Channel
from integrations.processor import Processor
from integrations.registry import Connections
from tests.pages_desk import World
from workflows.context import Worker

Op = Operation
STATUSES = frozenset(str(status) for status in RequestStatus)
SAY = {
    Right.ERASURE: "Please delete my account and all the data you have about me.",
    Right.EXPORT: "Please send me a copy of all my data.",
    Right.UNSUBSCRIBE: "Please unsubscribe me from your newsletter.",
    Right.OBJECTION: "I object to the processing of my personal data.",
    Right.AGE_REPORT: "I am 12 years old and I have an account with you.",
}
AGENT_OPENS = (Right.ERASURE, Right.ACCESS, Right.RESTRICTION, Right.RECTIFICATION)
WITHOUT_PROOF = frozenset({(right, Op.SUPPRESS) for right in (Right.UNSUBSCRIBE, Right.OBJECTION, Right.AGE_REPORT)})
MOODS = ("works", "down", "refuses", "by hand", "slow", "sticky", "two people")
ACTING = ("cooling_off", "in_progress", "partially_completed", "waiting_for_agent")
SELDOM = st.sampled_from([False, False, True])
FAKES = (OWN_DATABASE, "intercom", "paddle", "hotjar", "mailgun")
LINK = re.compile(r"/(verify|not-me)/(\w+)")
COOLING_OFF = timedelta(days=1)
# The model's own copy of the lawful moves: what a person may expect, written down a second time.
LAWFUL = {
    "identity_pending": "cooling_off in_progress waiting_for_agent withdrawn expired frozen",
    "cooling_off": "in_progress withdrawn frozen refused waiting_for_agent",
    "waiting_for_agent": "cooling_off in_progress completed withdrawn refused frozen",
    "in_progress": "partially_completed completed waiting_for_agent frozen",
    "partially_completed": "completed in_progress frozen",
    "frozen": "withdrawn identity_pending refused",
}
# An objection restricts first and is weighed meanwhile (Art. 21(1), 18(1)(d)); nothing else is refused once begun.
OBJECTION_ALONE = {(begun, "refused") for begun in ("in_progress", "partially_completed", "completed")}

# What still restricts can be frozen after its end.
STANDING_ALONE = ("completed", "frozen")


@dataclass(frozen=True)
class Effect:
    """Something that a processor did."""

    processor: str
    operation: Operation
    reference: str
    at: datetime


class Fake(Processor):
    """A processor with moods; remembers whom it holds and what it did."""

    label = "Fake"

    def __init__(self, name: str, world: World) -> None:
        self.name = name  # type: ignore[misc]  # an instance stands for one vendor
        none = {"paddle": Op.SUPPRESS, "hotjar": Op.RESTRICT}.get(name)
        support = dict.fromkeys(Op, Support.NATIVE) | ({none: Support.NONE} if none else {})
        if name == "mailgun":
            support[Op.FIND] = Support.MANUAL  # cannot be asked
        self.supports = support  # type: ignore[misc]
        self.world = world
        self.mood = "works"
        self.holds: set[str] = set()
        self.effects: list[Effect] = []
        self.jobs: dict[str, Instruction] = {}

    def find(self, subject: Identities) -> Findings:
        self._answer()
        if self.supports[Op.FIND] is Support.MANUAL:
            return Findings(unknowable="cannot be asked")
        held = {"records": 1} if subject.email in self.holds else {}
        return Findings(held, ambiguous=bool(held) and self.mood == "two people")

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        self._answer()
        self._did(instruction)
        yield DataFile("records.json", rows=iter([{"of": self.name}]))

    def erase(self, instruction: Instruction) -> Receipt:
        self._answer()
        if self.mood == "by hand":
            return manual("by hand, please")
        if self.mood == "slow":
            self.jobs[instruction.idempotency_key] = instruction
            return Receipt(ReceiptStatus.IN_PROGRESS, handle=instruction.idempotency_key, ready_after_days=1)
        self._did(instruction)
        return done({"records": 1}) if instruction.subject.email else no_match()

    restrict = lift = suppress = rectify = erase

    def status(self, receipt: Receipt) -> Receipt:
        self._answer()
        self._did(self.jobs[receipt.handle])
        return done({"records": 1})

    def check(self) -> None:
        return None

    def _answer(self) -> None:
        if self.mood == "down":
            raise VendorUnavailable(self.name, "nobody answered")
        if self.mood == "refuses":
            raise VendorRefused(self.name, "it will not")

    def _did(self, instruction: Instruction) -> None:
        self.effects.append(Effect(self.name, instruction.operation, instruction.reference, self.world.clock()))
        if instruction.operation is Op.ERASE and self.mood != "sticky":
            self.holds.discard(instruction.subject.email)


class Chat(Channel):
    """A channel that says everything into the void; replies fail while it is down."""

    name, label, vendor = "intercom", "Chat", "intercom"
    down = False

    def verify(self, delivery: Delivery) -> None: ...

    def parse(self, delivery: Delivery) -> Sequence[Inbound]:
        return []

    def reply(self, conversation: ConversationRef, message: Reply, *, idempotency_key: str) -> None:
        if self.down:
            raise VendorUnavailable("intercom", "nobody answered")

    def note(self, conversation: ConversationRef, text: str, *, idempotency_key: str) -> None: ...

    def address_on_record(self, conversation: ConversationRef) -> str:
        return ""

    def check(self) -> None: ...


class Post:
    """A mailer."""

    def send(self, mail: Mail, *, idempotency_key: str) -> None: ...

    def sent(self, mail: Mail, *, idempotency_key: str) -> bool:
        return False


@dataclass
class Stage:
    """One database for all examples of a test; examples stay apart by their people."""

    world: World
    worker: Worker
    fakes: dict[str, Fake]
    examples: int = 0
    references: set[str] = field(default_factory=set)


def stage(world: World) -> Stage:
    fakes = {name: Fake(name, world) for name in FAKES}
    own = world.app.extensions["connections"].processors[own_data.NAME]
    connections = Connections({"intercom": Chat()}, {**fakes, own_data.NAME: own}, Post())  # type: ignore[arg-type]
    world.desk.channels["intercom"] = "intercom"
    return Stage(world, Worker("life", world.desk, connections), fakes)
