"""What every processor keeps when somebody subscribes again, beside the rest of its contract (see `contracts.py`)."""

from __future__ import annotations

from typing import ClassVar

import pytest

from dsr.errors import VendorError
from dsr.model import Operation, Outcome, ReceiptStatus, Right, Support
from tests import processor_contract
from tests.twins import MARIA, Served


class ProcessorContract(processor_contract.ProcessorContract):
    """The whole contract: an unsubscribing and a restriction are taken back each by itself."""

    restriction_is_suppression: ClassVar[bool] = False  # True: the vendor holds one mark for both

    def test_subscribing_again_undoes_the_unsubscribing(self, served: Served) -> None:
        if self.vendor.supports.get(Operation.SUPPRESS) not in (Support.NATIVE, Support.COMPOSED):
            return
        processor = self.make(served)
        self.run(processor, served, Operation.SUPPRESS)
        for _ in range(2):
            receipt = processor.perform(self.instruction(served, Operation.LIFT, right=Right.UNSUBSCRIBE))
            assert MARIA not in receipt.note
            if receipt.outcome is not Outcome.DONE:  # then a person is told what to do, or why there is nothing to do
                assert receipt.outcome is Outcome.MANUAL or receipt.status is ReceiptStatus.CANCELLED
                assert len(receipt.note) > 30
                return
            assert not self.shows(served, Operation.SUPPRESS)

    @pytest.mark.parametrize("fault", ["500", "bad_json", "error_in_200"])
    def test_a_fault_never_makes_a_false_subscribing_again(self, served: Served, fault: str) -> None:
        if self.vendor.supports.get(Operation.SUPPRESS) not in (Support.NATIVE, Support.COMPOSED):
            return
        processor, twin = self.make(served), self.twin(served)
        again = self.instruction(served, Operation.LIFT, right=Right.UNSUBSCRIBE)
        self.run(processor, served, Operation.SUPPRESS)
        start = len(twin._calls)
        if processor.perform(again).outcome is not Outcome.DONE:
            return  # nothing is claimed
        for at in range(len(twin._calls) - start):
            twin.reset()
            self.run(processor, served, Operation.SUPPRESS)
            twin.faults[:] = [""] * at + [fault] * (60 if fault == "500" else 1)
            try:
                receipt = processor.perform(again)
            except VendorError:
                twin.faults.clear()
                receipt = processor.perform(again)
            twin.faults.clear()
            assert receipt.outcome in (Outcome.DONE, Outcome.MANUAL), f"{fault} at call {at}"
            assert receipt.outcome is Outcome.MANUAL or not self.shows(served, Operation.SUPPRESS), f"at call {at}"

    def test_the_end_of_a_restriction_lets_no_promotional_mail_through(self, served: Served) -> None:
        able = (Support.NATIVE, Support.COMPOSED)
        if any(self.vendor.supports.get(op) not in able for op in (Operation.SUPPRESS, Operation.RESTRICT)):
            return
        processor = self.make(served)
        self.run(processor, served, Operation.SUPPRESS)
        self.before(processor, served, Operation.LIFT)
        self.run(processor, served, Operation.LIFT)
        assert self.shows(served, Operation.SUPPRESS)

    def test_subscribing_again_ends_no_restriction(self, served: Served) -> None:
        """Where the vendor cannot tell them apart, the desk does not ask it (`dsr.resubscription.forbidden`)."""
        able = (Support.NATIVE, Support.COMPOSED)
        if self.vendor.supports.get(Operation.RESTRICT) not in able or self.restriction_is_suppression:
            return
        processor = self.make(served)
        self.run(processor, served, Operation.RESTRICT)
        processor.perform(self.instruction(served, Operation.LIFT, right=Right.UNSUBSCRIBE))
        assert self.shows(served, Operation.RESTRICT)
