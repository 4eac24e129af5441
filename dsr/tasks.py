"""Durable work, enqueued by name in the caller's own transaction: committed together or not at all.

The sole user of `DBOSClient`. The workflows themselves stand in `workflows/`; each is short, acts on the state that
it finds in the database, and ends. Waiting is a delayed enqueue, never a sleeping thread. Arguments are ids only.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions
from dbos import DBOSPortableJSONSerializer as PortableJSON

MESSAGES = "messages"  # queues
REQUESTS = "requests"
APPLICATION = "privacy-desk"


class Tasks:
    """Args:
    engine: the database that the worker's DBOS uses too.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=engine, serializer=PortableJSON(), application_name=APPLICATION, lazy=True
        )

    def handle_message(self, conn: sa.Connection, message_id: int, channel: str, event_id: str) -> None:
        """Take the turns that this message asks for; repeated for the same event, it is one workflow."""
        self._enqueue(conn, MESSAGES, "handle_message", f"{channel}:{event_id}", 0, message_id)

    def message_again(self, conn: sa.Connection, message_id: int, delay: float = 0) -> None:
        """Handle a stored message that was not finished.

        Args:
            delay: seconds.
        """
        self._enqueue(conn, MESSAGES, "handle_message", f"again:{secrets.token_hex(12)}", delay, message_id)

    def deliver(self, conn: sa.Connection, lane: str, delay: float = 0) -> None:
        """Send what waits in a lane of `outgoing`.

        Args:
            delay: seconds.
        """
        self._enqueue(conn, MESSAGES, "deliver", f"deliver:{secrets.token_hex(12)}", delay, lane)

    def advance(self, conn: sa.Connection, reference: str, delay: float = 0) -> None:
        """Do what is due for a request.

        Args:
            delay: seconds.
        """
        self._enqueue(conn, REQUESTS, "advance", f"advance:{reference}:{secrets.token_hex(8)}", delay, reference)

    def look_again(self, conn: sa.Connection, reference: str) -> None:
        """Ask whether what a request restricted still stands."""
        self._enqueue(conn, REQUESTS, "look_again", f"look:{reference}:{secrets.token_hex(8)}", 0, reference)

    def forward(self, conn: sa.Connection, reference: str, account: str, delay: float = 0) -> None:
        """Tell a customer, by account id, of a request about its mail.

        Args:
            delay: seconds.
        """
        id = f"forward:{reference}:{secrets.token_hex(8)}"
        self._enqueue(conn, REQUESTS, "forward", id, delay, f"{reference} {account}")

    def _enqueue(self, conn: sa.Connection, queue: str, name: str, id: str, delay: float, argument: object) -> None:
        options: EnqueueOptions = {"queue_name": queue, "workflow_name": name, "workflow_id": id}
        if delay > 0:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(conn, options, argument)

    def close(self) -> None:
        self._client.destroy()
