"""What a message asks for, as rights. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dsr.model import RIGHT_OF_INTENT, Right

if TYPE_CHECKING:  # the web process takes no turns: it need not load the detector
    from collections.abc import Collection

    from intents import Detection

BEYOND_DOUBT = 0.97  # probability; corrections that sound like a wish for a copy reach 0.94


# A copy is asked for under Art. 20 or Art. 15; the detector hears `access` in most wishes for a copy, so the right of
# access is taken only where it is named: its package also holds what was derived, and says what the data is used for.
COPIES = frozenset({Right.EXPORT, Right.ACCESS})
_NAMES_ACCESS = re.compile(
    r"\bart(?:\.|icle|icolul(?:ui)?|icol|ikel|[ií]culo|icolo|igo|yku[lł]u?|ikkel)?\s*15\b|\b15\. ?(?:cikk|[cč]l[aá]n)"
    r"|\b(?:right of|subject) access|\baccess to (?:\w+ ){0,3}(?:data|information)|\bacces(?:ul)? la (?:\w+ )?date"
    r"|\bdrept(?:ul)? de acces|\b(?:daten)?auskunft|\bacc[eè]s [aà] (?:\w+ ){0,2}(?:donn[eé]es|informations)"
    r"|\bdroit d.acc[eè]s|\bacceso a (?:\w+ ){0,2}datos|\bderecho de acceso|\bdiritto di accesso"
    r"|\baccesso ai (?:\w+ )?dati|\bdireito de acesso|\bacesso aos (?:\w+ )?dados|\binzage"
    r"|\bdost[eę]pu? do (?:\w+ )?danych|\bhozz[aá]f[eé]r[eé]s|\bp[rř][ií]stup k |\bpristup (?:\w+ )?podacima"
    r"|\bregisterutdrag|\btillg[aå]ng till (?:\w+ )?(?:person)?uppgifter|\b(?:akt)?indsigt",
    re.IGNORECASE,
)


def rights(detection: Detection, text: str, *, access_open: bool = False) -> tuple[Right, ...]:
    """The rights that a message uses: those of its intents, and a correction that stands beside them.

    A correction alone is not among them: it is judged last, when nothing else explains the message.

    Args:
        access_open: access is being asked for here already; whoever asks for a copy again means that.
    """
    named = "access" in detection.signals and _NAMES_ACCESS.search(text)
    copy = Right.ACCESS if named or access_open else Right.EXPORT
    found = tuple(copy if intent == "export" else RIGHT_OF_INTENT[intent] for intent in detection.intents)
    if "rectification" not in detection.signals or not found or Right.AGE_REPORT in found:
        return found  # a wrong date of birth is what an age report is about
    if found == (copy,) and detection.scores["export"] < BEYOND_DOUBT:
        # "Correct the data you hold" sounds a little like "send the data you hold"; "a copy, please, my name is …" is
        # beyond doubt a wish for a copy, and must not be lost for a name that sounds like a correction.
        return (Right.RECTIFICATION,)
    return (*found, Right.RECTIFICATION)


def asks_for(intent: str, some: Collection[Right]) -> bool:
    """Can an intent stand for one of these rights?"""
    return not (COPIES if intent == "export" else {RIGHT_OF_INTENT[intent]}).isdisjoint(some)


def without(detection: Detection, dropped: Collection[Right]) -> Detection:
    """The same, had the message not asked for some rights."""
    signals = detection.signals - ({"rectification"} if Right.RECTIFICATION in dropped else set())
    kept = tuple(i for i in detection.intents if not asks_for(i, dropped))
    return replace(detection, intents=kept, unsure=(), signals=signals)


def why(detection: Detection) -> str:
    """The sentences that led to the decision, for the agent who looks at the request."""
    return " / ".join(dict.fromkeys(detection.reasons.values()))
