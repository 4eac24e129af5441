"""Sentences of a cleaned message: the units that the model scores and that agents see as the reason."""

from __future__ import annotations

import re

MAX_SENTENCES = 64
_END = re.compile(r"(?<=[.!?…;])[\"')\]]*\s+(?=\S)|\n{2,}|\n(?=\s*(?:[-*•·–]|\(?\w{1,2}[.)])\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:art|nr|no|str|abs|lit|mr|mrs|ms|dr|prof|z\.b|d\.h|e\.g|i\.e|etc|ca|bzw|usw|tel|par|pkt|ust|čl|cl|cca|al|sr|sra|"
    r"núm|pag|p|hr|fr|st|inc|ltd|alin|lett|odst|tzn|np|m\.in|bl\.a|t\.ex|f\.eks|\d{1,3})|\b\w)\.$",
    re.I,
)
_SOFT_BREAK = re.compile(r"(?<=[^\n])\n(?=[^\n])")


def split_sentences(text: str) -> list[str]:
    """Sentences in order; a line break inside of a paragraph ends one only after a short or finished line."""
    sentences: list[str] = []
    for paragraph in re.split(r"\n{2,}", text):
        for unit in _units(paragraph):
            start = 0
            for match in _END.finditer(unit):
                head = unit[start : match.start()]
                if _ABBREVIATION.search(head[-8:]):
                    continue
                _keep(sentences, head)
                start = match.end()
            _keep(sentences, unit[start:])
            if len(sentences) >= MAX_SENTENCES:
                return sentences[:MAX_SENTENCES]
    return sentences


def _units(paragraph: str) -> list[str]:
    """Join lines that a mail program wrapped: the next line begins with a small letter, or this one was full."""
    units: list[str] = []
    for line in paragraph.split("\n"):
        line = line.strip()
        if not line:
            continue
        wrapped = units and (line[0].islower() or (len(units[-1]) >= 66 and units[-1][-1] not in ".!?:;"))
        if wrapped:
            units[-1] = f"{units[-1]} {line}"
        else:
            units.append(line)
    return units


def _keep(sentences: list[str], piece: str) -> None:
    piece = piece.strip()
    if any(c.isalnum() for c in piece):
        sentences.append(piece[:600])
