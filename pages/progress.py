"""How far a request is, service by service, in words and as a picture. No counts and no values: no personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dsr.fulfilment import Step
from dsr.letters import catalogue
from dsr.model import Operation, ReceiptStatus, Verdict
from dsr.policy import Policy

# From what takes longest to what is over: of a service with several steps, the first that occurs is told.
State = Literal["waiting", "working", "person", "kept", "accepted", "gone", "done", "none"]
ORDER: tuple[State, ...] = ("waiting", "working", "person", "kept", "accepted", "gone", "done", "none")
OVER: frozenset[State] = frozenset({"kept", "accepted", "gone", "done", "none"})

_WORD: Mapping[State, str] = {
    "waiting": "step_pending",
    "working": "step_in_progress",
    "person": "verdict_with_a_person",
    "kept": "verdict_kept",
    "accepted": "verdict_accepted",
    "gone": "verdict_gone",
    "done": "step_completed",
    "none": "step_cancelled",
}
_MEANING: Mapping[State, str] = {
    "person": "meaning_with_a_person",
    "kept": "meaning_kept",
    "accepted": "meaning_accepted",
    "gone": "meaning_gone",
}


@dataclass(frozen=True)
class Service:
    """One service's line.

    Args:
        label: as in the privacy policy.
        words: in the person's language.
    """

    label: str
    state: State
    words: str


def state_of(step: Step) -> State:
    """What is true of one step; the second look at an erasure is part of the work."""
    if step.by_hand:
        return "person"
    if step.status is ReceiptStatus.CANCELLED:
        return "none"
    if not step.settled:
        return (
            "waiting" if step.status is ReceiptStatus.PENDING and not step.attempts and not step.leased else "working"
        )
    by_verdict: Mapping[Verdict | None, State] = {
        Verdict.GONE: "gone",
        Verdict.ACCEPTED: "accepted",
        Verdict.KEPT: "kept",
        Verdict.AT_VENDOR: "working",
        Verdict.WITH_A_PERSON: "person",
        None: "done",
    }
    return by_verdict[step.verdict]


def labels(policy: Policy) -> dict[str, str]:
    """Processor name -> the policy's label, the own database first."""
    return {"own_database": policy.own_database.label, **{p.name: p.label for p in policy.processors}}


def services(
    steps: Sequence[Step], labels: Mapping[str, str], due: datetime, language: str, timezone: str
) -> list[Service]:
    """A line for each service, in the order of `labels`.

    Args:
        labels: processor name -> the policy's label.
        due: until when a person has what is left to a person.
    """
    found: dict[str, State] = {}
    ready: dict[str, datetime] = {}
    for step in steps:
        if step.vendor_ready:
            ready[step.processor] = max(step.vendor_ready, ready.get(step.processor, step.vendor_ready))
        states = (state_of(step), found.get(step.processor, "none"))
        found[step.processor] = min(states, key=ORDER.index)
    lines = []
    for name in sorted(found, key=lambda n: list(labels).index(n) if n in labels else len(labels)):
        state = found[name]
        words = catalogue.say(f"word.{_WORD[state]}", language)
        if state == "person":
            words += " " + catalogue.say("word.until", language, date=catalogue.date(due, language, timezone))
        if state == "working" and name in ready:
            date = catalogue.date(ready[name], language, timezone)
            words += ", " + catalogue.say("word.vendor_ready", language, date=date)
        lines.append(Service(labels.get(name, name), state, words))
    return lines


def meanings(lines: Sequence[Service], language: str) -> list[tuple[State, str, str]]:
    """The outcomes that occur, explained: state, word, meaning."""
    present = {line.state for line in lines}
    return [
        (state, catalogue.say(f"word.{_WORD[state]}", language), catalogue.say(f"word.{_MEANING[state]}", language))
        for state in ORDER
        if state in present and state in _MEANING
    ]


def delivered(steps: Sequence[Step]) -> tuple[int, int]:
    """Of a copy of data: how many services have delivered their part, and how many are asked."""
    asked = {step.processor for step in steps if step.operation is Operation.EXPORT}
    missing = {s.processor for s in steps if s.operation is Operation.EXPORT and state_of(s) not in OVER}
    return len(asked - missing), len(asked)
