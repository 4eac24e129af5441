"""Short answers above our own quoted mail: "yes, please" and "the second one" mean what the quotation offered.

This is the only way for a quoted word to count, and it is narrow: the answer is short, it is a yes or names one of
several options, and the quotation is not by somebody else than us.
"""

from __future__ import annotations

import re

from intents.replies import answer
from intents.text.normalise import fold

_MAX_WORDS = 10
# In the line above a quotation: words by which a support desk is known. A quotation without such a line may be ours.
_OURS = re.compile(
    r"intellimails|support|help ?desk|customer (?:care|service)|service|kundendienst|team|asistenta|suport|assist\w+|"
    r"soporte|atencion|suporte|atendimento|klantenservice|pomoc|obsluga|ugyfelszolgalat|podpora|podrska|zakaznick\w+|kundtjanst|"
    r"kundeservice|privacy|no-?reply"
)
_ATTRIBUTION = re.compile(r"\A[^\n]{0,300}:\s*$", re.M)
_QUESTION = re.compile(r"(?:[^.!?\n]{8,200}[.!:]\s+)?[^.!?\n]{4,300}\?")
_ENUMERATED = re.compile(r"(?:^|[\s:;,(])\(?([a-d]|[1-4])[.)]\s*(.+?)(?=[\s:;,(]\(?(?:[a-d]|[1-4])[.)]\s|$)", re.S)
_ORDINALS = (
    r"first|1st|erste\w*|premier\w*|prima|primul|primera|primeira|primo|eerste|pierwsz\w*|elso|egyes|prvni|prv[aiou]\w*|"
    r"forsta|forste",
    r"second|2nd|zweite\w*|deuxieme|second[ea]|doua|segund[ao]|secondo|tweede|drug[aieouy]\w*|masodik\w*|kettes|druh\w+|"
    r"andra|tva|anden|andet",
    r"third|3rd|dritte\w*|troisieme|treia|tercer\w*|terceir\w*|terz[ao]|derde|trzeci\w*|harmadik\w*|treti|trec\w+|"
    r"tredje",
)
_LAST = re.compile(
    r"\b(?:last|latter|letzte\w*|derniere?|ultim\w+|laatste|ostatni\w*|utolso\w*|posledni\w*|posljednj\w*|zadnj\w*|sista|"
    r"sidste)\b"
)
_CHOOSING = re.compile(
    r"\b(?:option|choice|choose|take|one|opt\w*|variant\w*|moglichkeit|nehme|wahle|solution|choisis|prends|optiunea|aleg|"
    r"opcion|elijo|opzione|scelgo|soluzione|opcao|escolho|kies|keuze|neem|wybieram|opcj\w*|lehetoseg\w*|valaszt\w*|moznost\w*|"
    r"volim|vybiram|biram|opcij\w*|mogucnost|alternativ\w*|valjer|tar|tager|vaelger|mulighed)\b"
)
_LABEL = re.compile(r"\b(?:pod |option |variante? |opt\w+ |opcj\w+ )?([a-d]|[1-4])\b\s*[).]?")


def with_offer(new: str, quoted: str) -> str:
    """`new`, followed by what it says yes to or chooses in the quotation, if it does."""
    if not quoted or len(new.split()) > _MAX_WORDS or not _may_be_ours(quoted):
        return new
    offer = None
    if answer(new) == "affirm":
        question = _QUESTION.search(_body(quoted))
        offer = question.group() if question else None
    elif _CHOOSING.search(fold(new)):
        offer = _chosen(fold(new), _options(_body(quoted)))
    return f"{new}\n{offer.strip()}" if offer else new


def _may_be_ours(quoted: str) -> bool:
    line = _ATTRIBUTION.match(quoted)
    return line is None or bool(_OURS.search(fold(line.group())))


def _body(quoted: str) -> str:
    line = _ATTRIBUTION.match(quoted)
    return (quoted[line.end() :] if line else quoted)[:2000].strip()


def _options(body: str) -> list[tuple[str, str]]:
    """(label, text) of each option: enumerated ones, else the parts of an "either ..., ... or ..." sentence."""
    found = [(label.lower(), text.strip()) for label, text in _ENUMERATED.findall(body)]
    if len(found) >= 2:
        return found
    parts = [part.strip() for part in re.split(r",|;|\n", body.split(":", 1)[-1]) if part.strip()]
    return [(str(number), part) for number, part in enumerate(parts, 1)]


def _chosen(answer_text: str, options: list[tuple[str, str]]) -> str | None:
    if len(options) < 2:
        return None
    if _LAST.search(answer_text):
        return options[-1][1]
    for number, words in reversed(list(enumerate(_ORDINALS))):
        if number < len(options) and re.search(rf"\b(?:{words})\b", answer_text):
            return options[number][1]
    label = _LABEL.search(answer_text)
    return next((text for name, text in options if label and name == label[1]), None)
