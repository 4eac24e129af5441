"""An event that a webhook stored: a turn of a conversation, an agent's command, or news from a vendor."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from dsr import addresses, agents, alarm, asked_elsewhere, ledger, reported, turns
from dsr.errors import NotFound, VendorRefused
from dsr.fulfilment import OWN_DATABASE
from dsr.inbox import load
from dsr.messages import AgentCommand, ContactChanged, DeletionAsked, InboundMessage, SuppressionReported
from dsr.model import Identity
from dsr.store.tables import messages
from integrations.own_database.processor import OwnDatabaseProcessor
from workflows import planning, returned
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
    if isinstance(event, SuppressionReported | ContactChanged) and event.identity and not event.address:
        channel = worker.connections.channels[row.channel]
        event = replace(event, address=channel.address_of(event.identity))
    address = _address_of(worker, event.identity) if isinstance(event, DeletionAsked) else ""
    plan = planning.answer(worker, event.text) if isinstance(event, AgentCommand) and agents.is_plan(event.text) else ""
    sure = returned.still_held(worker, event) if isinstance(event, ContactChanged) else None
    with desk.db.write() as conn:
        mine = conn.execute(
            messages.update()
            .where(messages.c.id == message_id, messages.c.handled_at.is_(None))
            .values(handled_at=desk.now())
        )
        if not mine.rowcount:
            return
        if isinstance(event, AgentCommand):
            agents.carry_out(desk, conn, row.key_id, event, plan)
        elif isinstance(event, SuppressionReported):
            reported.spread(desk, conn, event, received_at=row.received_at, channel=row.channel)
        elif isinstance(event, DeletionAsked):
            asked_elsewhere.open_erasure(desk, conn, event, address, row.channel)
        elif isinstance(event, ContactChanged) and sure is not None:
            _erase_again(worker, conn, event, row.received_at, sure)


def _erase_again(worker: Worker, conn: sa.Connection, event: ContactChanged, received_at: datetime, sure: bool) -> None:
    desk, address = worker.desk, addresses.normalise(event.address)
    reference = ledger.erase_again(desk, conn, address, event.vendor, received_at=received_at, sure=sure)
    if reference:
        then = "is being erased again" if sure else "has an account again: an agent decides"
        text = f"{reference}: a person who was erased has come back at {event.vendor} and {then}."
        alarm.sound(desk, conn, text, f"again:{reference}", reference)


def _address_of(worker: Worker, identity: Identity) -> str:
    """Address of the account that the company keeps this identifier with; empty if it keeps none."""
    own = worker.connections.processors[OWN_DATABASE]
    return addresses.normalise(own.address_of(identity)) if isinstance(own, OwnDatabaseProcessor) else ""


def _complete(worker: Worker, message: InboundMessage) -> InboundMessage:
    try:
        return worker.connections.channels[message.conversation.channel].complete(message)
    except (NotFound, VendorRefused):
        return message  # the vendor does not tell: the person is asked for the address
