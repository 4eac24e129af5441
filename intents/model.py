"""The trained weights and what they say about a text. Loaded once, never changed, safe to share between threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from intents.detection import LANGUAGES
from intents.linear import Floats, sigmoid
from intents.lines import LABELS
from intents.ngrams import BUCKETS, features

MODEL_FILE = Path(__file__).parent / "model.npz"


@dataclass(frozen=True)
class Model:
    """Weights as they are stored: 8-bit matrices with a scale per column."""

    weights: npt.NDArray[np.int8]
    scale: Floats
    bias: Floats
    language_weights: npt.NDArray[np.int8]
    language_scale: Floats
    calibration: Floats  # per label: slope and offset of the logistic calibration
    thresholds: Floats  # per label
    unsure_from: Floats  # per label: lower end of the unsure band

    @classmethod
    def load(cls, path: Path = MODEL_FILE) -> Model:
        """Read the weights file."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})

    def logits(self, text: str) -> Floats:
        """Uncalibrated score of each label."""
        index, value = features(text)
        return np.asarray((value @ self.weights[index]) * self.scale + self.bias, dtype=np.float32)

    def probabilities(self, text: str) -> Mapping[str, float]:
        """Calibrated probability of each label."""
        slope, offset = self.calibration
        return dict(zip(LABELS, sigmoid(self.logits(text) * slope + offset).tolist(), strict=True))

    def language(self, text: str) -> str:
        """The most likely of the fourteen languages."""
        index, value = features(text[:1500])
        scores = (value @ self.language_weights[index % len(self.language_weights)]) * self.language_scale
        return LANGUAGES[int(np.argmax(scores))] if len(index) else "en"


LANGUAGE_BUCKETS = BUCKETS >> 3

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
