"""The life of a request as a drawing, made from the table of moves: `python -m dsr.drawing --write`."""

from __future__ import annotations

import sys
from pathlib import Path

from dsr.model import RequestStatus
from dsr.requests import ENDED, MOVES

FILE = Path(__file__).parent.parent / "docs" / "life-of-a-request.md"
BEGIN, END = "<!-- made by `python -m dsr.drawing --write` -->", "<!-- end of drawing -->"
STARTS = (RequestStatus.IDENTITY_PENDING, RequestStatus.IN_PROGRESS, RequestStatus.WAITING_FOR_AGENT)


def mermaid() -> str:
    """A state diagram in Mermaid's language, every lawful move an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {start}" for start in STARTS)]
    lines += [f"    {at} --> {to}" for at in MOVES for to in RequestStatus if to in MOVES[at]]
    lines += [f"    {end} --> [*]" for end in RequestStatus if end in ENDED]
    return "\n".join([*lines, "```"])


def put_into(text: str) -> str:
    """The document with the drawing between its marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document needs the two marks of the drawing")
    return f"{before}{begin}\n\n{mermaid()}\n\n{end}{after}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(put_into(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(mermaid())
