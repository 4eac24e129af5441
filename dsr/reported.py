"""A vendor reports that somebody unsubscribed or complained there: it spreads to the other senders, once."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dsr import addresses, commands, preferences, receipts, suppression
from dsr.desk import Desk
from dsr.messages import SuppressionReported
from dsr.model import Operation, Right
from dsr.store.tables import receipts as receipts_table
from dsr.store.tables import requests as requests_table

ECHO = receipts.LEASE  # within this time of our own call a vendor's report may be about that call


def spread(desk: Desk, conn: sa.Connection, event: SuppressionReported, *, received_at: datetime, channel: str) -> str:
    """Open the request that tells every sender, unless they are being told or have just been.

    Args:
        event: the address of its unsubscribe token, if it carries one, comes before the one in the From line.

    Returns:
        the reference; empty if nothing is to be told.
    """
    named = suppression.read_token(desk, event.token) if event.token else None
    address = addresses.normalise(named[0] if named else event.address)
    if not address or _told(desk, conn, address, event.vendor, received_at):
        return ""
    return commands.open_without_proof(
        desk,
        conn,
        Right.UNSUBSCRIBE,
        address,
        received_at=received_at,
        channel=channel,
        why=f"reported by {event.vendor}",
        opened_by=f"processor:{event.vendor}",
    )


def _told(desk: Desk, conn: sa.Connection, address: str, vendor: str, at: datetime) -> bool:
    """Is the stop in force and fresh at every sender, or is the report the echo of our own call at this vendor?

    After a call of ours an echo may arrive when the person has subscribed again meanwhile: it must not undo that.
    """
    if preferences.unsubscribed(desk, conn, address):
        return preferences.just_told(desk, conn, address, at)
    c, r = requests_table.c, receipts_table.c
    mine = (c.address_hash == desk.vault.hash("address", address), c.right == str(Right.UNSUBSCRIBE))
    begun = sa.or_(r.leased_until > at, r.finished_at > at - ECHO)
    told = (r.reference == c.reference, r.processor == vendor, r.operation == str(Operation.SUPPRESS))
    return conn.execute(sa.select(c.reference).where(*mine, *told, begun).limit(1)).first() is not None
