"""Training: from the lines in `intents/data/train/` to `intents/model.npz`, the same bytes at every run."""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from intents.detection import LANGUAGES
from intents.linear import Floats, Row, quantise, sigmoid, train_linear
from intents.lines import DATA, LABELS, Line, fold_of
from intents.model import LANGUAGE_BUCKETS, combined
from intents.ngrams import BUCKETS, features
from intents.offers import with_offer
from intents.text.cleaning import own_words

FOLDS = 4
HELD_OUT = DATA / "encoder_held_out.npz"
GATE_MISSES = 0.004  # share of a label's lines whose n-gram score may lie below the gate
UNSURE_FROM = 0.2
RIDGE = 3.0  # of the combiner: some hundreds of lines for a dozen weights
# A false deletion annoys a customer, and what lies below the threshold is asked about first. A child that nobody sees
# is worse than one look too many. Taking a request back by mistake would break a right.
THRESHOLDS = {"unsubscribe": 0.6, "delete": 0.75, "export": 0.75, "object": 0.75, "age_report": 0.2, "withdraw": 0.8}
CLEARLY = 0.01


def train(lines: Sequence[Line], held_out: Path = HELD_OUT) -> dict[str, np.ndarray]:
    """Fit all parts of the model; returns the arrays that `Model` is made of.

    `held_out` holds what an encoder said about lines that it had not been tuned on: from them, and from n-gram scores
    by cross-validation, the weights of the two, the calibration and the thresholds are fitted.
    """
    rows = [features(text) for text in model_texts(lines)]
    labels, weights = targets(lines)
    linear = cross_validated(lines, rows, labels, weights)
    columns = range(len(LABELS))
    alone = np.stack([fit_logistic(linear[:, [j]], labels[:, j], weights[:, j]) for j in columns], axis=1)
    known, lower, read = _read_by_encoder(lines, held_out)
    combine = functools.partial(fit_combiner, linear[known], labels=labels[known], weights=weights[known])
    combiner = combine(read)
    probabilities = sigmoid(combined(linear[known], read, combiner))
    found = [
        THRESHOLDS.get(label) or best_threshold(probabilities[:, j], labels[known, j], weights[known, j])
        for j, label in enumerate(LABELS)
    ]
    thresholds = np.array(found, dtype=np.float32)
    matrix, bias = train_linear(rows, labels, weights, buckets=BUCKETS)
    quantised, scale = quantise(matrix)
    language, language_scale = train_language(lines, rows)
    gate = [np.quantile(linear[labels[:, j] > 0, j], GATE_MISSES) if labels[:, j].any() else -9.0 for j in columns]
    return {
        "weights": quantised,
        "scale": scale,
        "bias": bias,
        "language_weights": language,
        "language_scale": language_scale,
        "gate": np.array(gate, dtype=np.float32),
        "alone": alone.astype(np.float32),
        "half_way": combine(lower),
        "combiner": combiner,
        "thresholds": thresholds,
        "unsure_from": np.minimum(UNSURE_FROM, thresholds * 0.7).astype(np.float32),
    }


def model_texts(lines: Sequence[Line]) -> list[str]:
    """What the detector hands to the model for each line."""
    return [with_offer(*own_words(line.text)) for line in lines]


def key_of(line: Line) -> int:
    """Names a line in the file of held-out scores."""
    return zlib.crc32(line.text.encode()) | zlib.adler32(line.text.encode()) << 32


def _read_by_encoder(lines: Sequence[Line], path: Path) -> tuple[np.ndarray, Floats, Floats]:
    """Row numbers of the lines with held-out encoder scores, and these scores, half-way and at the end."""
    with np.load(path, allow_pickle=False) as stored:
        place = {int(key): number for number, key in enumerate(stored["keys"])}
        lower, logits = stored["half_way"].astype(np.float32), stored["logits"].astype(np.float32)
    known = [(number, place[key_of(line)]) for number, line in enumerate(lines) if key_of(line) in place]
    if not known:  # so few lines that none was held out: the n-grams decide alone
        nothing = np.zeros((len(lines), len(LABELS)), dtype=np.float32)
        return np.arange(len(lines)), nothing, nothing
    rows = [row for _, row in known]
    return np.array([number for number, _ in known]), lower[rows], logits[rows]


def fit_combiner(linear: Floats, read: Floats, *, labels: Floats, weights: Floats) -> Floats:
    """Per label (column): weight of its n-gram score, weights of the encoder's scores of all labels, offset.

    All, since "I take back what I asked for" speaks against the deletion that the same message names.
    """
    columns = []
    for j in range(len(LABELS)):
        prior = np.zeros(len(LABELS) + 2)
        prior[0] = prior[1 + j] = 0.5
        scores = np.column_stack([linear[:, j], read])
        columns.append(fit_logistic(scores, labels[:, j], weights[:, j], prior=prior, ridge=RIDGE))
    return np.stack(columns, axis=1).astype(np.float32)


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
        inside = np.flatnonzero(part != fold).tolist()
        matrix, bias = train_linear([rows[i] for i in inside], labels[inside], weights[inside], buckets=BUCKETS)
        for i in np.flatnonzero(part == fold).tolist():
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


def fit_logistic(
    scores: Floats, labels: Floats, weights: Floats, *, prior: np.ndarray | None = None, ridge: float = 0.3
) -> np.ndarray:
    """Platt's calibration: a weight for each column of `scores`, then the offset; Newton's method, a little ridge.

    Args:
        prior: where the ridge pulls to; default: the plain sum of the scores.
    """
    inputs = np.column_stack([scores, np.ones(len(scores))]).astype(np.float64)
    start = np.array([1.0 / scores.shape[1]] * scores.shape[1] + [0.0]) if prior is None else prior
    found = start.copy()
    for _ in range(40):
        p = sigmoid((inputs @ found).astype(np.float32)).astype(np.float64)
        gradient = inputs.T @ ((p - labels) * weights) + ridge * (found - start)
        hessian = (inputs * (p * (1 - p) * weights)[:, None]).T @ inputs + ridge * np.eye(len(found))
        found = found - np.clip(np.linalg.solve(hessian, gradient), -1, 1)
    return found


def best_threshold(probabilities: Floats, labels: Floats, weights: Floats) -> float:
    """The threshold with the highest F1 on held-out lines; 0.5 unless another one is clearly better.

    The held-out lines are some hundreds, so the best of forty thresholds is partly luck.
    """
    best = (_f1(probabilities >= 0.5, labels, weights) + CLEARLY, 0.5)
    for threshold in np.arange(0.36, 0.65, 0.02):
        best = max(best, (_f1(probabilities >= threshold, labels, weights), float(threshold)))
    return best[1]


def _f1(chosen: np.ndarray, labels: Floats, weights: Floats) -> float:
    hits = float((chosen * labels * weights).sum())
    wrong = float((chosen * (1 - labels) * weights).sum())
    missed = float((~chosen * labels * weights).sum())
    return 2 * hits / max(1.0, 2 * hits + wrong + missed)


def save(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write a .npz whose bytes depend on the arrays alone (NumPy's own writer stores the time of day)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())
