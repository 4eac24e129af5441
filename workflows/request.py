"""`advance(request)`: do everything that is due, in parallel, and end. Waiting is a delayed enqueue."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dsr import (
    addresses,
    audit,
    clocks,
    finishing,
    fulfilment,
    holds,
    ledger,
    lifting,
    receipts,
    requests,
    resubscription,
    retention,
)
from dsr.errors import NotFound, VendorError, VendorRefused
from dsr.export import collect
from dsr.forwarding import forward_kept
from dsr.fulfilment import Next, Step
from dsr.model import (
    Findings,
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Receipt,
    ReceiptStatus,
    RequestStatus,
    Residue,
    Support,
    manual,
)
from dsr.requests import SubjectRequest
from integrations.processor import Processor
from workflows import forwarding
from workflows.context import Worker

log = structlog.get_logger()
S = RequestStatus

# One pool for all requests of this process: a flood of requests must not become a flood of threads.
_pool = ThreadPoolExecutor(max_workers=40, thread_name_prefix="processor")
AT_ONCE = 6  # calls to one processor
BUSY = 0.5  # seconds until a request looks again at a processor that had no slot free
_slots: dict[str, threading.BoundedSemaphore] = {}


def advance(worker: Worker, reference: str) -> None:
    """Do what is due for a request; safe to run twice and at the same time."""
    while True:
        request = finishing.ready(worker.desk, reference)
        if request is None:
            retention.settle(worker.desk, reference)
            return
        if request.address and not request.row.identities_enc and not _resolve(worker, request):
            return
        steps = _planned(worker, reference)
        if steps is None:
            return
        forward_kept(worker.desk, request, steps)
        farewell = finishing.farewell(worker.desk, reference, steps)
        todo = fulfilment.next_for(steps, worker.desk.now(), farewell, finishing.answer_by(request))
        if todo.idle:
            _sleep(worker, reference, todo, steps)
            return
        if any(step.operation is Operation.ERASE for step in todo.run) and not _remembered(worker, request):
            return
        if todo.farewell:
            finishing.say_farewell(worker.desk, reference)
        if not _act(worker, reference, todo) and not todo.farewell and not _finish(worker, reference, todo, steps):
            return


def _resolve(worker: Worker, request: SubjectRequest) -> bool:
    """Find the person's identifiers in the own database and in the conversation, before anything is erased there."""
    desk, subject = worker.desk, Identities.of_email(request.address)
    try:
        found = worker.connections.processors[fulfilment.OWN_DATABASE].find(subject)
    except VendorError as error:
        log.warning("own database did not answer", problem=error.what)
        with desk.db.write() as conn:
            desk.tasks.advance(conn, request.reference, delay=desk.settings.retry_base)
        return False
    try:
        # Several accounts: whose the identifiers are nobody knows, and each would be taken for hers everywhere.
        known = () if found.ambiguous else found.identities
        more = subject.plus(known).plus(_authors(worker, request))
        forwarding.remember(worker, request, Identities(found.identities))
    except VendorError as error:
        log.warning("the channel or the own database did not answer", problem=error.what)
        with desk.db.write() as conn:
            desk.tasks.advance(conn, request.reference, delay=desk.settings.retry_base)
        return False
    finishing.keep_identities(desk, request.reference, more, several=found.ambiguous)
    return True


def _authors(worker: Worker, request: SubjectRequest) -> tuple[Identity, ...]:
    """The identifier of the conversation's author, if it may be used for the person who was proved.

    A code proves one address and nothing else. If the vendor's record of whoever typed it carries another address, it
    may be somebody else's record: it is left alone (attacks G3, G18). A record without any address is the one in
    which this code was typed.

    Raises:
        VendorError: the channel could not be asked.
    """
    ref = finishing.conversation_ref(worker.desk, request)
    if (
        not ref
        or ref.channel not in worker.connections.channels
        or not finishing.proved_in_conversation(worker.desk, request)
    ):
        return ()
    channel = worker.connections.channels[ref.channel]
    identities = channel.identities(ref)
    if not identities:
        return ()
    try:
        carried = addresses.normalise(channel.address_on_record(ref))
    except (NotFound, VendorRefused):
        return ()
    if carried and carried != request.address:
        with worker.desk.db.write() as conn:
            why = f"the author's record at {channel.vendor} carries another address than the proved one"
            audit.record(worker.desk, conn, who="desk", what="identity.left", reference=request.reference, why=why)
        return ()
    return identities


def _remembered(worker: Worker, request: SubjectRequest) -> bool:
    """Before the first destructive call: the ledger knows the person. Without it nothing is erased."""
    desk = worker.desk
    try:
        ledger.remember(desk, request.row.address_hash, request.reference)
    except SQLAlchemyError as error:
        log.error("the ledger does not answer; nothing is erased", problem=type(error).__name__)
        with desk.db.write() as conn:
            desk.tasks.advance(conn, request.reference, delay=desk.settings.retry_base)
        return False
    return True


def _planned(worker: Worker, reference: str) -> list[Step] | None:
    desk, processors = worker.desk, worker.connections.processors
    with desk.db.write() as conn:
        request = requests.get(desk, conn, reference, lock=True)
        if lifting.ended(conn, request):  # nothing is begun any more; a restriction is lifted
            lifting.spare(desk, conn, request)
            return receipts.steps(desk, conn, reference) or None
        todo = fulfilment.plan(
            request.right,
            {name: p.supports for name, p in processors.items()},
            asking=request.row.vendor if request.row.conversation_id else "",
            verified=request.verified,
            held=request.row.held_by is not None,
            known=bool(request.address) and request.row.channel != resubscription.CHANNEL,
            waits=desk.proof.wait_for_code(request.right),
        )
        stop_by = clocks.stop_by(desk.policy, request.row)
        receipts.plan(desk, conn, reference, todo, request.row.due_at, stop_by=stop_by)
        holds.apply(desk, conn, reference)
        return receipts.steps(desk, conn, reference) or None


def _act(worker: Worker, reference: str, todo: Next) -> bool:
    """Run, poll and look in parallel; True if anything was this worker's to do."""
    jobs = []
    for act, steps in ((_run, todo.run), (_poll, todo.poll), (_look, todo.look)):
        for step in steps:
            # A vendor that hangs must not take the threads of the others.
            if _slot(step.processor).acquire(blocking=False):
                jobs.append(_pool.submit(_with_slot, act, worker, reference, step))
    results = [job.result() for job in jobs]  # all of them, before deciding
    if not jobs and (todo.run or todo.poll or todo.look):
        with worker.desk.db.write() as conn:
            worker.desk.tasks.advance(conn, reference, delay=BUSY)
    return any(results)


def _with_slot(act: Callable[[Worker, str, Step], bool], worker: Worker, reference: str, step: Step) -> bool:
    try:
        return act(worker, reference, step)
    finally:
        _slot(step.processor).release()


def _slot(processor: str) -> threading.BoundedSemaphore:
    """One for all threads: `setdefault` is one step, a `defaultdict` may call its factory twice."""
    return _slots.setdefault(processor, threading.BoundedSemaphore(AT_ONCE))


def _finish(worker: Worker, reference: str, todo: Next, steps: list[Step]) -> bool:
    """Issue what a finished request issues; True if its state changed and another look is worth it."""
    if todo.finish:
        return finishing.finish(worker.desk, reference, {n: p.label for n, p in worker.connections.processors.items()})
    return False


def _sleep(worker: Worker, reference: str, todo: Next, steps: list[Step]) -> None:
    if todo.wake_at is None:
        return  # a person, a reply on its way, or another worker will wake it; the sweep looks after the rest
    delay = max(0.05, (todo.wake_at - worker.desk.now()).total_seconds())
    with worker.desk.db.write() as conn:
        requests.update(conn, reference, wake_at=todo.wake_at)
        worker.desk.tasks.advance(conn, reference, delay=delay)


def _subject(worker: Worker, reference: str) -> tuple[SubjectRequest, Identities]:
    with worker.desk.db.read() as conn:
        request = requests.get(worker.desk, conn, reference)
        return request, request.identities.plus(receipts.identities(worker.desk, conn, reference))


def _instruction(request: SubjectRequest, subject: Identities, step: Step) -> Instruction:
    return Instruction(
        request.reference,
        request.right,
        step.operation,
        subject,
        f"{request.reference}:{step.processor}:{step.operation}",
        dict(request.details.get("changes", {})),
    )


def _run(worker: Worker, reference: str, step: Step) -> bool:
    row = receipts.lease(worker.desk, worker.id, reference, step)
    if row is None:
        return False
    processor = worker.connections.processors[step.processor]
    by_hand = _by_hand(processor, step)
    try:
        request, subject = _subject(worker, reference)
        instruction = _instruction(request, subject, step)
        by_hand = _by_hand(processor, step, instruction)
        keep = _kept(worker, reference, step)
        several = _of_several_accounts(request, processor, instruction)
        before = None if several else _look_before(processor, instruction)
        if several:
            receipt = manual(
                "More than one person may be meant: the address leads to several accounts in the own database. "
                "Look at the records and decide whose are meant. " + by_hand
            )
        elif before and before.ambiguous:
            receipt = manual(
                f"More than one person at {processor.label} may be meant: look at the records and decide. " + by_hand
            )
        elif step.operation is Operation.EXPORT:
            receipt = _export(worker, processor, instruction)
        elif keep and not processor.keeps:
            receipt = manual(
                f"A hold exempts {', '.join(sorted(keep))} at {processor.label}: erase everything else. " + by_hand
            )
        else:
            if before:
                instruction = _instruction(request, subject.plus(before.identities), step)
            receipt = processor.perform(replace(instruction, keep=frozenset(keep)))
        receipts.save(worker.desk, reference, step, receipt, before)
    except Exception as error:
        receipts.failed(worker.desk, reference, step, row.attempts, _problem(step, error), by_hand)
    return True


def _problem(step: Step, error: Exception) -> VendorError:
    """What went wrong with a leased step, as an error that its receipt can tell.

    A fault of ours must not leave the step leased and silent: it is told, tried again, then given to a person. Every
    operation is safe to repeat, also where the vendor had done it and only our writing it down failed.
    """
    if isinstance(error, VendorError):
        return error
    log.error("processor failed", processor=step.processor, operation=step.operation, exc_info=error)
    return _Fault(step.processor, f"a fault of our own ({type(error).__name__})")


class _Fault(VendorError):
    retry = True


def _look_before(processor: Processor, instruction: Instruction) -> Findings | None:
    """What is held before something is changed or handed out; promotional mail, stopped by address, needs no look."""
    if instruction.operation is Operation.SUPPRESS or instruction.resubscribes:
        return None
    return None if _table(processor, Operation.FIND) is Support.MANUAL else processor.find(instruction.subject)


def _of_several_accounts(request: SubjectRequest, processor: Processor, instruction: Instruction) -> bool:
    """Does nobody know which of several accounts is the person's? Promotional mail alone is stopped by address."""
    by_address = instruction.operation is Operation.SUPPRESS or instruction.resubscribes
    return request.several and not by_address and _table(processor, instruction.operation) is not Support.NONE


def _kept(worker: Worker, reference: str, step: Step) -> dict[str, Residue]:
    if step.operation is not Operation.ERASE:
        return {}
    with worker.desk.db.read() as conn:
        return holds.kinds(worker.desk, conn, reference, step.processor)


def _export(worker: Worker, processor: Processor, instruction: Instruction) -> Receipt:
    if _table(processor, Operation.EXPORT) is Support.MANUAL:
        return processor.by_hand(instruction)
    counts = collect(worker.desk, instruction.reference, processor.name, processor.export(instruction))
    outcome = Outcome.DONE if counts else Outcome.NO_MATCH
    return Receipt(ReceiptStatus.COMPLETED, outcome, counts)


def _table(processor: Processor, operation: Operation) -> Support:
    return processor.supports.get(operation, Support.NONE)


def _by_hand(processor: Processor, step: Step, instruction: Instruction | None = None) -> str:
    if instruction and instruction.resubscribes:
        return processor.resubscribing()
    return processor.instructions.get(step.operation) or (
        f"Carry out `{step.operation}` for this person at {processor.label} by hand; the connector could not."
    )


def _poll(worker: Worker, reference: str, step: Step) -> bool:
    row = receipts.lease(worker.desk, worker.id, reference, step)
    if row is None:
        return False
    processor = worker.connections.processors[step.processor]
    asked = Receipt(
        ReceiptStatus(row.status),
        step.outcome,
        counts=json.loads(row.counts),
        note=row.note,
        handle=row.handle,
        residue=receipts.residue(row),
    )
    try:
        receipts.save(worker.desk, reference, step, processor.status(asked))
    except Exception as error:
        receipts.failed(worker.desk, reference, step, row.attempts, _problem(step, error), _by_hand(processor, step))
    return True


def _look(worker: Worker, reference: str, step: Step) -> bool:
    row = receipts.lease(worker.desk, worker.id, reference, step)
    if row is None:
        return False
    processor = worker.connections.processors[step.processor]
    try:
        _, subject = _subject(worker, reference)
        found = holds.without(processor.find(subject), _kept(worker, reference, step))
        receipts.looked(worker.desk, reference, step, found, _by_hand(processor, step))
    except Exception as error:
        task = f"Erased at {processor.label}, but it could not be asked afterwards: see whether anything is left. "
        task += _by_hand(processor, step)
        receipts.look_failed(worker.desk, reference, step, row.attempts, _problem(step, error), task)
    return True
