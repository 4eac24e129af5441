"""The interface of a processor: a recipient of personal data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from dsr.model import DataFile, Findings, Identities, Instruction, Operation, Receipt, ReceiptStatus, Support, manual


class Processor(ABC):
    """One recipient. Every operation is safe to call twice; one instance serves all threads.

    Every operation may raise a `VendorError`: the engine tries again when `error.retry`, and opens a
    tracked manual task when it gives up. An operation whose support is MANUAL answers `manual(instructions)`.
    """

    name: ClassVar[str]
    label: ClassVar[str]  # the name in the policy's list of sub-processors
    supports: ClassVar[Mapping[Operation, Support]]
    identity_types: ClassVar[frozenset[str]] = frozenset({"email"})
    keeps: ClassVar[bool] = False  # can `erase` leave the kinds of record in `instruction.keep` alone?
    # How to do by hand what the API cannot: operation -> instructions that an agent can follow.
    instructions: ClassVar[Mapping[Operation, str]] = {}
    resubscribe_hint: ClassVar[str] = ""  # what is particular here about subscribing somebody again by hand

    @abstractmethod
    def find(self, subject: Identities) -> Findings:
        """What is held about the person, in counts. Used as dry run, before, and as the second look after."""

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        """Everything held about the person, streamed. Only called when supported."""
        return iter(())

    def erase(self, instruction: Instruction) -> Receipt:
        """Erase for good, never only hide, where the vendor offers it. Nothing held: `no_match` after a look-up."""
        return self.by_hand(instruction)

    def restrict(self, instruction: Instruction) -> Receipt:
        """Keep, but stop using (Art. 18)."""
        return self.by_hand(instruction)

    def lift(self, instruction: Instruction) -> Receipt:
        """Undo `restrict`, and nothing that `suppress` did."""
        return self.by_hand(instruction)

    def resubscribe(self, instruction: Instruction) -> Receipt:
        """Undo `suppress` for somebody who unsubscribed and subscribes again, and nothing else: marks of an
        objection, an age report or a restriction stay. Where the vendor leaves that to the person: by hand."""
        return manual(self.resubscribing())

    def suppress(self, instruction: Instruction) -> Receipt:
        """No promotional mail any more. For an age report also tag the account."""
        return self.by_hand(instruction)

    def rectify(self, instruction: Instruction) -> Receipt:
        """Change the fields in `instruction.changes`."""
        return self.by_hand(instruction)

    def stands(self, instruction: Instruction) -> bool | None:
        """Does what an earlier RESTRICT or SUPPRESS set still hold for everything of the person? Asks, changes nothing.

        Returns:
            True also where nothing is held; None if that cannot be asked here, or more than one person may be meant.
        """
        return None

    def status(self, receipt: Receipt) -> Receipt:
        """Ask after a job that the vendor finishes later (`receipt.handle`)."""
        return receipt

    def daily(self) -> None:  # noqa: B027  # most processors have nothing to do
        """What is to be done once a day, whatever requests there are: a list to fetch.

        Raises:
            VendorError: it was not done; what was fetched last stays.
        """

    @abstractmethod
    def check(self) -> None:
        """Make one harmless call to see that the credentials are good.

        Raises:
            VendorError: they are not, or nobody answered.
        """

    def by_hand(self, instruction: Instruction) -> Receipt:
        """The receipt of an operation that a person must do, or that has no meaning here."""
        if self.supports.get(instruction.operation, Support.NONE) is Support.NONE:
            return Receipt(ReceiptStatus.CANCELLED, note=f"{instruction.operation} has no meaning at {self.label}")
        return manual(self.instructions[instruction.operation])

    def resubscribing(self) -> str:
        """How to do `resubscribe` by hand."""
        general = (
            f"{self.label}: the person unsubscribed and has subscribed again on our page. Where promotional mail was "
            "stopped for the unsubscribe request (an opt-out, or the tag privacy_no_marketing), take that back. Leave "
            "it if a mark of an objection, an age report or a restriction stands there too. "
        )
        return general + self.resubscribe_hint

    def perform(self, instruction: Instruction) -> Receipt:
        """Carry out an instruction other than an export."""
        if instruction.resubscribes:
            return self.resubscribe(instruction)
        act = {
            Operation.ERASE: self.erase,
            Operation.RESTRICT: self.restrict,
            Operation.LIFT: self.lift,
            Operation.SUPPRESS: self.suppress,
            Operation.RECTIFY: self.rectify,
        }[instruction.operation]
        return act(instruction)
