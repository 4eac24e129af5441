"""Long messages: which sentences the encoder gets to read.

The encoder reads at most `MAX_TOKENS` pieces. Of a longer message it gets the sentences in which the n-gram model
sees most of any label, in their order, so that a letter of three pages costs no more than a paragraph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from intents.encoder import MAX_TOKENS
from intents.linear import Floats
from intents.text.sentences import split_sentences


def readable_text(
    text: str, tokens: Callable[[str], Sequence[int]], score: Callable[[str], Floats], *, limit: int = MAX_TOKENS
) -> str:
    """`text` itself if it is short enough, else its most telling sentences."""
    if len(text) <= limit or len(tokens(text)) <= limit:
        return text
    sentences = split_sentences(text)
    lengths = [len(tokens(sentence)) for sentence in sentences]
    telling = [float(np.max(score(sentence))) for sentence in sentences]
    chosen: set[int] = set()
    room = limit
    for number in sorted(range(len(sentences)), key=lambda n: -telling[n]):
        if lengths[number] <= room:
            chosen.add(number)
            room -= lengths[number]
        elif not chosen:
            chosen.add(number)
            room = 0
    return "\n".join(sentences[number] for number in sorted(chosen))
