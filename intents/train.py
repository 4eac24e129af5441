"""Training: from the lines in `intents/data/train/` to `intents/model.npz`, the same bytes at every run."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intents.detection import INTENTS, LANGUAGES
from intents.linear import Floats, Row, quantise, sigmoid, train_linear
from intents.lines import LABELS, Line, fold_of
from intents.model import LANGUAGE_BUCKETS
from intents.ngrams import BUCKETS, features
from intents.text.cleaning import own_words

FOLDS = 4


def train(lines: Sequence[Line]) -> dict[str, np.ndarray]:
    """Fit all parts of the model; returns the arrays that `Model` is made of."""
    rows = [features(own_words(line.text)[0]) for line in lines]
    labels, weights = targets(lines)
    held_out = cross_validated(lines, rows, labels, weights)
    calibration = np.stack([fit_logistic(held_out[:, j], labels[:, j], weights[:, j]) for j in range(len(LABELS))], axis=1)
    probabilities = sigmoid(held_out * calibration[0] + calibration[1])
    thresholds = np.array([best_threshold(probabilities[:, j], labels[:, j], weights[:, j]) for j in range(len(LABELS))])
    matrix, bias = train_linear(rows, labels, weights, buckets=BUCKETS)
    quantised, scale = quantise(matrix)
    language, language_scale = train_language(lines, rows)
    return {
        "weights": quantised,
        "scale": scale,
        "bias": bias,
        "language_weights": language,
        "language_scale": language_scale,
        "calibration": calibration.astype(np.float32),
        "thresholds": thresholds.astype(np.float32),
        "unsure_from": (thresholds * 0.5).astype(np.float32),
    }


def targets(lines: Sequence[Line]) -> tuple[Floats, Floats]:
    """Labels as 0 and 1, and weight 0 where an optional intent is neither right nor wrong."""
    labels = np.zeros((len(lines), len(LABELS)), dtype=np.float32)
    weights = np.ones_like(labels)
    for number, line in enumerate(lines):
        for column, label in enumerate(LABELS):
            labels[number, column] = label in line.intents or label in line.signals
            if label in line.optional and label not in line.intents:
                weights[number, column] = 0.0
    return labels, weights


def cross_validated(lines: Sequence[Line], rows: Sequence[Row], labels: Floats, weights: Floats) -> Floats:
    """Score of each line by a model that has seen no line of its meaning group."""
    scores = np.zeros_like(labels)
    part = np.array([fold_of(line, FOLDS) for line in lines])
    for fold in range(FOLDS):
        inside = np.flatnonzero(part != fold)
        matrix, bias = train_linear([rows[i] for i in inside], labels[inside], weights[inside], buckets=BUCKETS)
        for i in np.flatnonzero(part == fold):
            index, value = rows[i]
            scores[i] = value @ matrix[index] + bias
    return scores


def train_language(lines: Sequence[Line], rows: Sequence[Row]) -> tuple[np.ndarray, Floats]:
    """One column per language on fewer buckets; lines marked `mixed` teach nothing."""
    known = [i for i, line in enumerate(lines) if line.lang in LANGUAGES]
    labels = np.array([[line.lang == language for language in LANGUAGES] for line in (lines[i] for i in known)])
    smaller = [_merged(rows[i], LANGUAGE_BUCKETS) for i in known]
    ones = np.ones(labels.shape, dtype=np.float32)
    matrix, _ = train_linear(smaller, labels.astype(np.float32), ones, buckets=LANGUAGE_BUCKETS, epochs=4)
    return quantise(matrix)


def _merged(row: Row, buckets: int) -> Row:
    index, position = np.unique(row[0] % buckets, return_inverse=True)
    return index, np.bincount(position, row[1]).astype(np.float32)


def fit_logistic(scores: Floats, labels: Floats, weights: Floats) -> tuple[float, float]:
    """Platt's calibration: slope and offset by Newton's method with a little ridge."""
    slope, offset = 1.0, 0.0
    for _ in range(30):
        p = sigmoid(scores * slope + offset).astype(np.float64)
        error = (p - labels) * weights
        curvature = p * (1 - p) * weights
        gradient = np.array([error @ scores + 0.1 * (slope - 1), error.sum() + 0.1 * offset])
        cross = curvature @ scores
        hessian = np.array([[curvature @ (scores * scores) + 0.1, cross], [cross, curvature.sum() + 0.1]])
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        slope, offset = slope - step[0], offset - step[1]
    return float(slope), float(offset)


def best_threshold(probabilities: Floats, labels: Floats, weights: Floats) -> float:
    """The threshold with the highest F1 on lines that the scoring model has not seen."""
    best = (0.0, 0.5)
    for threshold in np.arange(0.2, 0.91, 0.02):
        chosen = probabilities >= threshold
        hits = float((chosen * labels * weights).sum())
        wrong = float((chosen * (1 - labels) * weights).sum())
        missed = float((~chosen * labels * weights).sum())
        best = max(best, (2 * hits / max(1.0, 2 * hits + wrong + missed), float(threshold)))
    return best[1]


def save(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write a .npz whose bytes depend on the arrays alone (NumPy's own writer stores the time of day)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())


assert LABELS[: len(INTENTS)] == INTENTS
