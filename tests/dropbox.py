"""What the tests of Dropbox share. A test module takes the fixtures by naming them: `world = dropbox.world`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dsr.model import Identities, Identity, Instruction, Operation, Right
from integrations.dropbox.processor import DropboxProcessor
from integrations.dropbox.settings import DropboxSettings
from integrations.dropbox.twin import DropboxTwin
from tests.contracts import PATIENT, impatient
from tests.twins import MARIA, Served, serving

ENV = {
    "DROPBOX_APP_KEY": "app-key-for-tests",
    "DROPBOX_APP_SECRET": "app-secret-for-tests",
    "DROPBOX_REFRESH_TOKEN": "refresh-token-for-tests",
}
MARIAS = Identities.of_email(MARIA).plus([Identity("account_id", "acc-maria")])


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(DropboxTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(DropboxTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> DropboxTwin:
    return world.twin(DropboxTwin)


@pytest.fixture
def processor(world: Served) -> DropboxProcessor:
    return DropboxProcessor(world.settings(DropboxSettings))


def instruction(operation: Operation, subject: Identities = MARIAS, right: Right = Right.ERASURE) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key")
