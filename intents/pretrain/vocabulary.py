"""Which of e5's 250,000 pieces the encoder keeps: lower-case Latin ones that the lines use, then the commonest."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from intents.encoder import BEGIN, END, UNKNOWN
from intents.pretrain.e5 import E5
from intents.tokens import Tokenizer

SIZE = 30_000
_WANTED = re.compile("^\u2581?[a-zà-ɏ0-9'.,:;!?()\\-/&%€$@+*\"]*$")
_SPECIAL = {BEGIN: 0, END: 2, UNKNOWN: 3}  # our number -> e5's number


def choose(e5: E5, texts: Iterable[str], size: int = SIZE) -> np.ndarray:
    """Numbers of the kept pieces in e5's table; the first three are the special ones."""
    latin = [n for n, piece in enumerate(e5.pieces) if n > 3 and piece == piece.lower() and _WANTED.match(piece)]
    whole = Tokenizer([e5.pieces[n] for n in latin], e5.scores[latin].tolist(), unknown=-1)
    used = {latin[n] for text in texts for n in whole(text) if n >= 0}
    used |= {n for n in latin if len(e5.pieces[n].lstrip("\u2581")) <= 1}
    common = sorted((n for n in latin if n not in used), key=lambda n: -e5.scores[n])
    kept = sorted(used | set(common[: max(0, size - len(used))]))
    return np.array([_SPECIAL[n] for n in range(3)] + kept)


def tokenizer(e5: E5, kept: np.ndarray) -> Tokenizer:
    """The tokenizer of the reduced vocabulary, as `encoder.Encoder` will build it."""
    return Tokenizer(pieces(e5, kept), e5.scores[kept].tolist(), unknown=UNKNOWN)


def pieces(e5: E5, kept: np.ndarray) -> list[str]:
    """The kept pieces; the special ones get names that no text can contain."""
    return [f"<{n}>\t" if n < 3 else e5.pieces[number] for n, number in enumerate(kept.tolist())]


def numbers(e5: E5, kept: Iterable[str]) -> np.ndarray:
    """Numbers in e5's table of pieces as `pieces` names them."""
    place = {piece: number for number, piece in enumerate(e5.pieces)}
    return np.array([_SPECIAL[n] if n < 3 else place[piece] for n, piece in enumerate(kept)])
