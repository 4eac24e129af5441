"""Four eyes: who opened or verified a request does not let it go on alone (threats.md, attack G22)."""

from __future__ import annotations

import sqlalchemy as sa

from dsr.desk import Desk
from dsr.errors import TransitionNotAllowed
from dsr.messages import ConversationRef
from dsr.requests import SubjectRequest
from dsr.store.tables import conversations
from dsr.store.vault import KeyDestroyed


def forbid_own(desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest) -> None:
    """Refuse an agent who has had a hand in the request, under whatever name.

    Agents work on a platform on which they can also write as customers (a direct message in Slack): then the request
    is opened by `customer`, and the author of its conversation tells who it was.

    Args:
        agent: the agent's id, as commands carry it.

    Raises:
        TransitionNotAllowed: the agent opened, verified or wrote it.
    """
    if f"agent:{agent}" in (request.row.opened_by, request.row.verified_by) or _wrote(desk, conn, agent, request):
        raise TransitionNotAllowed("who opened or verified a request cannot approve it alone (four eyes)")


def _wrote(desk: Desk, conn: sa.Connection, agent: str, request: SubjectRequest) -> bool:
    if not request.row.conversation_id:
        return False
    row = conn.execute(sa.select(conversations).where(conversations.c.id == request.row.conversation_id)).one()
    try:
        person = ConversationRef(**desk.vault.open(conn, row.key_id, row.ref_enc)).person
    except KeyDestroyed:
        return False
    # Slack names an author `workspace:member`, a command its member alone.
    return agent in (person, person.rpartition(":")[2])
