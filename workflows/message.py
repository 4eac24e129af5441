"""An event that a webhook stored: a turn of a conversation, an agent's command, or news from a vendor."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from dsr import agents, commands, turns
from dsr.errors import NotFound, VendorRefused
from dsr.inbox import load
from dsr.model import AgentCommand, InboundMessage, Right, SuppressionReported
from dsr.store.tables import messages
from workflows.context import Worker


def handle(worker: Worker, message_id: int) -> None:
    """Act on a stored event; acting twice has one effect.

    Raises:
        VendorError: an address had to be asked for and the vendor did not tell; try again.
    """
    desk = worker.desk
    with desk.db.read() as conn:
        row = conn.execute(sa.select(messages).where(messages.c.id == message_id)).first()
        if row is None:
            return
        conversation_id = row.conversation_id
        event = None if conversation_id else load(row.kind, desk.vault.open(conn, row.key_id, row.body_enc))
    if conversation_id:
        turns.take_turns(desk, conversation_id, lambda message: _complete(worker, message))
        return
    if isinstance(event, SuppressionReported) and event.identity and not event.address:
        channel = worker.connections.channels[row.channel]
        event = replace(event, address=channel.address_of(event.identity))
    with desk.db.write() as conn:
        mine = conn.execute(
            messages.update()
            .where(messages.c.id == message_id, messages.c.handled_at.is_(None))
            .values(handled_at=desk.now())
        )
        if not mine.rowcount:
            return
        if isinstance(event, AgentCommand):
            agents.carry_out(desk, conn, row.key_id, event)
        elif isinstance(event, SuppressionReported) and event.address:
            commands.open_without_proof(
                desk,
                conn,
                Right.UNSUBSCRIBE,
                event.address,
                received_at=row.received_at,
                channel=row.channel,
                why=f"reported by {event.vendor}",
                opened_by=f"processor:{event.vendor}",
            )


def _complete(worker: Worker, message: InboundMessage) -> InboundMessage:
    try:
        return worker.connections.channels[message.conversation.channel].complete(message)
    except (NotFound, VendorRefused):
        return message  # the vendor does not tell: the person is asked for the address
