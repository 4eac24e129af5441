"""Dropbox: whose a folder is, by its name."""

from __future__ import annotations

import pytest

from dsr.errors import ConfigurationError, VendorRefused
from dsr.model import Identities, Identity, Operation, Outcome
from integrations.dropbox.names import fits
from integrations.dropbox.processor import DropboxProcessor
from integrations.dropbox.settings import DropboxSettings
from integrations.dropbox.twin import DropboxTwin
from tests import dropbox
from tests.contracts import consume
from tests.dropbox import ENV, instruction
from tests.twins import MARIA, Served

shared_world, world, twin, processor = dropbox.shared_world, dropbox.world, dropbox.twin, dropbox.processor  # fixtures


def account(id: str) -> Identities:
    return Identities().plus([Identity("account_id", id)])


@pytest.mark.parametrize("name", ["Invoices 42", "Strada Lunga 42 SRL", "Case 42 (2019)", f"{MARIA} against us"])
def test_a_folder_with_the_id_or_address_among_other_words_is_never_deleted_moved_or_handed_out(
    name: str, twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    twin.put(f"/Clients/{name}")
    twin.put(f"/Clients/{name}/contract.txt", "of somebody else")
    subject = Identities.of_email(MARIA).plus([Identity("account_id", "42")])
    assert processor.find(subject).ambiguous
    for operation in (Operation.ERASE, Operation.RESTRICT):
        assert processor.perform(instruction(operation, subject)).outcome is Outcome.MANUAL
    with pytest.raises(VendorRefused):
        consume(processor, instruction(Operation.EXPORT, subject))
    kept = twin.at(f"/Clients/{name}/contract.txt")
    assert kept
    assert not kept["deleted"]


def test_a_folder_whose_whole_name_is_the_account_id_is_the_persons(
    twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    twin.put("/Clients/acc-42")
    assert processor.find(account("acc-42")).held == {"folders": 1}
    assert processor.find(account("ACC-42")).ambiguous, "ids may tell capitals from small letters"
    assert processor.erase(instruction(Operation.ERASE, account("acc-42"))).outcome is Outcome.PARTIAL
    assert twin.at("/Clients/acc-42", deleted=True) is None


def test_names_of_folders_are_matched_by_the_configured_patterns(world: Served, twin: DropboxTwin) -> None:
    twin.put("/Clients/K42 - Pop SRL")
    settings = world.settings(DropboxSettings, DROPBOX_FOLDER_NAMES="K{account_id} - *, {email}")
    processor = DropboxProcessor(settings)
    found = processor.find(account("K42"))
    assert (found.held, found.ambiguous) == ({"folders": 1}, True), "it would have to be called KK42"
    assert fits("K42 - Pop SRL", ("K{account_id} - *",), [], ["42"])
    assert not fits("K42 - Pop SRL", ("K{account_id}", "{email} - *"), [], ["42"])
    assert not fits("anything", ("{email}", "{account_id}"), [], [])
    for wrong in ("Clients", "{name}", "{email},", "{account_id} {name}"):
        with pytest.raises(ConfigurationError, match="DROPBOX_FOLDER_NAMES"):
            DropboxSettings.from_env({**ENV, "DROPBOX_FOLDER_NAMES": wrong})
