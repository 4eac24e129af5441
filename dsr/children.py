"""What becomes of an account that was reported as a child's: two agents decide, by a checklist (Art. 8, 17(1)(f)).

Whoever reported learns nothing of it. The reported person is told by mail if the account is to be erased, and can stop
that with "this was not me" during the cooling-off time.
"""

from __future__ import annotations

from typing import Literal, get_args

import sqlalchemy as sa

from dsr import commands, decisions, four_eyes, lifting, receipts, requests, suppression
from dsr.desk import Desk
from dsr.errors import RequestError, TransitionNotAllowed
from dsr.model import Operation, Outcome, ReceiptStatus, RequestStatus, Right
from dsr.requests import SubjectRequest

S = RequestStatus
Decision = Literal["erase", "consent", "false"]
KIND = "child"
BY = "two agents (GDPR Art. 17(1)(f))"
CHECKLIST: dict[str, str] = {
    "erase": "1. The account is held. 2. Records or what was written show a person under 16. 3. Nobody with parental "
    "authority has shown consent, or they ask for erasure. 4. No legal ground to keep a record, else place a hold.",
    "consent": "1. Whoever consents holds parental authority; it was checked without keeping a document (Art. 8(2)). "
    "2. The consent names this account and what it is for. 3. Advertising stays stopped.",
    "false": "1. The account's holder is 16 or older; how that was checked is in the ticket, no document is kept. "
    "2. The report was a mistake or malice; the reporter is told nothing about the account.",
}


def decide(desk: Desk, conn: sa.Connection, agent: str, reference: str, decision: str) -> str:
    """The first agent proposes and gets the checklist; the same from a second agent carries it out.

    Args:
        decision: `erase`: the account goes; `consent`: parental consent was shown, the hold is lifted; `false`: a
            false report, everything is lifted.

    Returns:
        what happened, for the agent.

    Raises:
        RequestError: no such decision.
        TransitionNotAllowed: no report that waits for a decision, it names no account yet, or four eyes forbid it.
    """
    if decision not in get_args(Decision):
        raise RequestError("decide erase, consent or false")
    request = requests.get(desk, conn, reference, lock=True)
    if request.right is not Right.AGE_REPORT or request.status is not S.WAITING_FOR_AGENT:
        raise TransitionNotAllowed("only a report about a child that waits for a decision can be decided")
    if not request.address:
        raise TransitionNotAllowed("the report names no account yet")
    proposed = decisions.waiting(desk, conn, reference, KIND)
    if proposed is None or proposed[0] == f"agent:{agent}" or proposed[1]["decision"] != decision:
        decisions.propose(desk, conn, agent, reference, KIND, {"decision": decision}, decision)
        return f"proposed: {decision}. Check: {CHECKLIST[decision]} A second agent confirms with the same command"
    four_eyes.forbid_own(desk, conn, agent, request)
    decisions.decide(desk, conn, agent, reference, KIND)
    return {"erase": _erase, "consent": _consent, "false": _false}[decision](desk, conn, agent, request)


def _erase(desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest) -> str:
    """The account stays held until the erasure, a request of its own with its own cooling-off time, has taken it."""
    erasure = requests.open_request(
        desk,
        conn,
        Right.ERASURE,
        request.address,
        received_at=request.row.received_at,
        channel=request.row.channel,
        status=S.IDENTITY_PENDING,
        opened_by=f"agent:{agent}",
        language=request.row.language,
    )
    commands.verified(desk, conn, erasure, by=BY, who=f"agent:{agent}")
    _close(desk, conn, agent, request, f"erasure under Art. 17(1)(f): {erasure}")
    return f"the account is erased after the cooling-off time: {erasure}"


def _consent(desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest) -> str:
    _close(desk, conn, agent, request, "parental consent was shown (Art. 8(1)); the hold is lifted", held_by=None)
    lifting.lift(desk, conn, request.reference, who=f"agent:{agent}")
    return "the hold is being lifted; advertising stays stopped"


def _false(desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest) -> str:
    told = [
        (row.processor, Operation.LIFT, 1)
        for row in receipts.rows(conn, request.reference)
        if row.status == ReceiptStatus.COMPLETED and row.outcome in (Outcome.DONE, Outcome.PARTIAL)
    ]
    suppression.lift(desk, conn, request.address, kind=suppression.AGE)
    why = "a false report about a child's age: everything is lifted"
    commands.withdraw(desk, conn, f"agent:{agent}", request.reference, why)
    receipts.plan(desk, conn, request.reference, list(dict.fromkeys(told)), request.row.due_at)
    requests.update(conn, request.reference, wake_at=desk.now(), held_by=None)
    desk.tasks.advance(conn, request.reference)
    return "everything is being lifted; what a vendor unsubscribed, only the person can subscribe again"


def _close(
    desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest, why: str, **values: str | None
) -> None:
    who, now = f"agent:{agent}", desk.now()
    requests.move(desk, conn, request.reference, S.IN_PROGRESS, who=who, why=why, wake_at=now, **values)
    desk.tasks.advance(conn, request.reference)
