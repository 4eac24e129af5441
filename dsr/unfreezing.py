"""After "this was not me": an agent has looked, and the request goes on by a fresh proof, or ends."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dsr import commands, identity, opening, requests
from dsr.desk import Desk
from dsr.errors import TransitionNotAllowed
from dsr.model import RequestStatus

S = RequestStatus


def go_on(desk: Desk, conn: sa.Connection, agent: str, reference: str) -> str:
    """The person did ask after all: what proved them counts no more, and a fresh code is mailed to the address.

    Returns:
        what happened, for the agent.

    Raises:
        TransitionNotAllowed: it is not frozen, nobody is known to prove themselves, or the address has had too many
            codes.
    """
    request = requests.get(desk, conn, reference, lock=True)
    if request.status is not S.FROZEN:
        raise TransitionNotAllowed(f"the request is not frozen ({request.status})")
    if not request.address:
        raise TransitionNotAllowed("nobody is known who could prove themselves (GDPR Art. 12(6))")
    now = desk.now()
    identity.void(desk, conn, reference=reference)
    requests.move(
        desk,
        conn,
        reference,
        S.IDENTITY_PENDING,
        who=f"agent:{agent}",
        why="looked into; it goes on by a fresh proof alone",
        verified_at=None,
        verified_by=None,
        frozen_from=None,
        start_at=None,
        proof_asked_at=request.row.proof_asked_at or now,
        wake_at=now + timedelta(seconds=desk.settings.identity_expiry),
    )
    if not opening.mail_page_code(desk, conn, reference):
        raise TransitionNotAllowed("the address has had too many codes; try again in an hour")
    commands.reply_in_conversation(desk, conn, reference, f"unfrozen:{reference}:{now.isoformat()}", "unfrozen")
    return "the person has been mailed a fresh code; without it nothing happens"
