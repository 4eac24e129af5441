"""The export package: masked, described, sealed, streamed; two profiles."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dsr import export, sealed_file
from dsr.errors import DsrError, VendorUnavailable
from dsr.model import DataFile, Origin, Right
from dsr.package.names import Names, safe_cell, safe_name
from dsr.package.schema import Shape, of_rows
from tests.pages_desk import MARIA, World, make_world

KEY = sealed_file.new_key()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def opened(world: World, reference: str) -> zipfile.ZipFile:
    """The plain zip, as the person gets it."""
    world.package(reference)
    with world.desk.db.read() as conn:
        stream = export.read(world.desk, conn, reference)
    assert stream is not None
    return zipfile.ZipFile(io.BytesIO(b"".join(stream)))


def rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(archive.read(name))
    return found


# ---- at rest ---------------------------------------------------------------------------------------------------------


def test_a_sealed_file_gives_back_what_was_written_and_shows_none_of_it(tmp_path: Path) -> None:
    chunks = [b"maria.pop@example.com" * 1000] * 20
    sealed_file.write(tmp_path / "x", iter(chunks), KEY)
    assert b"".join(sealed_file.read(tmp_path / "x", KEY)) == b"".join(chunks)
    assert b"maria" not in (tmp_path / "x").read_bytes()
    assert (tmp_path / "x").read_bytes().startswith(b"age-encryption.org/v1\n")


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_a_sealed_file_of_any_size_comes_back_whole(tmp_path: Path, size: int) -> None:
    sealed_file.write(tmp_path / "x", [b"z" * size], KEY)
    assert b"".join(sealed_file.read(tmp_path / "x", KEY)) == b"z" * size


def test_a_changed_cut_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    sealed_file.write(path, [b"z" * 200_000], KEY)
    whole = path.read_bytes()
    for bad in (whole[:-1], whole[:100_000], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:50_000] + whole[50_001:]):
        path.write_bytes(bad)
        with pytest.raises(DsrError):
            list(sealed_file.read(path, KEY))
    path.write_bytes(whole)
    with pytest.raises(DsrError):
        list(sealed_file.read(path, sealed_file.new_key()))


def test_what_the_source_raises_comes_through_and_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise VendorUnavailable("intercom", "down")

    with pytest.raises(VendorUnavailable):
        sealed_file.write(tmp_path / "x", broken(), KEY)
    assert list(tmp_path.iterdir()) == []


def test_who_stops_reading_leaves_no_thread_behind(tmp_path: Path) -> None:
    import threading

    sealed_file.write(tmp_path / "x", [b"z" * 3_000_000], KEY)
    before = threading.active_count()
    stream = sealed_file.read(tmp_path / "x", KEY)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


# ---- names and cells -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\con.txt", "C_/Windows/_con.txt"),
        ("a/./b//c", "a/b/c"),
        ("..", "file"),
        ("invoice\u202egpj.exe", "invoice_gpj.exe"),
        ("x\x00y\n.pdf", "x_y_.pdf"),
        ("LPT1 .txt", "_LPT1 .txt"),
        ("é" * 300 + ".pdf", "é" * 116 + ".pdf"),
    ],
)
def test_a_name_stays_below_its_folder_and_is_no_device(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_no_two_members_are_the_same_on_any_file_system() -> None:
    names = Names()
    taken = [names.take(n, rows=r) for n, r in [("A.json", True), ("a.json", True), ("a.csv", False), ("b", True)]]
    assert taken == ["A.json", "a (2).json", "a (3).csv", "b.json"]
    assert len({n.casefold() for n in taken}) == 4


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_spreadsheet_takes_a_cell_for_a_formula_and_the_json_is_lossless(world: World, start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0"
    assert safe_cell(evil) == f"'{evil}"
    reference = world.verified(Right.ACCESS)
    export.collect(world.desk, reference, "intercom", [DataFile("n.json", rows=iter([{"note": evil, "n": -5}]))])
    archive = opened(world, reference)
    (row,) = rows(archive, "intercom/n.json")
    assert row == {"note": evil, "n": -5}
    text = archive.read("intercom/n.csv").decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [f"'{evil}", "-5"]


UNSEEN = [" ", "\u00a0", "\ufeff", "\u200b", "\x00", "\u2028", "\u3000", "\u00ad", "\u2800", "\ufe0f", " \u200b\x7f "]


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("sign", "=+-@﹦﹢﹣﹫−＝")
def test_a_formula_behind_what_nobody_sees_is_no_formula(unseen: str, sign: str) -> None:
    assert safe_cell(f"{unseen}{sign}1+1") == f"'{unseen}{sign}1+1"
    assert safe_cell(f"{unseen}1{sign}1") == f"{unseen}1{sign}1"


@pytest.mark.parametrize("end", [";", "\t", "\n", "\r\n"])
def test_a_formula_is_none_in_a_country_whose_cells_end_at_a_semicolon(end: str) -> None:
    assert safe_cell(f"hello{end} =cmd|' /C calc'!A0") == f"hello{end}' =cmd|' /C calc'!A0"
    assert safe_cell(f"hello{end}Maria") == f"hello{end}Maria"


def test_a_cell_made_to_be_slow_is_not() -> None:
    import time

    began = time.perf_counter()
    for text in (" " * 500_000, "\n" * 500_000, "; " * 250_000, "\u200b" * 500_000 + "x"):
        safe_cell(text)
    assert time.perf_counter() - began < 5


def test_what_json_cannot_say_is_said_as_text_and_every_file_stays_valid(world: World) -> None:
    reference = world.verified(Right.ACCESS)
    odd = {"score": float("nan"), "deep": [{"most": float("inf")}], "half": "a\ud83d", "fine": 1.5}
    for names_others in (True, False):
        file = DataFile("n.json", rows=iter([{"score": 1.5}, odd]), names_others=names_others)
        export.collect(world.desk, reference, "intercom", [file])
        archive = opened(world, reference)

        def no_constant(name: str) -> float:
            raise AssertionError(f"{name} is no JSON")

        found = json.loads(archive.read("intercom/n.json"), parse_constant=no_constant)
        assert found[1] == {"score": "nan", "deep": [{"most": "inf"}], "half": "a?", "fine": 1.5}
        jsonschema.validate(found, json.loads(archive.read("intercom/n.schema.json")))


# ---- what is in it ---------------------------------------------------------------------------------------------------


def test_every_member_stands_in_the_manifest_with_its_checksum_and_size(world: World) -> None:
    reference = world.verified(Right.ACCESS)
    pdf = DataFile("../invoices/1.pdf", content=iter([b"%PDF", b"-1.7"]), media_type="application/pdf")
    export.collect(world.desk, reference, "paddle", [DataFile("customers.json", rows=iter([{"id": "ctm_1"}])), pdf])
    archive = opened(world, reference)
    manifest = json.loads(archive.read("manifest.json"))
    listed = {f["path"]: f for f in manifest["files"]}
    assert listed.keys() | {"manifest.json"} == set(archive.namelist())
    for path, about in listed.items():
        content = archive.read(path)
        assert (about["sha256"], about["bytes"]) == (sha256(content).hexdigest(), len(content))
    assert listed["paddle/invoices/1.pdf"]["media_type"] == "application/pdf"
    assert listed["paddle/customers.json"]["rows"] == 1
    assert archive.read("paddle/invoices/1.pdf") == b"%PDF-1.7"


def test_portability_leaves_out_what_the_controller_made_and_access_has_it(world: World) -> None:
    def files() -> list[DataFile]:
        return [
            DataFile("contact.json", rows=iter([{"id": 1}]), origin=Origin.PROVIDED),
            DataFile("events.json", rows=iter([{"id": 2}])),
            DataFile("notes.json", rows=iter([{"id": 3}]), origin=Origin.DERIVED),
        ]

    found = {}
    for right in (Right.EXPORT, Right.ACCESS):
        reference = world.verified(right)
        export.collect(world.desk, reference, "intercom", files())
        names = opened(world, reference).namelist()
        found[right] = {n for n in names if n.startswith("intercom/") and n.endswith(".json") and ".schema." not in n}
    assert found[Right.EXPORT] == {"intercom/contact.json", "intercom/events.json"}
    assert found[Right.ACCESS] == found[Right.EXPORT] | {"intercom/notes.json"}


def test_rows_of_any_shape_fit_the_schema_that_is_made_of_them() -> None:
    many: list[dict[str, Any]] = [
        {"a": 1, "b": [1, "x", None, {"c": 1.5}], "d": {"e": True}},
        {"a": 2.5, "b": [], "d": None, "f": {str(n): n for n in range(500)}},
        {"a": None, "d": {"e": False, "g": [[{"deep": {"er": {"and": {"deeper": 1}}}}]]}},
    ]
    shape = Shape()
    for row in many:
        shape.see(row)
    schema = of_rows(shape, "x")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(many, schema)
    assert schema["items"]["required"] == ["a", "d"]
    for wrong in ([{"a": 1}], [{"a": "text", "d": None}], {"a": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_processor_that_fails_half_way_leaves_what_it_gave_before(world: World) -> None:
    reference = world.verified(Right.ACCESS)
    export.collect(world.desk, reference, "intercom", [DataFile("a.json", rows=iter([{"id": 1}]))])

    def broken() -> Iterator[DataFile]:
        yield DataFile("a.json", rows=iter([{"id": 2}]))
        raise VendorUnavailable("intercom", "down")

    with pytest.raises(VendorUnavailable):
        export.collect(world.desk, reference, "intercom", broken())
    assert rows(opened(world, reference), "intercom/a.json") == [{"id": 1}]
    assert {p.name for p in export.folder(world.desk, reference).iterdir()} == {
        "intercom.spool",
        "key",
        "package.zip.age",
    }


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_number_of_records(world: World) -> None:
    """20,000 events, 6 MB as JSON, in less than 3 MB."""
    reference = world.verified(Right.ACCESS)
    events = ({"email": MARIA, "text": f"{n:0300}"} for n in range(20_000))
    tracemalloc.start()
    try:
        export.collect(world.desk, reference, "intercom", [DataFile("events.json", rows=events)])
        world.package(reference)
        with world.desk.db.read() as conn:
            stream = export.read(world.desk, conn, reference)
        assert stream is not None
        size = sum(map(len, stream))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 100_000
    assert peak < 3_000_000, peak
