"""Which names of folders say whose they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

EMAIL, ACCOUNT_ID, ANYTHING = "{email}", "{account_id}", "*"
USUAL = (EMAIL, ACCOUNT_ID, f"{ANYTHING} ({EMAIL})")
_PARTS = re.compile(r"(\{\w*\}|\*)")


def patterns_of(text: str) -> tuple[str, ...]:
    """Patterns from configuration, separated by commas.

    Raises:
        ValueError: one has neither address nor account id, or another thing in braces.
    """
    patterns = tuple(pattern.strip() for pattern in text.split(","))
    for pattern in patterns:
        named = {part for part in _PARTS.findall(pattern) if part != ANYTHING}
        if not named or named - {EMAIL, ACCOUNT_ID}:
            raise ValueError(f"each pattern must have {EMAIL} or {ACCOUNT_ID}, and nothing else in braces")
    return patterns


def fits(name: str, patterns: Sequence[str], emails: Collection[str], accounts: Collection[str]) -> bool:
    """Whether a folder's whole name fits one of the patterns for this person.

    Ids are compared as they are written: where they tell capitals from small letters, another case is another person.
    """
    alternatives = {
        EMAIL: "|".join(map(re.escape, emails)) or r"(?!)",
        ACCOUNT_ID: f"(?-i:{'|'.join(map(re.escape, accounts))})" if accounts else r"(?!)",
        ANYTHING: ".+",
    }
    return any(
        re.fullmatch(
            "".join(f"(?:{alternatives[p]})" if p in alternatives else re.escape(p) for p in _PARTS.split(pattern)),
            name,
            re.IGNORECASE,
        )
        for pattern in patterns
    )
