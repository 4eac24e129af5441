"""Send what waits in a lane: one row after the other, each leased before the call and marked after it."""

from __future__ import annotations

from typing import Any

import structlog

from dsr import outgoing
from dsr.errors import VendorError, VendorRateLimited, VendorRefused
from dsr.messages import ConversationRef, Mail, Reply
from workflows.context import Worker

log = structlog.get_logger()


def deliver(worker: Worker, lane: str) -> None:
    """Send until the lane is empty, busy elsewhere, or has to wait."""
    while True:
        row = outgoing.lease_next(worker.desk, worker.id, lane)
        if row is None:
            return
        if isinstance(row, float):
            _later(worker, lane, row)
            return
        try:
            if not (row.again and _arrived(worker, row)):
                _send(worker, row)
        except VendorError as error:
            wait = error.retry_after if isinstance(error, VendorRateLimited) else None
            unknown = error.retry and not isinstance(error, VendorRateLimited)
            pause = outgoing.not_sent(worker.desk, row, error.what, retry=error.retry, unknown=unknown, wait=wait)
            log.warning("not sent", kind=row.kind, channel=row.channel, problem=error.what, again=pause is not None)
            if pause is not None:
                _later(worker, lane, pause)
                return
        else:
            outgoing.sent(worker.desk, row)


def _later(worker: Worker, lane: str, seconds: float) -> None:
    with worker.desk.db.write() as conn:
        worker.desk.tasks.deliver(conn, lane, delay=seconds + 0.05)


def _send(worker: Worker, row: outgoing.Leased) -> None:
    channel, body = worker.connections.channels.get(row.channel), row.body
    if row.kind == "mail":
        if worker.connections.mailer is None:
            raise VendorRefused("mail", "no mailer is configured")
        worker.connections.mailer.send(Mail(**body), idempotency_key=row.key)
    elif channel is None:
        raise VendorRefused(row.channel, "the channel is not connected")
    elif row.kind == "reply":
        channel.reply(_ref(body), Reply(body["text"], body["language"]), idempotency_key=row.key)
    elif row.kind == "note":
        channel.note(_ref(body), body["text"], idempotency_key=row.key)
    elif row.kind == "agents":
        channel.tell_agents(body["text"], reference=row.reference, idempotency_key=row.key)
    else:
        channel.answer_command(body["url"], body["text"])


def _arrived(worker: Worker, row: outgoing.Leased) -> bool:
    """An earlier try was interrupted: ask whether it arrived."""
    channel, body = worker.connections.channels.get(row.channel), row.body
    if row.kind == "mail":
        mailer = worker.connections.mailer
        return mailer is not None and mailer.sent(Mail(**body), idempotency_key=row.key)
    if channel is None or row.kind == "respond":
        return False
    if row.kind == "agents":
        return channel.said(ConversationRef(row.channel, ""), body["text"], idempotency_key=row.key)
    return channel.said(_ref(body), body["text"], idempotency_key=row.key)


def _ref(body: dict[str, Any]) -> ConversationRef:
    return ConversationRef(**body["ref"])
