"""What a letter must say by law; one that lacks a part cannot be sent."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.errors import RequestError
from dsr.messages import Mail


class LetterIncomplete(RequestError, ValueError):
    """A letter lacks what the law demands of it. Names the parts, never their content."""


def require(letter: Mail, law: str, parts: Mapping[str, str]) -> Mail:
    """The letter itself, if every part stands in its text.

    Args:
        law: the article that demands the parts.
        parts: name of a part -> what must stand in the text.

    Raises:
        LetterIncomplete: a part is empty or missing.
    """
    text = " ".join(letter.text.split())
    lacks = [name for name, part in parts.items() if not part.strip() or " ".join(part.split()) not in text]
    if lacks:
        raise LetterIncomplete(f"the letter lacks {', '.join(lacks)} ({law}); it was not sent")
    return letter
