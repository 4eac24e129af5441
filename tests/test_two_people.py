"""Where one address leads to more than one person, an agent decides: nothing is erased, changed or handed out alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import export, requests
from dsr.model import Findings, Identities, Right
from integrations.dry_run import look
from integrations.intercom.twin import IntercomTwin
from integrations.own_database.twin import OwnDatabaseTwin
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


@pytest.fixture
def two_accounts(desk: Office) -> Office:
    """Another account stands under Maria's address; Intercom knows both."""
    own, intercom = desk.served.twin(OwnDatabaseTwin), desk.served.twin(IntercomTwin)
    with own._engine().begin() as conn:
        other = {"id": "acc-other", "email": MARIA, "full_name": "Zamfira Otherone"}
        conn.execute(sa.text("INSERT INTO accounts (id, email, full_name) VALUES (:id, :email, :full_name)"), other)
    intercom.new_contact(MARIA, "Zamfira Otherone", "user", "acc-other")
    return desk


CHANGING = [
    (Right.ERASURE, "erase"),
    (Right.ACCESS, "export"),
    (Right.RESTRICTION, "restrict"),
]


@pytest.mark.parametrize(("right", "operation"), CHANGING)
@pytest.mark.parametrize("contacts", ["both", "the other's"])
def test_several_accounts_in_the_own_database_leave_every_processor_to_an_agent(
    two_accounts: Office, right: Right, operation: str, contacts: str
) -> None:
    desk, intercom = two_accounts, two_accounts.served.twin(IntercomTwin)
    if contacts != "both":  # then Intercom alone sees no reason to doubt
        intercom.delete_contact(next(c for c in intercom.find_contacts(MARIA) if c["external_id"] == "acc-maria"))
    before = desk.held("own_database"), desk.held("intercom")
    reference = desk.proved(right)
    desk.settle(reference)
    for processor in ("own_database", "intercom"):
        row = desk.receipt(reference, processor, operation)
        assert (row.status, row.outcome) == ("in_progress", "manual"), processor
        assert row.identities_enc is None, "whose they are nobody knows"
    assert (desk.held("own_database"), desk.held("intercom")) == before, "nothing is erased"
    with desk.desk.db.read() as conn:
        known = requests.get(desk.desk, conn, reference).identities
    assert not known.of("account_id"), "neither account is taken for the person's"


def test_promotional_mail_to_an_address_of_several_accounts_is_stopped_without_an_agent(two_accounts: Office) -> None:
    reference = two_accounts.proved(Right.OBJECTION)
    two_accounts.settle(reference)
    for processor in ("own_database", "intercom"):
        assert two_accounts.receipt(reference, processor, "suppress").outcome == "done"
        assert two_accounts.receipt(reference, processor, "restrict").outcome == "manual"


def test_a_dry_run_asks_the_others_by_no_account_of_several(two_accounts: Office) -> None:
    asked = []
    processors = two_accounts.worker.connections.processors
    intercom = processors["intercom"]

    class Listening:
        def find(self, subject: Identities) -> Findings:
            asked.append(subject)
            return intercom.find(subject)

    told = look({"own_database": processors["own_database"], "intercom": Listening()}, Identities.of_email(MARIA))  # type: ignore[dict-item]
    assert asked == [Identities.of_email(MARIA)]
    assert all(held.ambiguous for held in told)
