"""What every processor keeps, as tests to inherit (see `contracts.py`)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar

import pytest

from dsr.errors import (
    CredentialsRejected,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorUnavailable,
)
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Receipt, ReceiptStatus, Right, Support
from dsr.policy import Policy
from integrations import transport
from integrations.processor import Processor
from integrations.twin import FAULTS, Twin
from integrations.vendor import Vendor
from tests.twins import MARIA, STRANGER, Served, people, serving

ANY = (VendorError,)
UNAVAILABLE = (VendorUnavailable,)
EXPECTED: Mapping[str, tuple[type[VendorError], ...]] = {
    "refused": UNAVAILABLE,
    "reset": UNAVAILABLE,
    "timeout": UNAVAILABLE,
    "slow_drip": UNAVAILABLE,
    "cut_body": (VendorUnavailable, VendorAnswerUnexpected),
    "bad_json": (VendorAnswerUnexpected, VendorUnavailable),
    "error_in_200": ANY,
    "401": (CredentialsRejected,),
    "403": (CredentialsRejected,),
    "404": ANY,
    "409": ANY,
    "429": (VendorRateLimited,),
    "429_retry_after": (VendorRateLimited,),
    "500": UNAVAILABLE,
    "503": UNAVAILABLE,
}
LASTING = frozenset({"refused", "reset", "timeout", "slow_drip", "cut_body", "429", "429_retry_after", "500", "503"})
LATE = 0.6  # seconds after which the twin has finished a call that was given up
WAITING = frozenset({"timeout", "slow_drip"})
PATIENT = {"deadline": 20.0, "read_timeout": 10.0}  # seconds; without such a fault nobody may give up on a busy machine
EVERYWHERE = frozenset({"reset", "404", "error_in_200", "bad_json"})  # tried at several calls
OTHERS = tuple(p.email for p in people() if p.email != MARIA)


class ProcessorContract:
    """What every processor keeps. Subclasses give `vendor`, `env` and `effect`."""

    vendor: ClassVar[Vendor]
    env: ClassVar[Mapping[str, str]]
    twins: ClassVar[tuple[type[Twin], ...]] = ()  # default: the vendor's own
    expected: ClassVar[Mapping[str, tuple[type[VendorError], ...]]] = {}  # where a status means something else
    changes: ClassVar[Mapping[str, str]] = {"name": "Maria Ionescu"}  # what RECTIFY changes
    known: tuple[Identity, ...] = ()  # what earlier receipts in the same test named
    can_look_up: ClassVar[bool] = True  # False: the vendor cannot be asked whether it holds somebody

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        """Whether the twin's state shows that the operation took effect on Maria (ERASE, SUPPRESS, RESTRICT, …)."""
        raise NotImplementedError

    def trusts_404(self, method: str, path: str) -> bool:
        """Whether a 404 to this call is the vendor's way to say "not held", so that a lying one cannot be noticed."""
        return method in ("GET", "HEAD")

    def subject(self, served: Served, email: str = MARIA) -> Identities:
        account = [Identity("account_id", p.account_id) for p in people() if p.email == email]
        return Identities.of_email(email).plus(account)

    def environment(self, base_url: str) -> dict[str, str]:
        """The variables that point the connector at the twins."""
        return {self.vendor.settings.variable("api_url"): f"{base_url}/{self.vendor.name}"}

    # -- the machinery ----------------------------------------------------------------------------------------------

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls) -> Iterator[Served]:
        with serving(*(cls.twins or (twin_class(cls.vendor),)), env=cls.env) as served:
            yield served

    @pytest.fixture(autouse=True)
    def fresh(self, served: Served, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        fault = request.getfixturevalue("fault") if "fault" in request.fixturenames else ""
        impatient(monkeypatch, **({} if fault in {*WAITING, "cut_body"} else PATIENT))
        for twin in served.twins.values():
            twin.reset()

    def make(self, served: Served) -> Processor:
        settings = self.vendor.settings.from_env({**self.env, **self.environment(served.base_url)})
        assert settings is not None, "the required variables are missing in the test's env"
        assert self.vendor.processor is not None
        return self.vendor.processor(settings, self.policy())

    def policy(self) -> Policy:
        """Override where the connector reads it."""
        return None  # type: ignore[return-value]

    def instruction(
        self, served: Served, operation: Operation, email: str = MARIA, right: Right | None = None
    ) -> Instruction:
        by_default = {
            Operation.ERASE: Right.ERASURE,
            Operation.EXPORT: Right.EXPORT,
            Operation.SUPPRESS: Right.UNSUBSCRIBE,
            Operation.RECTIFY: Right.RECTIFICATION,
        }
        right = right or by_default.get(operation, Right.RESTRICTION)
        changes = self.changes if operation is Operation.RECTIFY else {}
        subject = self.subject(served, email).plus(self.known if email == MARIA else ())
        return Instruction("PR-TEST01", right, operation, subject, "key-1", changes)

    def twin(self, served: Served) -> Twin:
        return served.twins[self.vendor.name]

    def before(self, processor: Processor, served: Served, operation: Operation) -> None:
        """What must have happened for the operation to have something to do."""
        if operation is Operation.LIFT:
            receipt = self.settle(processor, processor.perform(self.instruction(served, Operation.RESTRICT)), served)
            self.known = receipt.identities  # the engine keeps them with the person, too

    def settle(self, processor: Processor, receipt: Receipt, served: Served) -> Receipt:
        """Wait as the engine does, in the twin's days."""
        day = self.twin(served).world.day
        for _ in range(40):
            if receipt.ready_after_days:
                time.sleep(min(receipt.ready_after_days * day, 2.0) + 0.01)
            with_a_person = receipt.outcome is Outcome.MANUAL
            if receipt.status is not ReceiptStatus.IN_PROGRESS or with_a_person or not receipt.handle:
                return receipt
            receipt = processor.status(receipt)
        return receipt

    def shows(self, served: Served, operation: Operation) -> bool:
        twin = self.twin(served)
        with twin.records.lock:
            state = json.loads(json.dumps(twin.state(), default=str))
        return self.effect(operation, state)

    def run(self, processor: Processor, served: Served, operation: Operation) -> Any:
        if operation is Operation.FIND:
            return processor.find(self.subject(served))
        if operation is Operation.EXPORT:
            return consume(processor, self.instruction(served, operation))
        return self.settle(processor, processor.perform(self.instruction(served, operation)), served)

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        if "operation" not in metafunc.fixturenames:
            return
        able = [op for op, how in cls.vendor.supports.items() if how in (Support.NATIVE, Support.COMPOSED)]
        if "changing" in metafunc.fixturenames:
            able = [op for op in able if op not in (Operation.FIND, Operation.EXPORT)]
        if "fault" not in metafunc.fixturenames:
            metafunc.parametrize("operation", able, ids=str)
            return
        # Waiting is the transport's alone and takes a second: tried where it matters most.
        patient = [op for op in able if op in (Operation.FIND, Operation.ERASE)] or able[:1]
        pairs = [(op, fault) for op in able for fault in FAULTS if fault not in WAITING or op in patient]
        metafunc.parametrize(("operation", "fault"), pairs, ids=[f"{op}-{fault}" for op, fault in pairs])

    @pytest.fixture
    def changing(self) -> None:
        """Marks a test that is for the operations that change something."""

    # -- the contract -----------------------------------------------------------------------------------------------

    def test_every_operation_has_a_support_and_every_manual_one_instructions(self, served: Served) -> None:
        processor = self.make(served)
        assert set(processor.supports) == set(Operation)
        assert dict(self.vendor.supports) == dict(processor.supports)
        assert processor.name == self.vendor.name
        assert processor.label
        for operation, how in processor.supports.items():
            if operation in (Operation.FIND, Operation.EXPORT) or how in (Support.NATIVE, Support.COMPOSED):
                if how is Support.MANUAL:
                    assert len(self.vendor.instructions[operation]) > 30, operation
                continue
            receipt = processor.perform(self.instruction(served, operation))
            if how is Support.MANUAL:
                assert receipt.outcome is Outcome.MANUAL, operation
                assert len(receipt.note) > 30, f"{operation}: instructions that an agent can follow"
            else:
                assert receipt.status is ReceiptStatus.CANCELLED, operation

    def test_an_operation_has_its_effect_and_may_be_called_twice(
        self, served: Served, operation: Operation, changing: None
    ) -> None:
        processor = self.make(served)
        self.before(processor, served, operation)
        assert not self.shows(served, operation), "effect() must be false before, or it proves nothing"
        first = self.run(processor, served, operation)
        assert first.outcome in (Outcome.DONE, Outcome.PARTIAL, Outcome.MANUAL), first
        assert MARIA not in first.note
        with_residue = (Outcome.PARTIAL, Outcome.MANUAL)  # a person's task may leave something, too
        assert (first.outcome in with_residue) >= bool(first.residue), "what stays makes the outcome partial"
        assert self.shows(served, operation)
        second = self.run(processor, served, operation)
        assert second.status is not ReceiptStatus.CANCELLED
        assert self.shows(served, operation)

    @pytest.mark.parametrize("held_back", [Operation.RESTRICT, Operation.SUPPRESS], ids=str)
    def test_whether_a_restriction_stands_is_what_the_processor_shows(
        self, served: Served, held_back: Operation
    ) -> None:
        processor = self.make(served)
        instruction = self.instruction(served, held_back)
        if processor.stands(instruction) is None:
            return  # it cannot be asked
        assert processor.stands(instruction) is False
        self.run(processor, served, held_back)
        known = replace(instruction, subject=instruction.subject.plus(processor.find(instruction.subject).identities))
        before = len(self.twin(served)._calls)
        assert processor.stands(known) is True
        assert {c["method"] for c in list(self.twin(served)._calls)[before:]} <= {"GET", "HEAD", "POST"}
        self.twin(served).reset()
        assert processor.stands(instruction) is False, "it was taken away there"
        self.twin(served).faults[:] = ["500"] * 60
        with pytest.raises(VendorError):
            processor.stands(instruction)

    def test_find_counts_before_and_holds_nothing_after_erasure(self, served: Served) -> None:
        if not self.can_look_up or self.vendor.supports.get(Operation.ERASE) not in (Support.NATIVE, Support.COMPOSED):
            return
        processor = self.make(served)
        before = processor.find(self.subject(served))
        assert not before.unknowable
        assert sum(before.held.values()) > 0
        receipt = self.run(processor, served, Operation.ERASE)
        with_ids = self.subject(served).plus(before.identities).plus(receipt.identities)
        for subject in (self.subject(served), with_ids):
            after = processor.find(subject)
            assert after.nothing, after.held

    def test_erasing_one_person_touches_nobody_else(self, served: Served) -> None:
        if not self.can_look_up or self.vendor.supports.get(Operation.ERASE) not in (Support.NATIVE, Support.COMPOSED):
            return
        processor = self.make(served)
        before = {who: processor.find(self.subject(served, who)).held for who in OTHERS}
        self.run(processor, served, Operation.ERASE)
        assert {who: processor.find(self.subject(served, who)).held for who in OTHERS} == before

    def test_somebody_unknown_is_proved_unknown(self, served: Served) -> None:
        if not self.can_look_up or self.vendor.supports.get(Operation.FIND) not in (Support.NATIVE, Support.COMPOSED):
            return
        processor = self.make(served)
        assert processor.find(self.subject(served, STRANGER)).nothing
        if self.vendor.supports.get(Operation.ERASE) in (Support.NATIVE, Support.COMPOSED):
            receipt = processor.erase(self.instruction(served, Operation.ERASE, STRANGER))
            assert receipt.outcome in (Outcome.NO_MATCH, Outcome.MANUAL)

    def test_an_age_report_can_be_carried_out_twice(self, served: Served) -> None:
        processor = self.make(served)
        for _ in range(2):
            receipt = processor.perform(self.instruction(served, Operation.SUPPRESS, right=Right.AGE_REPORT))
            assert receipt.status in ReceiptStatus

    def test_a_fault_never_makes_a_false_done(self, served: Served, operation: Operation, fault: str) -> None:
        processor = self.make(served)
        self.before(processor, served, operation)
        calls = self.twin(served)._calls
        start = len(calls)
        clean = self.run(processor, served, operation)
        paths = [(c["method"], c["path"]) for c in list(calls)[start:]]
        assert paths, "an operation that calls nothing is not native"
        for at in _positions(fault, len(paths)):
            self._fault_at(served, operation, fault, at, paths[at], clean)

    def _fault_at(
        self, served: Served, operation: Operation, fault: str, at: int, call: tuple[str, str], clean: Any
    ) -> None:
        twin, processor = self.twin(served), self.make(served)
        twin.reset()
        self.before(processor, served, operation)
        twin.faults[:] = [""] * at + [fault] * (60 if fault in LASTING else 1)
        where = f"{fault} at call {at}, {call[0]} {call[1]}"
        result = self._attempt(processor, served, operation)
        twin.faults.clear()
        if fault == "timeout":
            time.sleep(LATE)  # what nobody waited for any more is done all the same, and must not hit the next test
        if isinstance(result, VendorError):
            assert isinstance(result, self.expected.get(fault, EXPECTED[fault])), f"{where}: {result!r}"
            told = str(result)
            assert MARIA not in told
            assert not any(v in told for v in self.env.values() if len(v) > 8)
            self._recovers(processor, served, operation, where)
            return
        if fault == "404" and self.trusts_404(*call):
            return
        if operation is Operation.FIND:
            assert result.unknowable or dict(result.held) == dict(clean.held), where
        elif operation is Operation.EXPORT:
            assert result == clean, f"{where}: the package is not complete, and nobody was told"
        elif result.status is ReceiptStatus.COMPLETED:
            assert result.outcome is not Outcome.NO_MATCH, f"{where}: she is held"
            assert self.shows(served, operation), f"{where}: a false done"

    def _attempt(self, processor: Processor, served: Served, operation: Operation) -> Any:
        """The result, or the typed error; any other exception fails the test."""
        try:
            return self.run(processor, served, operation)
        except VendorError as error:
            return error

    def _recovers(self, processor: Processor, served: Served, operation: Operation, where: str) -> None:
        """The next try, without the fault, finishes what the first began."""
        if operation in (Operation.FIND, Operation.EXPORT):
            return
        again = self.run(processor, served, operation)
        assert again.status is not ReceiptStatus.CANCELLED, where
        assert self.shows(served, operation), f"{where}: the second try did not finish"

    @pytest.mark.parametrize("fault", ["refused", "bad_json", "error_in_200", "401", "403", "500"])
    def test_check_notices(self, served: Served, fault: str) -> None:
        self.make(served).check()
        self.twin(served).faults[:] = [fault] * 60
        with pytest.raises(self.expected.get(fault, EXPECTED[fault])):
            self.make(served).check()


def twin_class(vendor: Vendor) -> type[Twin]:
    """The class that `vendor.twin` names."""
    module, _, name = vendor.twin.rpartition(".")
    found: type[Twin] = getattr(import_module(module), name)
    assert issubclass(found, Twin)
    return found


def consume(processor: Processor, instruction: Instruction) -> dict[str, int]:
    """Read an export to its end: file name -> rows (or bytes)."""
    sizes: dict[str, int] = {}
    for file in processor.export(instruction):
        assert (file.rows is None) != (file.content is None), f"{file.name}: exactly one of rows and content"
        assert ".." not in file.name
        assert not file.name.startswith("/")
        if file.rows is not None:
            sizes[file.name] = sum(1 for row in file.rows if json.dumps(row, default=str))
        elif file.content is not None:
            sizes[file.name] = sum(len(chunk) for chunk in file.content)
    return sizes


def impatient(monkeypatch: pytest.MonkeyPatch, *, deadline: float = 1.5, read_timeout: float = 0.3) -> None:
    """Short time-outs (seconds) and hardly any pause between tries, in the door out alone."""

    class Hasty:
        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

        def sleep(self, seconds: float) -> None:
            time.sleep(min(seconds, 0.005))

    usual = transport.Transport.__init__

    def short(self: transport.Transport, *args: Any, **more: Any) -> None:
        usual(self, *args, **{**more, "deadline": deadline, "read_timeout": read_timeout})

    monkeypatch.setattr(transport, "time", Hasty())
    monkeypatch.setattr(transport, "LONGEST_WAIT", float("inf"))  # who does not sleep outruns the call-rate limit
    monkeypatch.setattr(transport.Transport, "__init__", short)
    monkeypatch.setenv("TWIN_TIMEOUT", "0.4")


def _positions(fault: str, calls: int) -> list[int]:
    """At which calls of an operation the fault is tried: the first, the last, and one between that differs by fault."""
    if fault not in EVERYWHERE or calls == 1:
        return [0]
    between = [1 + FAULTS.index(fault) * 7 % (calls - 2)] if calls > 2 else []
    return sorted({0, *between, calls - 1})
