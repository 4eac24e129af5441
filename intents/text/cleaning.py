"""The text layer in one call: raw message in, the author's own new words out."""

from __future__ import annotations

from intents.text.markup import plain
from intents.text.normalise import join_spelled_out, normalise
from intents.text.quotes import split_quotes
from intents.text.signatures import strip_signature

RAW_LIMIT = 200_000
NEW_LIMIT = 8_000
_TAIL = 2_000


def own_words(text: str) -> tuple[str, str]:
    """Return (new, quoted) without markup, signature and footer, each at most 8,000 characters.

    Of a longer text the beginning and the end are kept: a request stands before or after a pasted log, hardly ever
    in the middle of one.
    """
    text = normalise(_ends(text, RAW_LIMIT, RAW_LIMIT // 4))
    new, quoted = split_quotes(_ends(plain(text), 4 * NEW_LIMIT, NEW_LIMIT))
    new = strip_signature(new)
    return join_spelled_out(_ends(new, NEW_LIMIT, _TAIL)).strip(), quoted[:NEW_LIMIT]


def _ends(text: str, limit: int, tail: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - tail]}\n{text[-tail:]}"
