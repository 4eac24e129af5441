"""Logistic regression on hashed n-grams, one column per label, trained by AdaGrad in a fixed order.

NumPy only. The same lines give the same weights: the order comes from a seeded generator, arithmetic is
single-threaded array code, and the stored weights are rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from intents.ngrams import Indices, Values

Floats = npt.NDArray[np.float32]
Row = tuple[Indices, Values]

_RATE = 0.2
_RIDGE = 1e-5
_FIRST_CURVATURE = 0.01


def train_linear(
    rows: Sequence[Row], labels: Floats, weights: Floats, *, buckets: int, epochs: int = 8, seed: int = 0
) -> tuple[Floats, Floats]:
    """Return (matrix of buckets × labels, bias). `weights` is 0 where a label is neither right nor wrong."""
    columns = labels.shape[1]
    matrix = np.zeros((buckets, columns), dtype=np.float32)
    curvature = np.full((buckets, columns), _FIRST_CURVATURE, dtype=np.float32)
    bias = np.full(columns, -2.0, dtype=np.float32)
    generator = np.random.default_rng(seed)
    for epoch in range(epochs):
        rate = np.float32(_RATE * (1 - epoch / epochs))
        for number in generator.permutation(len(rows)).tolist():
            index, value = rows[number]
            part = matrix[index]
            error = (sigmoid(value @ part + bias) - labels[number]) * weights[number]
            gradient = value[:, None] * error + np.float32(_RIDGE) * part
            bent = curvature[index] + gradient * gradient
            curvature[index] = bent
            matrix[index] = part - rate * gradient / np.sqrt(bent)
            bias -= np.float32(0.1) * rate * error
    return matrix, bias


def sigmoid(values: Floats) -> Floats:
    """Logistic function, safe for large arguments."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0))), dtype=np.float32)


def quantise(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Round each column to 8 bits; the scale is a quantile, so that one outlier does not cost all others digits."""
    scale = np.maximum(np.quantile(np.abs(matrix), 0.99999, axis=0), 1e-6).astype(np.float32) / np.float32(127)
    return np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8), scale
