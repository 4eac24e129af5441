"""The drawing of the life of a request agrees with the table that the code obeys."""

from __future__ import annotations

import re

import pytest

from dsr import drawing
from dsr.model import RequestStatus
from dsr.requests import ENDED, MOVES

ARROW = re.compile(r"^    (\w+) --> (\w+)$", re.MULTILINE)


def test_the_document_holds_the_drawing_of_the_table() -> None:
    text = drawing.FILE.read_text("utf-8")
    assert drawing.put_into(text) == text, "run: .venv/bin/python -m dsr.drawing --write"


def test_every_arrow_is_a_lawful_move_and_every_move_an_arrow() -> None:
    drawn = {(RequestStatus(a), RequestStatus(b)) for a, b in ARROW.findall(drawing.FILE.read_text("utf-8"))}
    assert drawn == {(at, to) for at, lawful in MOVES.items() for to in lawful}


def test_every_state_is_explained_and_the_ends_are_ends() -> None:
    text = drawing.FILE.read_text("utf-8")
    drawn_ends = set(re.findall(r"^    (\w+) --> \[\*\]$", text, re.MULTILINE))
    assert drawn_ends == {str(s) for s in ENDED}
    table = text.partition("| state |")[2]
    assert not {str(s) for s in RequestStatus} - set(re.findall(r"`(\w+)`", table))


def test_a_document_without_the_marks_is_told_so() -> None:
    with pytest.raises(ValueError, match="two marks"):
        drawing.put_into("# nothing")
