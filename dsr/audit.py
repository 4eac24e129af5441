"""Who did what, when, and why: a row for every change of state. Never a personal datum."""

from __future__ import annotations

import json
from collections.abc import Mapping

import sqlalchemy as sa

from dsr.desk import Desk
from dsr.store.tables import audit


def record(
    desk: Desk,
    conn: sa.Connection,
    *,
    who: str,
    what: str,
    why: str,
    reference: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write one row in the transaction of the change itself.

    Args:
        who: `customer`, `desk`, `agent:<id>`, or `processor:<name>`.
        what: dotted verb, e.g. `request.opened`.
        details: codes, counts and dates only.
    """
    conn.execute(
        audit.insert().values(
            at=desk.now(), who=who, what=what, reference=reference, why=why, details=json.dumps(details or {})
        )
    )
