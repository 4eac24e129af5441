"""What the data protection officer must know at once: a mail, a line in the agents' channel, and the log."""

from __future__ import annotations

from html import escape

import sqlalchemy as sa
import structlog

from dsr import outgoing
from dsr.desk import Desk
from dsr.messages import Mail

log = structlog.get_logger()


def sound(desk: Desk, conn: sa.Connection, text: str, cause: str, reference: str | None = None) -> bool:
    """Tell the DPO and the agents, once for each cause.

    Args:
        text: plain English, without personal data.
        cause: what makes two alarms the same one; at most 100 characters.

    Returns:
        False if this alarm had been sounded before.
    """
    key = f"alarm:{cause}"
    if not outgoing.is_new(conn, f"{key}:mail"):
        return False
    log.error("alarm", text=text, reference=reference)
    key_id = desk.vault.new_key(conn)
    outgoing.tell_agents(desk, conn, key_id, f":rotating_light: {text}", key, reference)
    subject = f"Privacy Desk: alarm{f' ({reference})' if reference else ''}"
    mail = Mail(desk.policy.dpo.email, subject, text, f"<p>{escape(text)}</p>", "alarm")
    outgoing.mail(desk, conn, key_id, mail, f"{key}:mail", reference)
    return True
