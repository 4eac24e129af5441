"""What comes next for a request: pure decisions over its receipts.

Two stages. The first is every processor but the one whose conversation the person is in; then a last line is said
there; then that processor. An erasure is looked at again after the processor's own delay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dsr.model import OPERATIONS, Operation, Outcome, ReceiptStatus, Right, Support, Verdict

OWN_DATABASE = "own_database"
LOOKS = 3  # an erasure that is found again this often goes to a person
BACK_OFF_CAP = 3600.0
# The person hears what was done this long before the deadline (GDPR Art. 12(3)), though a vendor still finishes.
ANSWER_BEFORE = timedelta(days=3)


@dataclass(frozen=True)
class Step:
    """One receipt row as far as decisions need it.

    Args:
        next_at: not before this moment: the next try, poll, or second look.
        owner: who has done it by hand; empty if the desk did.
    """

    processor: str
    operation: Operation
    stage: int
    status: ReceiptStatus
    outcome: Outcome | None = None
    next_at: datetime | None = None
    leased: bool = False
    verdict: Verdict | None = None
    looks: int = 0
    attempts: int = 0
    owner: str = ""

    @property
    def by_hand(self) -> bool:
        return self.status is ReceiptStatus.IN_PROGRESS and self.outcome is Outcome.MANUAL

    @property
    def held(self) -> bool:
        """Kept on a legal ground for now (`dsr.holds`)."""
        return self.status is ReceiptStatus.IN_PROGRESS and self.outcome is Outcome.HELD

    @property
    def at_work(self) -> bool:
        """The automated part is not over: to be tried, or finishing at the vendor."""
        return not (self.by_hand or self.held) and self.status in (ReceiptStatus.PENDING, ReceiptStatus.IN_PROGRESS)

    @property
    def settled(self) -> bool:
        """Nothing automated is left to do, second look included."""
        if self.by_hand or self.held:
            return True
        if self.status is ReceiptStatus.CANCELLED:
            return True
        return self.status is ReceiptStatus.COMPLETED and (
            self.operation is not Operation.ERASE or self.verdict is not None
        )

    @property
    def vendor_ready(self) -> datetime | None:
        """When the vendor, having been told, should be done: the next question after its own delay."""
        told = self.status in (ReceiptStatus.IN_PROGRESS, ReceiptStatus.COMPLETED)
        return self.next_at if told and not self.settled else None


@dataclass(frozen=True)
class Next:
    """What to do now, and when to come again if nothing is left to do now."""

    run: tuple[Step, ...] = ()
    poll: tuple[Step, ...] = ()
    look: tuple[Step, ...] = ()
    farewell: bool = False
    finish: bool = False
    wake_at: datetime | None = None

    @property
    def idle(self) -> bool:
        return not (self.run or self.poll or self.look or self.farewell or self.finish)


def plan(
    right: Right,
    supports: Mapping[str, Mapping[Operation, Support]],
    *,
    asking: str,
    verified: bool,
    held: bool,
    known: bool,
    waits: frozenset[Operation] = frozenset(),
) -> list[tuple[str, Operation, int]]:
    """The steps of a request: processor, operation, stage.

    Args:
        supports: every processor of the policy and the own database, in order.
        asking: the vendor whose conversation the person is in; empty if none.
        verified: the person is proved.
        held: an agent holds the account of an age report.
        known: there is an address to act on.
        waits: operations of the right that wait for proof.
    """
    if not known:
        return []
    operations = list(OPERATIONS[right])
    if not verified:
        operations = [operation for operation in operations if operation not in waits]
    if right is Right.AGE_REPORT and held:
        operations.append(Operation.RESTRICT)
    steps = []
    for operation in operations:
        for processor, table in supports.items():
            # An erasure is answered for every processor, also where there is nothing that could be erased.
            if table.get(operation, Support.NONE) is Support.NONE and operation is not Operation.ERASE:
                continue
            last = processor == asking and operation is Operation.ERASE
            steps.append((processor, operation, 2 if last else 1))
    return steps


Farewell = Literal["not needed", "to say", "on its way", "over"]


def next_for(steps: Sequence[Step], now: datetime, farewell: Farewell, answer_by: datetime | None = None) -> Next:
    """Decide from the receipts.

    Args:
        farewell: how it stands with the last line in the conversation.
        answer_by: when the person is to hear what was done, even if only vendors' own delays are left.
    """
    told = answer_by if all(s.settled or s.vendor_ready for s in steps) else None
    wakes = [s.next_at for s in steps if s.next_at and s.next_at > now and not s.settled]
    first_over = not any(s.at_work for s in steps if s.stage == 1)
    second_open = first_over and farewell in ("not needed", "over")
    free = [s for s in steps if not s.leased and (s.next_at is None or s.next_at <= now)]
    reachable = [s for s in free if s.stage == 1 or second_open]
    waiting_for_second = any(s.stage == 2 and s.status is ReceiptStatus.PENDING for s in steps)
    return Next(
        run=tuple(s for s in reachable if s.status is ReceiptStatus.PENDING),
        poll=tuple(s for s in free if s.status is ReceiptStatus.IN_PROGRESS and not s.settled),
        look=tuple(s for s in free if s.status is ReceiptStatus.COMPLETED and not s.settled),
        farewell=first_over and waiting_for_second and farewell == "to say",
        finish=bool(steps) and (all(s.settled for s in steps) or bool(told and told <= now)),
        wake_at=min([*wakes, *([told] if told and told > now else [])], default=None),
    )


def back_off(attempts: int, base: float, asked: float | None = None) -> timedelta:
    """The pause before the next try of a processor: doubling, capped, at least what the vendor asked for.

    Args:
        attempts: tries so far, 1 or more.
        base: seconds.
        asked: seconds of a Retry-After.
    """
    return timedelta(seconds=max(asked or 0.0, min(base * 2 ** (attempts - 1), BACK_OFF_CAP)))


def complete(steps: Iterable[Step]) -> bool:
    """Is every step terminal, with no task left to a person and nothing held?"""
    return all(s.settled and not s.by_hand and not s.held for s in steps)
