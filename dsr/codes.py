"""The code that proves control of an address: 8 Crockford base-32 characters in two groups (threats.md, fact 1)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U
LENGTH = 8
# At least two of these stand in every code, so that two ordinary four-letter words are never taken for one,
_SURE_DIGITS = set("23456789")
# and at least two of these, so that no telephone or order number in a sentence is: it would cost a try.
_SURE_LETTERS = set(ALPHABET) - set("0123456789")
_LOOK_ALIKE = str.maketrans("OIL", "011")
_CANDIDATE = re.compile(r"(?<![\w@.])(\w{4})[\s\-\u2010-\u2015_.]?(\w{4})(?![\w@])")


def new_code() -> str:
    """A fresh code, `XXXX-XXXX`; about 2^39 are possible."""
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        if _plausible(code) and _drawn(code):
            return f"{code[:4]}-{code[4:]}"


def new_word() -> str:
    """A short word for a link's page, shown only in the chat: 6 characters."""
    return "".join(secrets.choice(ALPHABET) for _ in range(6))


def normalise(typed: str) -> str:
    """What was typed, without separators, look-alikes resolved (O is 0, I and l are 1), upper case."""
    return re.sub(r"[^0-9A-Z]", "", typed.upper()).translate(_LOOK_ALIKE)


def find_codes(text: str) -> list[str]:
    """What in a text could be a code, normalised; at most three, the ones written `XXXX-XXXX` first.

    A message that is nothing else is taken for one even if it is a number: it answers our question.
    """
    alone = _CANDIDATE.fullmatch(text.strip())
    found: dict[str, bool] = {}
    for match in _candidates(text):
        code = normalise(match[1] + match[2])
        if alone or _drawn(code):
            found[code] = found.get(code, False) or "-" in match[0]
    return sorted(found, key=lambda code: not found[code])[:3]


def without_codes(text: str) -> str:
    """The text, with whatever `find_codes` finds in it left out."""
    while found := list(_candidates(text)):
        for match in found:
            text = text[: match.start()] + "…" * len(match[0]) + text[match.end() :]
    return text


def only_a_code(text: str) -> bool:
    """Is the message nothing but a code?"""
    return bool(_CANDIDATE.fullmatch(text.strip())) and bool(find_codes(text))


def _candidates(text: str) -> Iterator[re.Match[str]]:
    """Whatever could be a code, overlapping ones too."""
    position = 0
    while match := _CANDIDATE.search(text, position):
        position = match.start() + 1
        if _plausible(normalise(match[1] + match[2])):
            yield match


def _plausible(code: str) -> bool:
    return len(code) == LENGTH and set(code) <= set(ALPHABET) and sum(c in _SURE_DIGITS for c in code) >= 2


def _drawn(code: str) -> bool:
    """Could `new_code` have drawn it?"""
    return sum(c in _SURE_LETTERS for c in code) >= 2


# How people ask for another code, in the languages of the detector; read only while a code is awaited.
_AGAIN = re.compile(
    r"\b(?:"
    + "|".join(
        (
            r"re-?send|send again|send (?:me )?(?:it|the code|a code|another|one)? ?(?:again|once more)",
            r"(?:new|another) code|no(?:t| t)? ?(?:receive|received|get|got).{0,20}(?:code|mail)",
            r"(?:code|mail).{0,25}(?:not|never|n't) (?:arriv|come|came|get|got|receiv)\w*",
            r"trimite(?:ți|ti|-mi)?.{0,12}(?:din nou|iar|alt)|(?:alt|nou) cod|cod nou|nu am primit",
            r"(?:nochmal|noch ?mal|erneut).{0,15}(?:senden|schicken)|neuen? code",
            r"(?:senden|schicken|sende|schick).{0,25}(?:nochmal|noch ?mal|erneut)",
            r"renvo(?:yer|yez|ie)|nouveau code|pas re[cç]u",
            r"env[ií](?:ar|e|a|ame|enme).{0,20}(?:otra vez|de nuevo|nuevamente)|reenv[ií]\w*",
            r"nuevo c[oó]digo|otro c[oó]digo|no (?:me )?(?:ha )?lleg\w*",
            r"(?:invia|manda)\w*.{0,15}(?:di nuovo|ancora)|nuovo codice|novo c[oó]digo",
            r"opnieuw (?:sturen|verzenden)|nieuwe code",
            r"(?:wy[sś]lij|prze[sś]lij).{0,15}(?:ponownie|jeszcze raz)|nowy kod",
            r"[uú]j k[oó]d|k[uü]ld\w* [uú]jra|po[sš]l\w*.{0,12}znovu|nov[yý] k[oó]d",
            r"po[sš]alji\w*.{0,12}(?:ponovno|opet)|novi kod|skicka.{0,15}igen|ny kod|send.{0,12}igen",
        )
    )
    + r")\b",
    re.IGNORECASE,
)


def wants_code_again(text: str) -> bool:
    """Does the person ask for the code to be sent again? Asked only while a code is awaited."""
    return bool(_AGAIN.search(text))
