"""Ask every processor that can be asked whether a restriction or objection still stands; set again what fell."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import structlog

from dsr import receipts, requests, standing
from dsr.errors import VendorError
from dsr.model import Instruction, Operation, Outcome
from integrations.processor import Processor
from workflows.context import Worker

log = structlog.get_logger()


def look(worker: Worker, reference: str) -> None:
    """One look; safe to repeat, for it changes only what does not stand."""
    desk = worker.desk
    with desk.db.read() as conn:
        request = requests.get(desk, conn, reference)
        if request.row.look_at is None or request.status not in standing.STATUSES:
            return
        subject = request.identities.plus(receipts.identities(desk, conn, reference))
        rows = standing.steps(conn, reference)
    seen: dict[str, int] = {}
    for row in rows:
        processor = worker.connections.processors.get(row.processor)
        if processor is None:
            continue
        if request.several and row.operation == Operation.RESTRICT:  # an agent chose the account; it cannot be asked
            seen["cannot be asked"] = seen.get("cannot be asked", 0) + 1
            continue
        key = f"{reference}:{row.processor}:{row.operation}:{desk.now().date().isoformat()}"
        instruction = Instruction(reference, request.right, Operation(row.operation), subject, key)
        try:
            stands = processor.stands(instruction)
        except VendorError as error:
            log.warning("could not ask whether it stands", processor=row.processor, problem=error.what)
            said = "did not answer"
        else:
            said = {True: "stands", None: "cannot be asked", False: "fell"}[stands]
        if said == "fell" and not _set_again(worker, processor, instruction, row):
            said = "did not answer"
        seen[said] = seen.get(said, 0) + 1
    standing.looked(desk, reference, seen, all_answered="did not answer" not in seen)


def _set_again(worker: Worker, processor: Processor, instruction: Instruction, row: sa.Row[Any]) -> bool:
    """True if it is settled: done, or a task for a person."""
    by_hand = processor.instructions.get(instruction.operation) or (
        f"Carry out `{instruction.operation}` for this person at {processor.label} by hand; the connector could not."
    )
    try:
        receipt = processor.perform(instruction)
    except VendorError as error:
        log.warning("could not set it again", processor=row.processor, problem=error.what)
        became, task = ("not yet", "") if error.retry else ("with a person", by_hand)
    else:
        manual = receipt.outcome is Outcome.MANUAL
        became, task = ("with a person", receipt.note or by_hand) if manual else ("set again", "")
    standing.fell(worker.desk, instruction.reference, row, processor.label, became, task)
    return became != "not yet"
