"""The package as a stream: what was spooled, as JSON with its schema and as CSV, and the files that describe it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from dsr.letters.certificate import Certificate, to_json
from dsr.model import Right
from dsr.package import masking
from dsr.package.index import page, readme
from dsr.package.names import csv_name, safe_cell, schema_name
from dsr.package.sheet import sections, to_data
from dsr.package.spool import Member, Spool
from dsr.package.zipping import Archive
from dsr.policy import Policy
from dsr.requests import SubjectRequest

PROFILES = {Right.EXPORT: "portability (GDPR Art. 20)", Right.ACCESS: "access (GDPR Art. 15)"}
FORMAT = "privacy-desk-package/1"


def package(
    spools: list[Spool], request: SubjectRequest, sheet: Certificate, policy: Policy, now: datetime
) -> Iterator[bytes]:
    """The bytes of the plain zip. Memory stays small however much a person has."""
    contents = [(spool, spool.members()) for spool in spools]
    archive = Archive()
    about: dict[str, dict[str, Any]] = {}
    for spool, members in contents:
        for member in members:
            path = f"{spool.processor}/{member.name}"
            about[path] = {"processor": spool.processor, "origin": member.origin, "media_type": member.media_type}
            if member.rows is None:
                yield from archive.add(path, spool.content(member))
                continue
            table, schema = csv_name(path), schema_name(path)
            about[path] |= {"rows": member.rows, "schema": schema}
            about[table] = {**about[path], "media_type": "text/csv"}
            yield from archive.add(path, _array(spool.lines(member)))
            yield from archive.add(table, _csv(spool.lines(member), member.columns))
            yield from archive.add(schema, [_json(member.schema)])
    yield from archive.add("masked.json", [_json(masked(contents))])
    yield from archive.add("what-is-where.json", [to_json(sheet).encode()])
    right, lang = request.right, request.row.language
    if right is Right.ACCESS:
        yield from archive.add("information.json", [_json(to_data(sections(policy, lang), lang))])
    by_processor = {spool.processor: members for spool, members in contents}
    yield from archive.add("index.html", [page(by_processor, right, sheet, policy, lang, now).encode()])
    yield from archive.add("README.txt", [readme(right, sheet, policy, lang, now).encode()])
    manifest = {
        "format": FORMAT,
        "reference": request.reference,
        "profile": PROFILES.get(right, str(right)),
        "controller": policy.controller.name,
        "created": now.isoformat(),
        "files": [
            {"path": path, "bytes": done.bytes, "sha256": done.sha256, **about.get(path, {})}
            for path, done in archive.written.items()
        ],
    }
    yield from archive.add("manifest.json", [_json(manifest)])
    yield from archive.close()


def masked(contents: list[tuple[Spool, list[Member]]]) -> list[dict[str, object]]:
    """Where other people were masked: file, kind, how often, and why; and which files were not searched for any."""
    found: list[dict[str, object]] = []
    for spool, members in contents:
        for member in members:
            file = f"{spool.processor}/{member.name}"
            if member.rows is None:
                found.append({"file": file, "kind": "attachment", "count": 0, "reason": masking.NOT_SEARCHED})
            for kind, count in sorted(member.masked.items()):
                found.append({"file": file, "kind": kind, "count": count, "reason": masking.REASON})
    return found


def _array(lines: Iterable[bytes]) -> Iterator[bytes]:
    separator = b"[\n"
    for line in lines:
        yield separator + line
        separator = b",\n"
    yield b"\n]\n"


def _csv(lines: Iterable[bytes], columns: Iterable[str]) -> Iterator[bytes]:
    buffer = io.StringIO()
    table = csv.writer(buffer)

    def line(cells: Iterable[object]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        table.writerow([safe_cell(cell) for cell in cells])
        return buffer.getvalue().encode()

    columns = list(columns)
    yield b"\xef\xbb\xbf" + line(columns)  # the mark lets spreadsheets read UTF-8
    for raw in lines:
        row = json.loads(raw)
        yield line(row.get(column) for column in columns)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str).encode() + b"\n"
