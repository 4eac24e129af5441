"""On what grounds a request may be refused, or records held back: dated data from `grounds.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from dsr.errors import TransitionNotAllowed, UnsupportedRequest
from dsr.letters import catalogue
from dsr.model import Right

Use = Literal["refuse", "hold"]
MARKETING = "GDPR Art. 21(3): an objection stops direct marketing without exception, and that cannot be refused"
# Rights that have no refusal branch, and what says so.
NEVER_REFUSED = {
    Right.UNSUBSCRIBE: "GDPR Art. 21(3): who objects to direct marketing cannot be refused",
    Right.AGE_REPORT: "a report about a child is decided, not refused: say `child REF erase`, `consent` or `false`",
}


@dataclass(frozen=True)
class Ground:
    """One lawful ground.

    Args:
        id: term of the Data Privacy Vocabulary.
        rights: to which it can be opposed.
        may: refuse the whole request, or hold records back.
        phrase: for a hold: a few words for the certificate, of the catalogues' section [phrase].
    """

    id: str
    article: str
    valid_from: date
    source: str
    rights: tuple[Right, ...]
    may: tuple[Use, ...]
    phrase: str = ""

    def sentence(self, language: str) -> str:
        """For the person, with the article."""
        key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.id).lower()
        return f"{catalogue.word('ground', key, language)} ({self.article})"


@cache
def all_grounds() -> tuple[Ground, ...]:
    raw = tomllib.loads(Path(__file__).with_name("grounds.toml").read_text(encoding="utf-8"))["grounds"]
    return tuple(
        Ground(**{**entry, "rights": tuple(Right(r) for r in entry["rights"]), "may": tuple(entry["may"])})
        for entry in raw
    )


def ground(id: str, right: Right, use: Use, on: date) -> Ground:
    """The ground of this name, if the law lets it be used so.

    Args:
        id: as in `grounds.toml`, in any case.
        on: day of receipt; a ground that was not law then is none.

    Raises:
        TransitionNotAllowed: this right cannot be refused, or not on this ground; names the article.
        UnsupportedRequest: no such ground.
    """
    if right in NEVER_REFUSED:
        raise TransitionNotAllowed(NEVER_REFUSED[right])
    named = [g for g in all_grounds() if g.id.lower() == id.lower() and g.valid_from <= on]
    if not named:
        raise UnsupportedRequest(f"no such ground; known: {', '.join(sorted(g.id for g in all_grounds()))}")
    found = max(named, key=lambda g: g.valid_from)
    if right not in found.rights:
        if right is Right.OBJECTION:
            raise TransitionNotAllowed(f"{MARKETING}; the rest is weighed on a ground of GDPR Art. 21(1) alone")
        raise TransitionNotAllowed(f"{found.article} is no ground against {right}")
    if use not in found.may:
        if use == "refuse":
            raise TransitionNotAllowed(f"{found.article} exempts records, never a whole account: name what is kept")
        raise TransitionNotAllowed(f"{found.article} is no ground to keep records back")
    return found
