"""A restriction that stands is ended because the person asks for it (Art. 18(3)): told first, lifted after the notice.

The request stays completed, for its dates are its answer; what ends is what it restricted. It takes one agent: nothing
is refused and nothing erased, the letter goes to the proved address, and there is time to answer it.
"""

from __future__ import annotations

import sqlalchemy as sa

from dsr import lifting, outgoing, requests, standing
from dsr.desk import Desk
from dsr.errors import TransitionNotAllowed
from dsr.letters import catalogue, mails
from dsr.model import Right


def lift(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """The person wants the restriction lifted: the letter goes out now, the processors are told after the notice.

    Of an objection, what stops promotional mail goes on (Art. 21(3)).

    Returns:
        what happened, for the agent.

    Raises:
        TransitionNotAllowed: nothing of this request stands, or it restricted nothing.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if request.status not in standing.STATUSES or request.row.look_at is None:
        raise TransitionNotAllowed(
            f"no restriction of it stands ({request.status}); one that is not carried out yet can be withdrawn"
        )
    day = lifting.after_notice(desk)
    weighed = request.right is Right.OBJECTION
    why = "the person asked for it (GDPR Art. 18(3))"
    told = lifting.lift(desk, conn, reference, who=f"agent:{agent}", not_before=day, suppressed=weighed, why=why)
    if not told:
        raise TransitionNotAllowed("it restricted nothing at any processor")
    letter = mails.lifted_mail(
        request.address, request.row.language, reference=reference, lifted=day, company=desk.company
    )
    outgoing.mail(desk, conn, request.row.key_id, letter, f"lifted:{reference}", reference)
    on = catalogue.date(day, "en", desk.policy.controller.timezone)
    return f"the person is told now; the restriction is lifted at {len(told)} processors on {on}"
