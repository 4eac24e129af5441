"""The texts, in five languages: TOML files with the sections [reply], [mail], [page], [word] and [phrase].

A key is `say("code_sent", ...)` for a chat text, or names its section: `say("page.verify_title", ...)`. Placeholders
are `{name}`; nothing else in braces is touched. Wording avoids plurals and grammatical cases around placeholders.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, time
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.units import format_unit

LANGUAGES = ("en", "ro", "de", "fr", "es")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
_IN_BRACKETS = re.compile(r"(.+) (\((?:[^()]|\([^()]*\))*\))")

# How "date, time" is joined; Babel's own long form would add the name of the time zone.
_DATE_AND_TIME = {"en": "{} at {}", "ro": "{}, ora {}", "de": "{} um {} Uhr", "fr": "{} à {}", "es": "{} a las {}"}


def known(language: str) -> str:
    """The language itself if we write it (`de-AT` counts as `de`), else English."""
    short = re.split(r"[-_]", language.lower())[0]
    return short if short in LANGUAGES else "en"


@cache
def texts(language: str) -> dict[str, str]:
    """Every text of one of `LANGUAGES`, by `section.key`."""
    path = files("dsr.letters") / "texts" / f"{language}.toml"
    sections = tomllib.loads(path.read_text("utf-8"))
    return {f"{name}.{key}": text.strip() for name, section in sections.items() for key, text in section.items()}


def template(key: str, language: str) -> str:
    """A text with its placeholders still in it; English where the language has none.

    Raises:
        KeyError: no such key.
    """
    key = key if "." in key else f"reply.{key}"
    return texts(known(language)).get(key) or texts("en")[key]


def say(key: str, language: str, **params: object) -> str:
    """A text in a person's language.

    Args:
        key: key of a chat text, or `page.…`, `mail.…`, `word.…`.
        language: ISO 639-1; one that we do not write gives English.
        params: values of the placeholders; those that the text does not use are ignored.
    Raises:
        KeyError: no such key, or a placeholder without a value.
    """
    return PLACEHOLDER.sub(lambda match: str(params[match[1]]), template(key, language))


def colon(language: str) -> str:
    """A colon as the language sets it: the French put a no-break space before it."""
    return "\u00a0:" if known(language) == "fr" else ":"


def word(kind: str, value: str, language: str) -> str:
    """The name of a right, status, verdict: `word("right", "erasure", "de")`."""
    return say(f"word.{kind}_{value}", language)


@cache
def _phrases() -> dict[str, str]:
    """English phrase, folded -> key, of the section [phrase]."""
    return {_folded(text): key for key, text in texts("en").items() if key.startswith("phrase.")}


def _folded(text: str) -> str:
    return text.strip().rstrip(".").casefold()


def phrase(english: str, language: str) -> tuple[str, str]:
    """A phrase that policy and connectors write in English, translated if section [phrase] has it.

    Returns:
        The text and the language that it is in; brackets at the end (a count, an article) stay as they are.
    """
    key = _phrases().get(_folded(english))
    if key:
        return texts(known(language))[key], known(language)
    if split := _IN_BRACKETS.fullmatch(english):
        before, of = phrase(split[1], language)
        return f"{before} {split[2]}", of
    return english, "en"


def date(at: datetime, language: str, timezone: str) -> str:
    """A long date such as "23 December 2026", as the calendar stands in `timezone` (an IANA name)."""
    text = format_date(at.astimezone(ZoneInfo(timezone)), format="long", locale=_locale(language))
    return re.sub(r"^1 ", "1er ", text) if known(language) == "fr" else text  # CLDR has no French ordinal


def moment(at: datetime, language: str, timezone: str) -> str:
    """A long date with the time to the minute, such as "23 December 2026 at 14:05"."""
    local = at.astimezone(ZoneInfo(timezone))
    clock = format_time(local, format="short", locale=_locale(language))
    return _DATE_AND_TIME[known(language)].format(date(at, language, timezone), clock)


def due(at: datetime, language: str, timezone: str) -> str:
    """A due date: the day that ends with it, or the moment, if the period is one of hours."""
    last_second = at.astimezone(ZoneInfo(timezone)).time() == time(23, 59, 59)
    return (date if last_second else moment)(at, language, timezone)


def duration(number: int, unit: str, language: str) -> str:
    """A time span in words, `unit` being day, month or year: "30 days", "30 de zile"."""
    return format_unit(number, f"duration-{unit}", locale=_locale(language))


def _locale(language: str) -> str:
    short = known(language)
    return "en_GB" if short == "en" else short
