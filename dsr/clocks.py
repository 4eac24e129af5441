"""The clocks of a request on file: the hard date, and the one with suspension while proof was awaited (Art. 12(6))."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dsr import deadlines
from dsr.deadlines import Deadline, Regime
from dsr.model import Right
from dsr.policy import Policy


def of(policy: Policy, row: sa.Row[Any]) -> Deadline:
    """The deadline of a request with both clocks.

    The due date is the one on file: a newer calendar of holidays must not move it. The second clock is worked out
    from when proof was asked for and given.
    """
    zone = ZoneInfo(policy.controller.timezone)
    asked = max(row.proof_asked_at, row.received_at) if row.proof_asked_at else None
    proved = max(row.verified_at, asked) if asked and row.verified_at else None
    found = deadlines.deadline(
        row.received_at,
        country=policy.controller.country,
        timezone=policy.controller.timezone,
        regime=cast(Regime, row.regime),
        identity_requested_at=asked,
        identity_proved_at=proved,
    )
    if row.extended_at:
        found = deadlines.extend(replace(found, due=max(found.due, row.extended_at)), row.extended_at)
    return replace(found, due=row.due_at.astimezone(zone), extended_due=row.extended_due_at.astimezone(zone))


def stop_by(policy: Policy, row: sa.Row[Any]) -> datetime | None:
    """When the promotional mail of an objection has stopped: long before the rest of it is due. None: another right."""
    return min(of(policy, row).opt_out_by, row.due_at) if row.right == Right.OBJECTION else None


def derivation(policy: Policy, row: sa.Row[Any]) -> list[dict[str, str]]:
    """The steps that led to the due date as they were recorded, and what waiting for proof means for it.

    Returns:
        rule, article, text, date (ISO) of each step; an extension only once it was made.
    """
    recorded: list[dict[str, str]] = json.loads(row.derivation)["derivation"]
    steps = [s for s in recorded if not s["rule"].endswith("-identity")]
    if row.extended_at is None:
        steps = [s for s in steps if not s["rule"].endswith("-extension")]
    now = cast(list[dict[str, str]], deadlines.to_json(of(policy, row))["derivation"])
    waited = [s for s in now if s["rule"].endswith("-identity")]
    return [*steps, *waited]
