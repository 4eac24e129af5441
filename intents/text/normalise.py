"""One spelling for what looks the same: Unicode tricks undone, letters folded.

All fourteen languages are written in Latin letters, so a Cyrillic or Greek letter that looks like a Latin one is
a disguise (or a broken keyboard) wherever Latin letters prevail.
"""

from __future__ import annotations

import re
import unicodedata

_LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеорсухіјѕһԁԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχ",
    "ABESIJKMHOPCTYXaeopcyxijshdqwlABEZHIKMNOPTYXaeiknoptux",
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_FOREIGN = re.compile("[\u0370-\u03ff\u0400-\u052f]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_STACKED_MARKS = re.compile("([\u0300-\u036f])[\u0300-\u036f]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BREAKS = re.compile("\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")
_SPELLED_OUT = re.compile(r"(?<!\w)(?:\w[ .\-_*]){4,}\w(?!\w)")
_PUNCTUATION = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "‚": "'",
        "ʼ": "'",
        "´": "'",
        "`": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "–": "-",
        "—": "-",
        "−": "-",
        "\u00a0": " ",
        "\t": " ",
    }
)
_FOLD = str.maketrans({"ł": "l", "đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "þ": "th"})


def normalise(text: str) -> str:
    """Undo compatibility forms, invisible characters, look-alike letters and line break variants."""
    text = _BREAKS.sub("\n", text)
    if text.isascii():
        return _CONTROL.sub("", text)
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    text = _CONTROL.sub("", _BREAKS.sub("\n", text))
    text = _STACKED_MARKS.sub(r"\1", text).replace("ı", "i").replace("İ", "I")
    foreign = len(_FOREIGN.findall(text[:4000]))
    if foreign and len(_LATIN.findall(text[:4000])) >= foreign:
        text = text.translate(_LOOKALIKES)
    return text


def fold(text: str) -> str:
    """Lower case without diacritics: many people type without them, so features are made from this form."""
    text = text.translate(_PUNCTUATION).lower()
    if text.isascii():
        return text
    text = text.translate(_FOLD)
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")


def join_spelled_out(text: str) -> str:
    """Close up words written with a space or dot after every letter ("d e l e t e")."""
    return _SPELLED_OUT.sub(lambda match: re.sub(r"[ .\-_*]", "", match.group()), text)
