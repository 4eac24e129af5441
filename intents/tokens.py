"""Subword tokens: the segmentation of a word into known pieces with the highest likelihood (unigram model).

The pieces and their log-probabilities are those of multilingual-e5-small, reduced to lower-case Latin script.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_START = "\u2581"
_UNKNOWN_COST = 30.0
_LONGEST_WORD = 48
_LONG_NUMBER = re.compile(r"\d{5,}")
_PUNCTUATION = str.maketrans({"’": "'", "‘": "'", "´": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-"})


class Tokenizer:
    """Splits text into piece numbers; words are cached, since a language uses few of them most of the time."""

    def __init__(self, pieces: Sequence[str], scores: Sequence[float], *, unknown: int) -> None:
        self._pieces: Mapping[str, tuple[int, float]] = {
            piece: (number, score) for number, (piece, score) in enumerate(zip(pieces, scores, strict=True))
        }
        self._longest = max(map(len, self._pieces))
        self._unknown = unknown
        self.word = lru_cache(maxsize=30_000)(self._word)

    def __call__(self, text: str) -> list[int]:
        """Piece numbers of `text`, without marks for beginning and end."""
        text = _LONG_NUMBER.sub("0", text).translate(_PUNCTUATION).lower()
        words = ("@" if "@" in word[1:-1] else word for word in text.split())  # addresses say nothing
        return [number for word in words for number in self.word(word)]

    def _word(self, word: str) -> tuple[int, ...]:
        text = _START + word[:_LONGEST_WORD]
        best = [0.0] + [float("-inf")] * len(text)
        came_from: list[tuple[int, int]] = [(0, 0)] * (len(text) + 1)
        for end in range(1, len(text) + 1):
            best[end], came_from[end] = best[end - 1] - _UNKNOWN_COST, (end - 1, self._unknown)
            for start in range(max(0, end - self._longest), end):
                known = self._pieces.get(text[start:end])
                if known is not None and best[start] + known[1] > best[end]:
                    best[end], came_from[end] = best[start] + known[1], (start, known[0])
        numbers = []
        end = len(text)
        while end:
            end, number = came_from[end]
            numbers.append(number)
        return tuple(reversed(numbers))
