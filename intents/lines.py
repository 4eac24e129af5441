"""The labelled lines in `intents/data/`: reading, checking, splitting by meaning group."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from intents.detection import INTENTS

DATA = Path(__file__).parent / "data"
TRAINED_SIGNALS = ("rectification", "access", "portability", "withdraw", "status", "reminder", "human")
LABELS = INTENTS + TRAINED_SIGNALS


@dataclass(frozen=True)
class Line:
    """One labelled message. `optional` intents are neither asked for nor forbidden."""

    text: str
    lang: str
    intents: frozenset[str]
    optional: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    group: str = ""
    source: str = ""
    note: str = ""


class BadLine(ValueError):
    """A line of a JSON Lines file that cannot be used; the text names file, line number and fault."""


def read_json_lines(lines: Iterable[str], name: str) -> list[dict[str, object]]:
    """Parse JSON Lines whose objects hold a string `text`; raise `BadLine` at the first other line."""
    parsed = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise BadLine(f"{name}:{number}: not JSON ({error})") from None
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise BadLine(f'{name}:{number}: want an object with a string "text"')
        parsed.append(value)
    return parsed


def read_lines(paths: Iterable[Path]) -> list[Line]:
    """All labelled messages of the files, in the order of the file names."""
    lines: list[Line] = []
    for path in sorted(paths):
        with path.open(encoding="utf-8") as file:
            lines.extend(_line(value, path.stem) for value in read_json_lines(file, path.name))
    return lines


def training_lines() -> list[Line]:
    """The lines that the committed model was trained on."""
    return read_lines((DATA / "train").glob("*.jsonl"))


def development_lines() -> list[Line]:
    """Lines by other authors, never trained on."""
    return read_lines((DATA / "dev").glob("*.jsonl"))


def apart_lines() -> list[Line]:
    """Ordinary chatter of other desks, and letters of third parties: bars of their own, never trained on."""
    return read_lines((DATA / "apart").glob("*.jsonl"))


def fold_of(line: Line, folds: int) -> int:
    """The part of a cross-validation that a line belongs to: lines of one meaning stay together."""
    return zlib.crc32(f"{line.source}:{line.group or line.text}".encode()) % folds


def _line(value: dict[str, object], source: str) -> Line:
    return Line(
        text=str(value["text"]),
        lang=str(value.get("lang", "")),
        intents=_names(value.get("intents")),
        optional=_names(value.get("optional")),
        signals=_names(value.get("signals")),
        group=str(value.get("group", "")),
        source=str(value.get("source", source)),
        note=str(value.get("note", value.get("notes", ""))),
    )


def _names(value: object) -> frozenset[str]:
    return frozenset(str(x) for x in value if x != "none") if isinstance(value, list) else frozenset()
