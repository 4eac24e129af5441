"""Hashed n-grams of a text: the features of the linear models.

Two kinds on the folded text: character n-grams of 2 to 6 bytes (typos, inflection, compounds) and word n-grams of
1 to 3 words (negation, word order). All of them are computed with NumPy on whole arrays; a message of 8 kB takes
about a millisecond.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from intents.text.normalise import fold

BUCKETS = 1 << 18
_CHARACTER_SIZES = (3, 4, 5, 6)
_WORDS = re.compile(r"[^\W\d_]+|\d+|[?!]+")
_SPACES = re.compile(r"\s+")
_DIGITS = re.compile(r"\d{3,}")
_MIX = np.uint64(0x9E3779B97F4A7C15)

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


def features(text: str) -> tuple[Indices, Values]:
    """Buckets and weights (1 + log count, of Euclidean length 1 for each kind) of the n-grams of `text`."""
    folded = _DIGITS.sub("000", fold(text))
    kinds = (_unique(_word_ngrams(folded)), _unique(_character_ngrams(folded)))
    return np.concatenate([k[0] for k in kinds]), np.concatenate([k[1] for k in kinds])


@lru_cache(maxsize=20_000)
def _hash(word: str) -> int:
    data = word.encode()
    return zlib.crc32(data) | zlib.adler32(data) << 32


def _word_ngrams(folded: str) -> npt.NDArray[np.uint64]:
    words = np.array([_hash(w) for w in ["<", *_WORDS.findall(folded), ">"]], dtype=np.uint64)
    grams = [words]
    for size in (2, 3):
        if len(words) >= size:
            gram = words[: len(words) - size + 1].copy()
            for shift in range(1, size):
                gram = _mixed(gram) + words[shift : len(words) - size + 1 + shift]
            grams.append(gram + np.uint64(size))
    return _mixed(np.concatenate(grams))


def _character_ngrams(folded: str) -> npt.NDArray[np.uint64]:
    data = f" {_SPACES.sub(' ', folded).strip()} ".encode()
    letters = np.frombuffer(data, dtype=np.uint8).astype(np.uint64) + np.uint64(1)
    grams = []
    gram = letters
    for size in range(2, _CHARACTER_SIZES[-1] + 1):
        if len(letters) < size:
            break
        gram = gram[: len(letters) - size + 1] * np.uint64(257) + letters[size - 1 :]
        if size in _CHARACTER_SIZES:
            grams.append(_mixed(gram + (np.uint64(size) << np.uint64(56))))
    return np.concatenate(grams) if grams else np.zeros(0, dtype=np.uint64)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread the bits (multiply and fold), so that the low ones can serve as the bucket."""
    values = values * _MIX
    return values ^ (values >> np.uint64(31))


def _unique(hashes: npt.NDArray[np.uint64]) -> tuple[Indices, Values]:
    buckets, counts = np.unique((hashes & np.uint64(BUCKETS - 1)).astype(np.int64), return_counts=True)
    weights = 1.0 + np.log(counts)
    length = float(np.sqrt(np.dot(weights, weights)))
    return buckets, (weights / (length or 1.0)).astype(np.float32)
