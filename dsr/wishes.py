"""What a message asks for, as rights. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dsr.model import RIGHT_OF_INTENT, Right

if TYPE_CHECKING:  # the web process takes no turns: it need not load the detector
    from collections.abc import Collection

    from intents import Detection

BEYOND_DOUBT = 0.97  # probability; corrections that sound like a wish for a copy reach 0.94


def rights(detection: Detection) -> tuple[Right, ...]:
    """The rights that a message uses: those of its intents, and a correction that stands beside them.

    A correction alone is not among them: it is judged last, when nothing else explains the message.
    """
    found = tuple(right_of(intent) for intent in detection.intents)
    if "rectification" not in detection.signals or not found or Right.AGE_REPORT in found:
        return found  # a wrong date of birth is what an age report is about
    if found == (Right.EXPORT,) and detection.scores["export"] < BEYOND_DOUBT:
        # "Correct the data you hold" sounds a little like "send the data you hold"; "a copy, please, my name is …" is
        # beyond doubt a wish for a copy, and must not be lost for a name that sounds like a correction.
        return (Right.RECTIFICATION,)
    return (*found, Right.RECTIFICATION)


def right_of(intent: str) -> Right:
    return RIGHT_OF_INTENT[intent]


def without(detection: Detection, dropped: Collection[Right]) -> Detection:
    """The same, had the message not asked for some rights."""
    signals = detection.signals - ({"rectification"} if Right.RECTIFICATION in dropped else set())
    kept = tuple(i for i in detection.intents if right_of(i) not in dropped)
    return replace(detection, intents=kept, unsure=(), signals=signals)


def why(detection: Detection) -> str:
    """The sentences that led to the decision, for the agent who looks at the request."""
    return " / ".join(dict.fromkeys(detection.reasons.values()))
