"""The one extension of a deadline: inside its first period, for a reason that the law knows, and told to the person."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

import sqlalchemy as sa

from dsr import audit, clocks, commands, deadlines, outgoing, requests
from dsr.desk import Desk
from dsr.errors import RequestError, TransitionNotAllowed
from dsr.grounds import NEVER_REFUSED
from dsr.letters import catalogue, mails
from dsr.model import RequestStatus, Right
from dsr.store.tables import receipts

Cause = Literal["complexity", "number"]  # GDPR Art. 12(3): there is no third one
CAUSES: tuple[Cause, ...] = ("complexity", "number")
AT_ONCE = frozenset({*NEVER_REFUSED, Right.OBJECTION})


def extend(desk: Desk, conn: sa.Connection, agent: str, reference: str, cause: str, note: str = "") -> str:
    """Extend the deadline once; the notice with its reasons is mailed in the same transaction.

    Args:
        cause: `complexity` or `number` (of requests).
        note: what the agent adds for the person, in their language; kept in the mail alone, never in the audit. Only
            for a proved person: free words may be personal, and an unproved address may be a stranger's (Art. 32).

    Returns:
        what happened, for the agent.

    Raises:
        RequestError: no such cause.
        TransitionNotAllowed: the request has ended, is extended already, its first period is over, it is one that
            must be honoured at once, or there is a note and no proof that stands; names the article.
    """
    if cause not in CAUSES:
        raise RequestError("a reason must be complexity or number (GDPR Art. 12(3))")
    request = requests.get(desk, conn, reference, lock=True)
    row, zone = request.row, desk.policy.controller.timezone
    if request.status in requests.ENDED:
        raise TransitionNotAllowed(f"the request has ended ({request.status}); nothing is left to extend")
    if request.right in AT_ONCE:
        raise TransitionNotAllowed(f"{request.right} is honoured at once and cannot be put off (GDPR Art. 21(3), 8)")
    if not request.address:
        raise TransitionNotAllowed("there is no address for the notice that an extension needs (GDPR Art. 12(3))")
    proved = request.verified and request.status is not RequestStatus.FROZEN  # "this was not me" takes the proof back
    if note.strip() and not proved:
        raise TransitionNotAllowed(
            "the person is not proved (GDPR Art. 32), so the notice can have no note: extend it without one"
        )
    extended = deadlines.extend(clocks.of(desk.policy, row), desk.now())
    recorded = json.loads(row.derivation)
    steps = [s for s in recorded["derivation"] if not s["rule"].endswith(("-extension", "-identity"))]
    made = deadlines.to_json(extended)
    last = cast(list[dict[str, str]], made["derivation"])[-1]
    requests.update(
        conn,
        reference,
        due_at=extended.due,
        extended_at=desk.now(),
        warn_at=desk.now(),
        derivation=json.dumps({**made, "derivation": [*steps, last]}),
    )
    r = receipts.c
    conn.execute(receipts.update().where(r.reference == reference, r.due_at == row.due_at).values(due_at=extended.due))
    _tell(desk, conn, reference, cause, note)
    audit.record(
        desk,
        conn,
        who=f"agent:{agent}",
        what="request.extended",
        reference=reference,
        why=f"{cause} ({last['article']}); the person is told",
        details={"from": row.due_at.isoformat(), "due": extended.due.isoformat()},
    )
    return f"due {catalogue.date(extended.due, 'en', zone)}; the notice is on its way"


def possible(desk: Desk, row: sa.Row[Any]) -> bool:
    """Would the law still allow an extension of this open request?"""
    known = row.address_enc is not None and row.right not in AT_ONCE
    return known and row.extended_at is None and desk.now() <= row.due_at


def _tell(desk: Desk, conn: sa.Connection, reference: str, cause: str, note: str) -> None:
    request = requests.get(desk, conn, reference)
    row, language = request.row, request.row.language
    reason = "\n".join(filter(None, (catalogue.word("extension", cause, language), note.strip())))
    mail = mails.extended_mail(
        request.address,
        language,
        reference=reference,
        right=Right(row.right),
        reason=reason,
        due=row.due_at,
        company=desk.company,
        regime=row.regime,
    )
    outgoing.mail(desk, conn, row.key_id, mail, f"extended:{reference}", reference)
    due = catalogue.date(row.due_at, language, desk.policy.controller.timezone)
    commands.reply_in_conversation(desk, conn, reference, f"extended:{reference}:line", "extended", due=due)
