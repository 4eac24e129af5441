"""The export package: collected from every processor, encrypted at rest, handed out once as a plain zip.

Each processor's files are spooled as a sealed stream of records, so that a retry of one processor repeats only that
one and memory stays bounded however much a person has. The package holds, for every processor, lossless JSON and a
CSV whose cells no spreadsheet takes for a formula.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import struct
import zipfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsr import sealed_file
from dsr.desk import Desk
from dsr.letters.certificate import Certificate, to_html, to_json
from dsr.model import DataFile
from dsr.requests import SubjectRequest
from dsr.sealed_file import SealedWriter
from dsr.store.tables import packages
from dsr.store.tables import requests as requests_table

_FORMULA = tuple("=+-@\t\r＝＋－＠")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_DATE = (1980, 1, 1, 0, 0, 0)  # one time stamp for all members: the package tells nothing about our machine


def folder(desk: Desk, reference: str) -> Path:
    return Path(desk.settings.package_folder) / reference


def collect(desk: Desk, reference: str, processor: str, files: Iterator[DataFile]) -> dict[str, int]:
    """Spool everything that a processor exports; doing it again replaces it.

    Returns:
        file name -> rows (or 1 for an attachment).
    """
    counts: dict[str, int] = {}
    with SealedWriter(folder(desk, reference) / f"{processor}.spool", _key(desk, reference)) as out:
        for file in files:
            name = safe_name(file.name)
            if file.rows is not None:
                n = 0
                for row in file.rows:
                    if n == 0:
                        _record(out, b"J", name.encode())
                    _record(out, b"R", json.dumps(row, ensure_ascii=False, default=str).encode())
                    n += 1
                if n:
                    counts[name] = n
            elif file.content is not None:
                _record(out, b"A", name.encode())
                for chunk in file.content:
                    _record(out, b"D", chunk)
                counts[name] = 1
    return counts


def build(desk: Desk, conn: sa.Connection, request: SubjectRequest, sheet: Certificate) -> Path:
    """Make the package of what was collected; a later one replaces it."""
    reference = request.reference
    where = folder(desk, reference)
    key = desk.vault.file_key(conn, request.row.key_id)
    path = where / "package.zip.sealed"
    manifest: dict[str, str] = {}
    with SealedWriter(path, key) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for spool in sorted(where.glob("*.spool")):
            for name, chunks in _members(spool, key):
                full = f"{spool.stem}/{name}"
                manifest[full] = _add(archive, full, chunks)
        manifest["what-is-where.json"] = _add(archive, "what-is-where.json", iter([to_json(sheet).encode()]))
        html = to_html(sheet, request.row.language).encode()
        manifest["index.html"] = _add(archive, "index.html", iter([html]))
        _add(archive, "manifest.json", iter([_json({"reference": reference, "sha256": manifest})]))
    now = desk.now()
    values = {
        "path": str(path),
        "key_id": request.row.key_id,
        "bytes": path.stat().st_size,
        "created_at": now,
        "expires_at": now + timedelta(seconds=desk.settings.package_expiry),
        "downloaded_at": None,
        "shredded_at": None,
    }
    conn.execute(packages.delete().where(packages.c.reference == reference))
    conn.execute(packages.insert().values(reference=reference, **values))
    return path


def read(desk: Desk, conn: sa.Connection, reference: str) -> Iterator[bytes] | None:
    """The package's plain zip as a stream; None if it is gone or expired. Takes no lock; call `handed_out` first."""
    row = conn.execute(sa.select(packages).where(packages.c.reference == reference)).first()
    if row is None or row.shredded_at or row.expires_at <= desk.now() or not Path(row.path).exists():
        return None
    return sealed_file.read(Path(row.path), desk.vault.file_key(conn, row.key_id))


def shred(desk: Desk, conn: sa.Connection, reference: str) -> None:
    """Remove a package and its spools. The bytes were encrypted; the person's key is what matters."""
    shutil.rmtree(folder(desk, reference), ignore_errors=True)
    conn.execute(packages.update().where(packages.c.reference == reference).values(shredded_at=desk.now()))


def safe_name(name: str) -> str:
    """A member's name: below its processor's folder, never above it, and no device of any system."""
    parts = [re.sub(r"[^\w.\- ]", "_", part).strip(". ") for part in name.replace("\\", "/").split("/")]
    parts = [f"_{part}" if part.split(".")[0].lower() in _DEVICES else part for part in parts if part]
    return "/".join(parts) or "file"


def safe_cell(value: object) -> str:
    """A CSV cell that no spreadsheet runs as a formula (OWASP: CSV injection); the JSON beside it is lossless."""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, (int, float)) else text


def _key(desk: Desk, reference: str) -> bytes:
    with desk.db.read() as conn:
        key_id = conn.execute(
            sa.select(requests_table.c.key_id).where(requests_table.c.reference == reference)
        ).scalar_one()
        return desk.vault.file_key(conn, key_id)


def _record(out: SealedWriter, kind: bytes, data: bytes) -> None:
    out.write(kind + struct.pack(">I", len(data)) + data)


def _records(spool: Path, key: bytes) -> Iterator[tuple[bytes, bytes]]:
    waiting = bytearray()
    for chunk in sealed_file.read(spool, key):
        waiting += chunk
        position = 0
        while len(waiting) >= position + 5:
            (length,) = struct.unpack_from(">I", waiting, position + 1)
            end = position + 5 + length
            if len(waiting) < end:
                break
            yield bytes(waiting[position : position + 1]), bytes(waiting[position + 5 : end])
            position = end
        del waiting[:position]


def _members(spool: Path, key: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each member of the package that a spool gives; the spool is read once for each, so memory stays small."""
    names: list[tuple[bytes, str]] = [(k, d.decode()) for k, d in _records(spool, key) if k in b"JA"]
    for index, (kind, name) in enumerate(names):
        if kind == b"A":
            yield name, _of(spool, key, index)
            continue
        yield name, _json_array(_of(spool, key, index))
        columns: dict[str, None] = {}
        for row in _of(spool, key, index):
            columns.update(dict.fromkeys(json.loads(row)))
        yield f"{name.removesuffix('.json')}.csv", _csv(_of(spool, key, index), list(columns))


def _of(spool: Path, key: bytes, index: int) -> Iterator[bytes]:
    """Rows or chunks of the member with this number."""
    at = -1
    for kind, data in _records(spool, key):
        if kind in b"JA":
            at += 1
        elif at == index:
            yield data


def _json_array(rows: Iterator[bytes]) -> Iterator[bytes]:
    separator = b"[\n"
    for row in rows:
        yield separator + row
        separator = b",\n"
    yield b"\n]\n"


def _csv(rows: Iterator[bytes], columns: list[str]) -> Iterator[bytes]:
    def line(cells: list[str]) -> bytes:
        buffer = io.StringIO()
        csv.writer(buffer).writerow(cells)
        return buffer.getvalue().encode()

    yield b"\xef\xbb\xbf" + line([safe_cell(c) for c in columns])  # the mark lets spreadsheets read UTF-8
    for raw in rows:
        row: Mapping[str, Any] = json.loads(raw)
        yield line([safe_cell(row.get(c)) for c in columns])


def _add(archive: zipfile.ZipFile, name: str, chunks: Iterator[bytes]) -> str:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    digest = hashlib.sha256()
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            digest.update(chunk)
            member.write(chunk)
    return digest.hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str).encode()
