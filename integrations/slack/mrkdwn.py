"""Slack's mark-up: what must be escaped, and what a message looked like before Slack escaped it.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

SECTION = 2900  # characters; a section block holds 3,000, and escaping a cut text must not overflow it

_LINK = re.compile(r"<(?P<target>(?:https?://|mailto:|tel:)[^<>|\n]*)(?:\|(?P<label>[^<>\n]*))?>")
_REFERENCE = re.compile(r"<[#!][^<>|\n]*\|(?P<label>[^<>\n]*)>")


def escape(text: str) -> str:
    """Plain text, so that nothing in it is taken for a link, a mention or a call to everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """What the author typed: `<mailto:a@b.c|a@b.c>` is `a@b.c`; a member's `<@U…>` stays."""
    text = _REFERENCE.sub(lambda m: m["label"], _LINK.sub(_typed, text))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _typed(link: re.Match[str]) -> str:
    target, label = link["target"], link["label"]
    if target.startswith(("mailto:", "tel:")):
        return label or target.partition(":")[2]
    return f"{label} ({target})" if label and label not in target else target


def sections(text: str) -> list[str]:
    """The escaped text in pieces that fit into section blocks, cut at line ends or spaces where there are any."""
    pieces, rest = [], text
    while rest:
        piece = rest[:SECTION]
        if len(rest) > SECTION:
            cut = max(piece.rfind("\n"), piece.rfind(" "))
            piece = piece[:cut] if cut > 0 else piece
        while len(escape(piece)) > SECTION + 100:
            piece = piece[: len(piece) * 3 // 4]
        pieces.append(escape(piece))
        rest = rest[len(piece) :].lstrip()
    return pieces
