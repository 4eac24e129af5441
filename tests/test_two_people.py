"""Where one address leads to more than one person, an agent decides: nothing is erased, changed or handed out alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsr import export
from dsr.model import Right
from integrations.intercom.twin import IntercomTwin
from tests.clocked import Office, office
from tests.twins import MARIA


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as made:
        yield made


def _packed(desk: Office, reference: str) -> str:
    """Everything in the package, as text."""
    with desk.desk.db.read() as conn:
        stream = export.read(desk.desk, conn, reference)
        assert stream
        package = zipfile.ZipFile(io.BytesIO(b"".join(stream)))
    return "".join(package.read(name).decode("utf-8", "replace") for name in package.namelist())


@pytest.mark.parametrize("right", [Right.EXPORT, Right.ACCESS])
def test_of_two_people_on_one_address_neither_is_exported_and_an_agent_decides(desk: Office, right: Right) -> None:
    desk.served.twin(IntercomTwin).new_contact(MARIA, "Zamfira Otherone", "user", "acc-other")
    reference = desk.proved(right)
    desk.settle(reference)
    row = desk.receipt(reference, "intercom", "export")
    assert (row.status, row.outcome) == ("in_progress", "manual")
    assert "More than one person" in row.note
    package = _packed(desk, reference)
    assert MARIA in package, "what is hers alone is handed out"
    assert "Zamfira" not in package
