"""Training examples for the encoder: tokens, labels and, anew in each epoch, small variations of the text."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from intents.detection import INTENTS
from intents.encoder import BEGIN, END, MAX_TOKENS
from intents.linear import Floats
from intents.lines import LABELS

LENGTHS = (12, 16, 20, 24, 32, 40, 56, 72, 98, MAX_TOKENS + 2)  # batches are padded to one of these
TOKENS_IN_BATCH = 1536
_WITHDRAW = LABELS.index("withdraw")
_SIGNAL_WEIGHT = 0.3
_PLAIN, _TYPO, _JOINED = 0.15, 0.10, 0.12
_JOINABLE = 400


@dataclass(frozen=True)
class Example:
    """A cleaned text with its labels and their weights."""

    text: str
    lang: str
    labels: Floats
    weights: Floats


@dataclass(frozen=True)
class Batch:
    """Padded piece numbers (-1 is padding), labels and weights."""

    tokens: np.ndarray
    labels: Floats
    weights: Floats


def epoch(examples: Sequence[Example], tokens: Callable[[str], list[int]], seed: int) -> list[Batch]:
    """All examples once, varied, in batches of similar length."""
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    same_language: dict[str, list[Example]] = {}
    for example in examples:
        if len(example.text) < _JOINABLE and not example.labels[_WITHDRAW]:
            same_language.setdefault(example.lang, []).append(example)
    order = list(examples)
    rng.shuffle(order)
    varied = [_varied(example, same_language.get(example.lang, []), rng) for example in order]
    found = list(batches([(tokens(e.text), e.labels, e.weights) for e in varied]))
    rng.shuffle(found)
    return found


def batches(rows: Sequence[tuple[list[int], Floats, Floats]]) -> Iterator[Batch]:
    """Group rows by padded length; a batch that is not full is filled with rows of weight zero."""
    waiting: dict[int, list[tuple[list[int], Floats, Floats]]] = {length: [] for length in LENGTHS}
    for row in rows:
        length = next(x for x in LENGTHS if min(len(row[0]), MAX_TOKENS) + 2 <= x)
        waiting[length].append(row)
        if len(waiting[length]) == TOKENS_IN_BATCH // length:
            yield _batch(length, waiting[length])
            waiting[length] = []
    for length, rest in waiting.items():
        if rest:
            yield _batch(length, rest)


def _batch(length: int, rows: Sequence[tuple[list[int], Floats, Floats]]) -> Batch:
    size = TOKENS_IN_BATCH // length
    tokens = np.full((size, length), -1, dtype=np.int32)
    labels = np.zeros((size, len(LABELS)), dtype=np.float32)
    weights = np.zeros_like(labels)
    tokens[:, 0], tokens[:, 1] = BEGIN, END
    for number, (pieces, wanted, weight) in enumerate(rows):
        framed = [BEGIN, *pieces[:MAX_TOKENS], END]
        tokens[number, : len(framed)] = framed
        labels[number], weights[number] = wanted, weight
    return Batch(tokens, labels, weights)


def label_weights(weights: Floats) -> Floats:
    """Signals help the encoder to understand, but the intents are what it is for."""
    scaled = weights.copy()
    scaled[:, len(INTENTS) :] *= _SIGNAL_WEIGHT
    return scaled


def _varied(example: Example, others: Sequence[Example], rng: random.Random) -> Example:
    """Now and then: two messages in one (their labels together), no diacritics, a slip of the keyboard."""
    text, labels, weights = example.text, example.labels, example.weights
    if others and len(text) < _JOINABLE and not labels[_WITHDRAW] and rng.random() < _JOINED:
        other = rng.choice(others)
        pair = [text, other.text]
        rng.shuffle(pair)
        text = rng.choice(["\n\n", " ", " ", "\n"]).join(pair)
        labels, weights = np.maximum(labels, other.labels), np.minimum(weights, other.weights)
    kind = rng.random()
    if kind < _PLAIN:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    elif kind < _PLAIN + _TYPO:
        text = _mistyped(text, rng)
    return Example(text, example.lang, labels, weights)


def _mistyped(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, len(letters) // 40)):
        at = rng.randrange(len(letters))
        if not letters[at].isalpha():
            continue
        kind = rng.random()
        if kind < 0.4:
            letters[at] = ""
        elif kind < 0.7 and at + 1 < len(letters):
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        else:
            letters[at] *= 2
    return "".join(letters)
