"""What one processor gave, sealed, until the package is made: a folder with a part a file, and a table of contents.

A retry of one processor repeats only that one. Nothing is held in memory but one row, the shape of all, and whom they
name: a name is replaced in the rows before the one that tells whose it is too, so that rows are read twice.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from dsr import sealed_file
from dsr.model import DataFile, Origin
from dsr.package.masking import Masker
from dsr.package.names import Names
from dsr.package.schema import Shape, of_rows

PREVIEW_ROWS = 5
PREVIEW_TEXT = 200  # characters of a cell
_CONTENTS = "contents"
Row = Mapping[str, object]


@dataclass(frozen=True)
class Member:
    """One file of one processor.

    Args:
        part: the name of its sealed part.
        rows: how many; None for an attachment.
        columns: of its CSV: the names that any row has, in order of appearance.
        preview: the first rows, shortened.
        schema: JSON Schema of the JSON file.
        masked: kind -> how often somebody else was masked.
    """

    name: str
    part: str
    origin: str
    media_type: str
    rows: int | None = None
    columns: tuple[str, ...] = ()
    preview: tuple[Mapping[str, str], ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    masked: Mapping[str, int] = field(default_factory=dict)


class Spool:
    """Args:
    path: of the folder, `<processor>.spool`.
    key: of the sealed files.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.processor = path.stem
        self._path, self._key = path, key

    @classmethod
    def all(cls, folder: Path, key: str) -> list[Spool]:
        """Every complete spool of a request, by processor."""
        return [cls(path, key) for path in sorted(folder.glob("*.spool"))]

    def fill(self, files: Iterable[DataFile], masker: Masker) -> list[Member]:
        """Take in a processor's files; replaces what was there, and leaves that in place if it fails."""
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.{threading.get_ident()}.unfinished")
        members: list[Member] = []
        names = Names()
        try:
            for number, file in enumerate(files):
                part = f"{number}.part"
                if file.rows is None:
                    sealed_file.write(unfinished / part, file.content or (), self._key)
                    name = names.take(file.name, rows=False)
                    members.append(Member(name, part, file.origin, file.media_type))
                elif (rows := _unless_empty(file.rows)) is not None:
                    masker.new_file()
                    if file.names_others:
                        rows = self._learned(rows, masker, unfinished / "unmasked")
                    taken = _Rows(file, rows, masker if file.names_others else None)
                    sealed_file.write(unfinished / part, taken.lines(), self._key)
                    members.append(taken.member(names.take(file.name, rows=True), part))
            (unfinished / "unmasked").unlink(missing_ok=True)
            contents = json.dumps([asdict(member) for member in members], ensure_ascii=False)
            sealed_file.write(unfinished / _CONTENTS, [contents.encode()], self._key)
            shutil.rmtree(self._path, ignore_errors=True)
            unfinished.replace(self._path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return members

    def members(self) -> list[Member]:
        found = json.loads(b"".join(sealed_file.read(self._path / _CONTENTS, self._key)))
        return [Member(**member) for member in found]

    def content(self, member: Member) -> Iterator[bytes]:
        """An attachment's bytes, in chunks."""
        return sealed_file.read(self._path / member.part, self._key)

    def lines(self, member: Member) -> Iterator[bytes]:
        """The rows, each as JSON in UTF-8."""
        return self._lines(self._path / member.part)

    def _lines(self, path: Path) -> Iterator[bytes]:
        waiting = b""
        for chunk in sealed_file.read(path, self._key):
            *lines, waiting = (waiting + chunk).split(b"\n")
            yield from lines

    def _learned(self, rows: Iterable[Row], masker: Masker, path: Path) -> Iterator[Row]:
        """The same rows, when the last has told whom it names; meanwhile they lie in `path`, sealed too."""

        def seen() -> Iterator[bytes]:
            for row in rows:
                plain, line = _as_json({str(k): v for k, v in row.items()})
                masker.learn(plain)
                yield line

        sealed_file.write(path, seen(), self._key)
        return (json.loads(line) for line in self._lines(path))


class _Rows:
    """Rows on their way into a part: masked, counted and described."""

    def __init__(self, file: DataFile, rows: Iterable[Row], masker: Masker | None) -> None:
        self._file, self._rows, self._masker, self._shape = file, rows, masker, Shape()
        self._columns: dict[str, None] = {}
        self._preview: list[dict[str, str]] = []
        self._count = 0

    def lines(self) -> Iterator[bytes]:
        for row in self._rows:
            plain, line = _as_json(self._masker.row(row) if self._masker else {str(k): v for k, v in row.items()})
            self._shape.see(plain)
            self._columns.update(dict.fromkeys(plain))
            if self._count < PREVIEW_ROWS:
                self._preview.append({name: _short(value) for name, value in plain.items()})
            self._count += 1
            yield line

    def member(self, name: str, part: str) -> Member:
        return Member(
            name,
            part,
            self._file.origin,
            "application/json",
            self._count,
            tuple(self._columns),
            tuple(self._preview),
            of_rows(self._shape, name),
            dict(self._masker.counts) if self._masker else {},
        )


def _unless_empty(rows: Iterable[Row] | None) -> Iterator[Row] | None:
    found = iter(rows or ())
    first = next(found, None)
    return None if first is None else chain([first], found)


def _as_json(row: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A row, and as a line of JSON in UTF-8. What neither knows (NaN, infinity, half a character) becomes text."""
    try:
        return row, json.dumps(row, ensure_ascii=False, allow_nan=False, default=str).encode() + b"\n"
    except ValueError:  # also UnicodeEncodeError
        row = _expressible(row)
        return row, json.dumps(row, ensure_ascii=False, allow_nan=False, default=str).encode() + b"\n"


def _expressible(value: Any) -> Any:
    if isinstance(value, dict):
        return {_expressible(str(key)): _expressible(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_expressible(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _short(value: object) -> str:
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = "" if value is None else str(value)
    return text if len(text) <= PREVIEW_TEXT else f"{text[:PREVIEW_TEXT]}…"


def portable(files: Iterable[DataFile]) -> Iterator[DataFile]:
    """What the right to portability covers: not what the controller made of the data (Art. 20(1))."""
    return (file for file in files if file.origin is not Origin.DERIVED)
