"""How many lines are enough, and how unlike are authors? Measured with the n-gram part, which trains in seconds.

The encoder takes most of an hour for one point; its own figures stand in the card's other tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from intents.detection import INTENTS
from intents.linear import Floats, train_linear
from intents.lines import Line, fold_of
from intents.ngrams import BUCKETS, features
from intents.train import model_texts, targets

SHARES = 8


def learning_curve(train: Sequence[Line], development: Sequence[Line]) -> str:
    """Table: macro-F1 on the development set after an eighth, a quarter, half and all of the meaning groups."""
    out = ["| share of the meaning groups | lines | macro-F1, n-grams alone, best thresholds |", "|---|---|---|"]
    for eighths in (1, 2, 4, 8):
        part = [line for line in train if fold_of(line, SHARES) < eighths]
        out.append(f"| {eighths}/{SHARES} | {len(part)} | {_macro_f1(part, development):.3f} |")
    return "\n".join(out)


def unknown_authors(train: Sequence[Line]) -> str:
    """Table: each batch of lines scored by a model that was trained on all the others."""
    out = ["| batch left out | lines | macro-F1, n-grams alone, best thresholds |", "|---|---|---|"]
    for source in sorted({line.source for line in train if line.intents}):  # chatter alone has no F1
        own = [line for line in train if line.source == source]
        others = [line for line in train if line.source != source]
        out.append(f"| {source} | {len(own)} | {_macro_f1(others, own):.3f} |")
    return "\n".join(out)


def _macro_f1(train: Sequence[Line], judged: Sequence[Line]) -> float:
    rows = [features(text) for text in model_texts(train)]
    labels, weights = targets(train)
    matrix, bias = train_linear(rows, labels, weights, buckets=BUCKETS)
    wanted, counted = targets(judged)
    scores = np.stack([_scores(text, matrix, bias) for text in model_texts(judged)])
    f1 = [_best_f1(scores[:, c], wanted[:, c] > 0, counted[:, c] > 0) for c in range(len(INTENTS))]
    return float(np.mean(f1))


def _best_f1(scores: Floats, right: np.ndarray, counted: np.ndarray) -> float:
    """F1 at the threshold that suits these messages best: a small model's scores lie lower, not in another order."""
    order = np.argsort(-scores[counted], kind="stable")
    hits = np.cumsum(right[counted][order])
    return float((2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])).max())


def _scores(text: str, matrix: Floats, bias: Floats) -> Floats:
    index, value = features(text)
    return np.asarray(value @ matrix[index] + bias, dtype=np.float32)
