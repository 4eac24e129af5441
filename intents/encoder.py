"""A small transformer that reads a message in any of the fourteen languages; NumPy only.

It is the lower part of multilingual-e5-small, fine-tuned on the lines of this repository (see `finetune.py`). Its
output is one score per label: for each label an attention over the tokens picks the words that matter to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from intents.linear import Floats
from intents.tokens import Tokenizer

ENCODER_FILE = Path(__file__).parent / "encoder.npz"
MAX_TOKENS = 128
EXIT_AFTER = 5  # layers after which a clear case is decided
HEAD_SIZE = 32
BEGIN, END, UNKNOWN = 0, 1, 2  # numbers of the special pieces in the reduced vocabulary
_BLOCK = 32

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layer:
    """One transformer layer; matrices are stored as (inputs × outputs)."""

    qkv: Floats
    qkv_bias: Floats
    out: Floats
    out_bias: Floats
    norm1: Floats
    norm1_bias: Floats
    up: Floats
    up_bias: Floats
    down: Floats
    down_bias: Floats
    norm2: Floats
    norm2_bias: Floats


@dataclass(frozen=True)
class Reading:
    """Scores per label, shares (tokens × labels), and whether the lower layers alone gave them."""

    logits: Floats
    shares: Floats
    half_way: bool


MATRICES = ("qkv", "out", "up", "down")
VECTORS = tuple(name for name in Layer.__dataclass_fields__ if name not in MATRICES)


class Encoder:
    """Token table, layers and the attention head of each label."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        pieces = arrays["pieces"].tobytes().decode().split("\n")
        self.tokens = Tokenizer(pieces, arrays["piece_scores"].astype(float).tolist(), unknown=UNKNOWN)
        self._table: Bytes = arrays["table"]
        self._positions: Floats = arrays["positions"].astype(np.float32)
        self._norm = arrays["norm"].astype(np.float32)
        self._layers = [_layer(arrays, number) for number in range(int(arrays["layers"].item()))]
        # For each label three columns: attention, value, and value of the mean over all tokens.
        self._exit = (arrays["exit"].astype(np.float32), arrays["exit_bias"].astype(np.float32))
        self._head = (arrays["head"].astype(np.float32), arrays["head_bias"].astype(np.float32))

    @classmethod
    def load(cls, path: Path = ENCODER_FILE) -> Encoder:
        """Read the weights; 8-bit matrices become 32-bit ones, the token table stays packed."""
        with np.load(path, allow_pickle=False) as stored:
            return cls({name: stored[name] for name in stored.files})

    def read(self, tokens: list[int], settled: Callable[[Floats], bool]) -> Reading:
        """Score each label for at most `MAX_TOKENS` pieces.

        `settled` sees the scores that the lower layers arrive at; where it says True, the upper ones are not asked.
        """
        numbers = [BEGIN, *tokens[:MAX_TOKENS], END]
        states = np.asarray(unpack(self._table[numbers]) + self._positions[: len(numbers)], dtype=np.float32)
        states = _normalised(states, self._norm[0], self._norm[1])
        for layer in self._layers[:EXIT_AFTER]:
            states = _transformed(states, layer)
        logits, shares = _pooled(states, *self._exit)
        if settled(logits):
            return Reading(logits, shares, half_way=True)
        for layer in self._layers[EXIT_AFTER:]:
            states = _transformed(states, layer)
        return Reading(*_pooled(states, *self._head), half_way=False)


def _pooled(states: Floats, head: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Score per label, and the share of each token in it (without the marks for beginning and end)."""
    columns = states @ head
    count = len(bias)
    attention = _softmax(columns[:, :count].T)
    shares = attention.T * columns[:, count : 2 * count] + columns[:, 2 * count :] / np.float32(len(states))
    return np.asarray(shares.sum(axis=0) + bias, dtype=np.float32), shares[1:-1]


def unpack(rows: Bytes) -> Floats:
    """4-bit rows to numbers: blocks of 32 values share one 16-bit scale."""
    blocks = rows.reshape(-1, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
    values = (np.concatenate([low, high], axis=1).astype(np.float32) - 8.0) * scale
    return values.reshape(len(rows), -1)


def _layer(arrays: dict[str, np.ndarray], number: int) -> Layer:
    values = {name: arrays[f"{name}_{number}"].astype(np.float32) for name in VECTORS}
    for name in MATRICES:
        values[name] = arrays[f"{name}_{number}"].astype(np.float32) * arrays[f"{name}_scale_{number}"]
    return Layer(**values)


def _transformed(states: Floats, layer: Layer) -> Floats:
    length = len(states)
    projected = (states @ layer.qkv + layer.qkv_bias).reshape(length, 3, -1, HEAD_SIZE).transpose(1, 2, 0, 3)
    query, key, value = projected
    weights = _softmax(query @ key.transpose(0, 2, 1) * np.float32(HEAD_SIZE**-0.5))
    mixed = (weights @ value).transpose(1, 0, 2).reshape(length, -1)
    changed = np.asarray(states + mixed @ layer.out + layer.out_bias, dtype=np.float32)
    states = _normalised(changed, layer.norm1, layer.norm1_bias)
    inner = _gelu(states @ layer.up + layer.up_bias)
    changed = np.asarray(states + inner @ layer.down + layer.down_bias, dtype=np.float32)
    return _normalised(changed, layer.norm2, layer.norm2_bias)


def _gelu(values: Floats) -> Floats:
    cubic = values * (np.float32(0.7978845608) + np.float32(0.0356774081) * values * values)
    return np.asarray(np.float32(0.5) * values * (np.float32(1) + np.tanh(cubic)))


def _softmax(values: Floats) -> Floats:
    exponents = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))


def _normalised(values: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = values - values.mean(axis=-1, keepdims=True)
    variance = np.asarray(np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(values.shape[1]))
    return np.asarray(centred / np.sqrt(variance + np.float32(1e-12)) * weight + bias)


_lock = threading.Lock()
_encoder: Encoder | None = None


def shared_encoder() -> Encoder | None:
    """The committed encoder, read at the first call; None where the file was left out to save memory."""
    global _encoder
    if _encoder is None and ENCODER_FILE.exists():
        with _lock:
            if _encoder is None:
                _encoder = Encoder.load()
    return _encoder
