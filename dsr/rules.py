"""The law's numbers, read from `rules.toml`: each with id, article, first day of validity and source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One version of one rule.

    Args:
        article: law and article, or `internal` for a house rule.
        valid_from: first day (of receipt, of issue) to which this version applies.
        months, days, business_days, hours, years: its length, in the one unit that it uses; 0 otherwise.
        days_before, hours_before: for warnings: days, or hours, before the due date.
        starts_month, starts_day: for retention: the day of the following year from which `years` count.
        calendar: country whose holidays count, if the rule fixes one; else that of the controller.
        house: True for our own target, False for law.
    """

    id: str
    article: str
    valid_from: date
    source: str
    text: str
    months: int = 0
    days: int = 0
    business_days: int = 0
    hours: int = 0
    years: int = 0
    days_before: tuple[int, ...] = ()
    hours_before: tuple[int, ...] = ()
    starts_month: int = 0
    starts_day: int = 0
    calendar: str = ""
    house: bool = False


@cache
def all_rules() -> Mapping[str, tuple[Rule, ...]]:
    """Rule id -> its versions, oldest first."""
    raw = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))["rules"]
    versions: dict[str, list[Rule]] = {}
    for entry in raw:
        lists: dict[str, Any] = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
        rule = Rule(**{**entry, **lists})
        versions.setdefault(rule.id, []).append(rule)
    return {id: tuple(sorted(found, key=lambda rule: rule.valid_from)) for id, found in versions.items()}


def rule(id: str, on: date) -> Rule:
    """The version that applies on a day. Before the first version the first one is taken: a request with a wrong
    old timestamp still needs a deadline.

    Raises:
        KeyError: there is no rule of this id.
    """
    versions = all_rules()[id]
    return next((version for version in reversed(versions) if version.valid_from <= on), versions[0])
