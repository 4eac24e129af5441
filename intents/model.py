"""The trained weights and what they say about a text. Loaded once, never changed, safe to share between threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from intents.detection import INTENTS, LANGUAGES
from intents.encoder import Encoder
from intents.linear import Floats, sigmoid
from intents.lines import LABELS
from intents.ngrams import BUCKETS, features
from intents.selection import readable_text

MODEL_FILE = Path(__file__).parent / "model.npz"


@dataclass(frozen=True)
class Scored:
    """Calibrated probability per label, and for labels the share that each read token has in the score."""

    probabilities: Mapping[str, float]
    shares: Floats | None  # tokens × labels, None where the encoder was not asked


@dataclass(frozen=True)
class Model:
    """Weights as they are stored: 8-bit matrices with a scale per column."""

    weights: npt.NDArray[np.int8]
    scale: Floats
    bias: Floats
    language_weights: npt.NDArray[np.int8]
    language_scale: Floats
    gate: Floats  # per label: an n-gram score below which the label is out of the question
    alone: Floats  # per label: slope and offset of the n-gram score where the encoder is not asked
    half_way: Floats  # as `combiner`, for the scores of the encoder's lower layers
    combiner: Floats  # per label: weight of its n-gram score, weights of the encoder's scores of all labels, offset
    thresholds: Floats  # per label
    unsure_from: Floats  # per label: lower end of the unsure band

    @classmethod
    def load(cls, path: Path = MODEL_FILE) -> Model:
        """Read the weights file."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})

    def ngram_logits(self, text: str) -> Floats:
        """Uncalibrated score of each label by the n-gram model."""
        index, value = features(text)
        return np.asarray((value @ self.weights[index]) * self.scale + self.bias, dtype=np.float32)

    def score(self, text: str, encoder: Encoder | None) -> Scored:
        """Probabilities of all labels. The encoder reads the text unless the n-grams rule every label out."""
        linear = self.ngram_logits(text)
        if encoder is None or bool((linear < self.gate).all()):
            values, shares = linear * self.alone[0] + self.alone[1], None
        else:
            readable = readable_text(text, encoder.tokens, self.ngram_logits)

            def settled(lower: Floats) -> bool:
                intents = combined(linear, lower, self.half_way)[: len(INTENTS)]
                return bool((np.abs(intents) > CLEAR).all())

            reading = encoder.read(encoder.tokens(readable), settled)
            values = combined(linear, reading.logits, self.half_way if reading.half_way else self.combiner)
            shares = reading.shares
        return Scored(dict(zip(LABELS, sigmoid(values).tolist(), strict=True)), shares)

    def language(self, text: str) -> str:
        """The most likely of the fourteen languages."""
        index, value = features(text[:1500])
        if not len(index):
            return "en"
        scores = (value @ self.language_weights[index % len(self.language_weights)]) * self.language_scale
        return LANGUAGES[int(np.argmax(scores))]


LANGUAGE_BUCKETS = BUCKETS >> 3
CLEAR = 2.0  # an intent is settled half-way if its probability is below 12 % or above 88 %


def combined(linear: Floats, read: Floats, weights: Floats) -> Floats:
    """Logits of all labels, of one message or a row each (see `train.fit_combiner`)."""
    return np.asarray(linear * weights[0] + read @ weights[1:-1] + weights[-1], dtype=np.float32)


_lock = threading.Lock()
_model: Model | None = None


def shared_model() -> Model:
    """The committed model, read at the first call."""
    global _model
    if _model is None:
        with _lock:
            if _model is None:
                _model = Model.load()
    return _model
