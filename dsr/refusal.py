"""Refusing a request, or a part of it: on a ground of the law, by two agents, with a letter that says everything that
Art. 12(4) demands. A partial refusal is a hold on the records that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import commands, decisions, grounds, holds, identity, lifting, outgoing, requests
from dsr.desk import Desk
from dsr.errors import RequestError, TransitionNotAllowed
from dsr.letters import mails
from dsr.messages import Mail
from dsr.model import RequestStatus, Right
from dsr.requests import SubjectRequest

KIND = "refusal"
S = RequestStatus


def propose(
    desk: Desk,
    conn: sa.Connection,
    agent: str,
    reference: str,
    ground_id: str,
    reason: str,
    partial: Sequence[str] = (),
    until: date | None = None,
) -> str:
    """The first agent says why; nothing happens until a second one agrees. No code path refuses by itself.

    Args:
        ground_id: as in `grounds.toml`.
        reason: the facts, for the person and in their language; kept encrypted with the person's key.
        partial: what is kept, everything else being carried out: `PROCESSOR` or `PROCESSOR:KIND` each.
        until: the last day for which it is kept.

    Returns:
        what happened, for the agent.

    Raises:
        TransitionNotAllowed: the right cannot be refused on this ground, or the request not any more.
        UnsupportedRequest: no such ground.
        LetterIncomplete: the letter would lack a mandatory part.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if bool(partial) != bool(until):
        raise RequestError("a partial refusal names what is kept and until when")
    if not partial:
        found = _allowed(desk, request, ground_id)
        _letter(desk, request, found, reason)
    else:
        found = grounds.ground(ground_id, request.right, "hold", _received(desk, request))
    details = {"ground": found.id, "reason": reason, "partial": [*partial], "until": until and until.isoformat()}
    decisions.propose(desk, conn, agent, reference, KIND, details, f"{found.id} ({found.article})")
    return f"proposed: {found.id} ({found.article}). A second agent must confirm (four eyes)"


def confirm(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """The second agent agrees: the request ends, and the letter goes out in the same transaction.

    Raises:
        TransitionNotAllowed: nothing was proposed, the same agent did, or the request cannot be refused any more.
        LetterIncomplete: the letter lacks a mandatory part.
    """
    details = decisions.decide(desk, conn, agent, reference, KIND)
    if details["partial"]:
        return _hold(desk, conn, agent, reference, details)
    request = requests.get(desk, conn, reference, lock=True)
    found = _allowed(desk, request, details["ground"])
    letter = _letter(desk, request, found, details["reason"])
    why = f"{found.id} ({found.article}); the reasons are kept encrypted"
    weighed = request.right is Right.OBJECTION
    requests.move(desk, conn, reference, S.REFUSED, who=f"agent:{agent}", why=why, finished_at=desk.now())
    lifts = lifting.after_notice(desk) if weighed else None
    lifting.lift(desk, conn, reference, who=f"agent:{agent}", not_before=lifts, suppressed=weighed)
    identity.void(desk, conn, reference=reference)
    outgoing.mail(desk, conn, request.row.key_id, letter, f"refused:{reference}", reference)
    commands.reply_in_conversation(desk, conn, reference, f"refused:{reference}:line", "refused")
    return f"refused on {found.id} ({found.article}); the letter is on its way"


def _allowed(desk: Desk, request: SubjectRequest, ground_id: str) -> grounds.Ground:
    found = grounds.ground(ground_id, request.right, "refuse", _received(desk, request))
    weighed = request.right is Right.OBJECTION
    if weighed and not request.verified:
        raise TransitionNotAllowed(f"{grounds.MARKETING}; without proof nothing else was restricted")
    if S.REFUSED not in requests.MOVES[request.status] or (request.status in requests.BEGUN and not weighed):
        raise TransitionNotAllowed(f"a request that is {request.status} cannot be refused as a whole any more")
    if weighed and desk.now() > request.row.due_at:
        raise TransitionNotAllowed("the period for telling the person is over (GDPR Art. 12(4)); the objection stands")
    if not request.address:
        raise TransitionNotAllowed("there is no address for the letter that a refusal needs (GDPR Art. 12(4))")
    return found


def _received(desk: Desk, request: SubjectRequest) -> date:
    day: date = request.row.received_at.astimezone(ZoneInfo(desk.policy.controller.timezone)).date()
    return day


def _hold(desk: Desk, conn: sa.Connection, agent: str, reference: str, details: Mapping[str, Any]) -> str:
    until = date.fromisoformat(details["until"])
    said = []
    for kept in details["partial"]:
        processor, _, kind = kept.partition(":")
        said.append(
            holds.place(
                desk, conn, agent, reference, processor, details["ground"], until, kind=kind, note=details["reason"]
            )
        )
    return "; ".join(said)


def _letter(desk: Desk, request: SubjectRequest, found: grounds.Ground, reason: str) -> Mail:
    language = request.row.language
    reasons = f"{found.sentence(language)}\n{reason.strip()}" if reason.strip() else ""
    if request.right is Right.OBJECTION:
        return mails.objection_refused_mail(
            request.address,
            language,
            reference=request.reference,
            reason=reasons,
            lifted=lifting.after_notice(desk),
            company=desk.company,
        )
    return mails.refused_mail(
        request.address,
        language,
        reference=request.reference,
        right=request.right,
        reason=reasons,
        company=desk.company,
    )
