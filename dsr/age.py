"""Does a report about a child's age speak of its author ("i am 12"), or of somebody else ("my son is 12")? Pure.

Conservative: only plain first-person statements count, in the fourteen languages of the detector. A report that is
taken for one about somebody else costs one question more; the opposite would put a mark on a parent's account.
The words stand in `age.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from intents.text.normalise import fold, normalise

FIRST_BIRTH_YEAR = 2010
_DIGITS = r"(?<![\d.,:/+-])(?:[6-9]|1[0-5])(?:[.,]5|\s?1/2)?(?![\d/:%€$£°]|[.,]\d)"
_BIRTH_YEAR = r"(?:\d{1,2}[./-]?\s*(?:\d{1,2}[./-]\s*|(?:de )?[a-z]{3,10}\.?\s+(?:de )?)?)?(?P<year>20\d\d)(?!\d)"
# After an age: the end or punctuation; never a thing that is counted, nor a German ordinal ("im 12. Monat").
_PAUSE = r"\s*(?:$|[^\w\s%€$£°+'\"-]|[-\"'](?:\s|$))"
_NOT_COUNTING = r"(?!\.?\s*(?:jahr|lebensjahr|monat|stock|bezirk))"
# What stands between quotation marks is somebody else's words.
_QUOTED = re.compile(r'"[^"\n]{1,300}"|«[^»\n]{1,300}»|»[^«\n]{1,300}«|(?<!\w)\'[^\'\n]{3,300}\'(?!\w)')
_LONGEST = 4000  # characters that are read


def speaks_of_self(text: str, first_birth_year: int = FIRST_BIRTH_YEAR) -> bool:
    """True if the author says of themselves that they are a child: an age from 6 to 15 in figures or words, a school
    grade, a birth year, being a minor.

    Args:
        text: what the author wrote, without quoted mail.
        first_birth_year: the first year of birth that is a child's (this year less 16, if the caller knows it).
    """
    folded = _QUOTED.sub(" ", fold(normalise(text[:_LONGEST].replace("½", ".5"))))
    if _of_words("grown_up").search(folded):
        return False
    for pattern in _statements():
        for found in pattern.finditer(folded):
            year = found.groupdict().get("year")
            if (year is None or int(year) >= first_birth_year) and not _is_reported(folded, found.start()):
                return True
    return False


def _is_reported(folded: str, start: int) -> bool:
    """Does "he says:" or the like stand right before?"""
    return _of_words("reported").search(folded[max(0, start - 60) : start]) is not None


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_name("age.toml").read_text(encoding="utf-8"))


@cache
def _of_words(name: str) -> re.Pattern[str]:
    return re.compile(_words()[name])


@cache
def _statements() -> tuple[re.Pattern[str], ...]:
    """Every first-person statement, compiled once."""
    patterns = []
    for language in _words()["language"].values():
        goes_on = rf"(?!\w)(?={_PAUSE}|\s+(?:{language['goes_on']})\b){_NOT_COUNTING}"
        number = rf"(?:{_DIGITS}|\b(?:{language['numbers']}))"
        years = rf"(?:[\s-]*(?:{language['years']}))" + ("?" if language["bare"] else "")
        age = rf"{language['lead']}\s+(?:(?:{language['just']})\s+){{0,3}}{number}{years}{goes_on}"
        for part in (age, *language["more"], *language["born"]):
            filled = part.replace("{N}", number).replace("{GO}", goes_on).replace("{Y}", _BIRTH_YEAR)
            patterns.append(re.compile(filled))
    return tuple(patterns)
