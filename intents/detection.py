"""The answer of the detector: plain value types without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

INTENTS: tuple[str, ...] = ("unsubscribe", "delete", "export", "age_report", "object")
"""The five privacy rights as people ask for them, in the order in which `Detection.intents` lists them."""

SIGNALS: tuple[str, ...] = (
    "rectification",
    "access",
    "portability",
    "withdraw",
    "status",
    "reminder",
    "human",
    "affirm",
    "deny",
    "authority_complaint",
)
"""What else a message may say that matters to the conversation about a request."""

LANGUAGES: tuple[str, ...] = ("en", "ro", "de", "fr", "es", "it", "pt", "nl", "pl", "hu", "cs", "hr", "sv", "da")
"""The languages that the detector was trained on (ISO 639-1)."""


@dataclass(frozen=True)
class Detection:
    """What one message asks for.

    `intents` is what to act on, `unsure` what to ask one short question about; an intent is in at most one of
    the two. `scores` holds a calibrated probability for each intent. `reasons` maps each intent and signal that
    was found to the sentence of the message that led to it.
    """

    intents: tuple[str, ...]
    unsure: tuple[str, ...]
    scores: Mapping[str, float]
    language: str
    signals: frozenset[str] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Cleaned:
    """A message after the text layer.

    `new` is what the author wrote now, `quoted` what the message repeats from others (earlier mail, forwarded
    threads), `language` the ISO 639-1 code of `new`.
    """

    new: str
    quoted: str
    language: str
