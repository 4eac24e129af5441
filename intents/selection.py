"""Long messages: which sentences the encoder gets to read.

The encoder reads at most `MAX_TOKENS` pieces. Of a longer message it gets the sentences in which the n-gram model
sees most of any label, each with the one before it, in their order, so that a letter of three pages costs no more
than a paragraph.
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
    first = max(range(len(sentences)), key=lambda n: telling[n])
    chosen, room = {first}, limit - lengths[first]
    for number in sorted(range(len(sentences)), key=lambda n: -telling[n]):
        # The sentence before says whose words these are, and whether they still hold: both, or the telling one alone.
        for wanted in ({max(0, number - 1), number} - chosen, {number} - chosen):
            cost = sum(lengths[n] for n in wanted)
            if cost <= room:
                chosen |= wanted
                room -= cost
                break
    return "\n".join(sentences[number] for number in sorted(chosen))
