"""MaxMind in both modes, and its list of privacy exclusions."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from dsr.errors import ConfigurationError, CredentialsRejected, VendorAnswerUnexpected, VendorError
from dsr.model import Identities, Instruction, Operation, Outcome, ReceiptStatus, Right, Support
from integrations.maxmind import VENDOR
from integrations.maxmind.exclusions import ExclusionsApi, write
from integrations.maxmind.processor import MaxmindProcessor
from integrations.maxmind.settings import MaxmindSettings
from integrations.maxmind.twin import NETWORKS, MaxmindTwin
from integrations.twin import FAULTS
from tests.contracts import ProcessorContract, impatient
from tests.twins import MARIA, Served, serving

ENV = {"MAXMIND_ACCOUNT_ID": "123456", "MAXMIND_LICENSE_KEY": "ABCDEF_kG8f1Zl0b8Wm4nA5qDqQOzO0T2bVJd_mmk"}
MARIAS = Identities.of_email(MARIA)


class TestMaxmindProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    can_look_up: ClassVar[bool] = False

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        raise AssertionError("no operation changes anything at MaxMind")


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(MaxmindTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch)
    shared_world.twin(MaxmindTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> MaxmindTwin:
    return world.twin(MaxmindTwin)


def processor(world: Served, **env: str) -> MaxmindProcessor:
    return MaxmindProcessor(world.settings(MaxmindSettings, **env))


def instruction(operation: Operation) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, MARIAS, "key")


def test_with_a_local_database_nothing_is_held_and_nothing_is_asked(world: Served) -> None:
    local = processor(world, MAXMIND_MODE="local")
    assert local.find(MARIAS).nothing
    receipt = local.perform(instruction(Operation.ERASE))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.COMPLETED, Outcome.NO_MATCH)
    for operation in (Operation.SUPPRESS, Operation.RESTRICT, Operation.LIFT, Operation.RECTIFY):
        assert local.perform(instruction(operation)).status is ReceiptStatus.CANCELLED
    assert world.calls("maxmind") == []


def test_with_the_web_service_a_person_writes_to_maxmind(world: Served) -> None:
    web = processor(world, MAXMIND_MODE="web")
    assert web.find(MARIAS).unknowable
    assert not web.find(MARIAS).nothing
    receipt = web.perform(instruction(Operation.ERASE))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, Outcome.MANUAL)
    assert "legal@maxmind.com" in receipt.note
    assert world.calls("maxmind") == []


def test_one_way_of_use_does_not_change_the_table_of_the_other(world: Served) -> None:
    assert processor(world, MAXMIND_MODE="local").supports[Operation.ERASE] is Support.NATIVE
    assert processor(world).supports[Operation.ERASE] is Support.MANUAL


def test_the_mode_is_the_careful_one_unless_said_and_nothing_else_is_taken() -> None:
    settings = MaxmindSettings.from_env(ENV)
    assert settings is not None
    assert settings.mode == "web"
    assert MaxmindSettings.from_env({"MAXMIND_MODE": "local"}) is None
    with pytest.raises(ConfigurationError, match="MAXMIND_MODE"):
        MaxmindSettings.from_env({**ENV, "MAXMIND_MODE": "cloud"})


def test_the_list_is_written_for_those_who_locate_addresses(world: Served, twin: MaxmindTwin, tmp_path: Path) -> None:
    file = tmp_path / "lists" / "exclusions.txt"
    connected = processor(world, MAXMIND_EXCLUSIONS_FILE=str(file))
    connected.daily()
    assert file.read_text().split() == list(NETWORKS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    del twin.records["exclusions"][NETWORKS[0]]  # a withdrawn objection
    connected.daily()
    assert file.read_text().split() == list(NETWORKS[1:])
    assert [f.name for f in file.parent.iterdir()] == ["exclusions.txt"]
    assert set(world.calls("maxmind")) == {"GET /privacy/exclusions"}


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("timeout", "slow_drip")])
def test_when_the_list_cannot_be_read_yesterdays_stays(world: Served, tmp_path: Path, fault: str) -> None:
    file = tmp_path / "exclusions.txt"
    connected = processor(world, MAXMIND_EXCLUSIONS_FILE=str(file))
    connected.daily()
    world.fault("maxmind", fault, 10)
    with pytest.raises(VendorError):
        connected.daily()
    assert file.read_text().split() == list(NETWORKS)


def test_without_a_file_nothing_is_fetched(world: Served) -> None:
    processor(world).daily()
    assert world.calls("maxmind") == []


def test_other_kinds_of_exclusions_are_left_out_and_new_keys_do_not_matter(world: Served, twin: MaxmindTwin) -> None:
    entry = twin.records["exclusions"][NETWORKS[0]]
    twin.records["exclusions"]["x"] = {**entry, "data_type": "email_hash", "value": "d41d8cd98f00", "new": 1}
    twin.records["exclusions"]["y"] = {**entry, "exclusion_type": "another_law", "value": "192.0.2.9/24"}
    found = ExclusionsApi(world.settings(MaxmindSettings)).networks()
    assert ip_network("192.0.2.0/24") in found
    assert len(found) == 4


def test_a_network_that_cannot_be_read_is_not_lost_silently(world: Served, twin: MaxmindTwin) -> None:
    entry = twin.records["exclusions"][NETWORKS[0]]
    for broken in ({**entry, "value": "not a network"}, {"value": "192.0.2.0/24"}):
        twin.records["exclusions"]["x"] = broken
        with pytest.raises(VendorAnswerUnexpected):
            ExclusionsApi(world.settings(MaxmindSettings)).networks()


def test_a_list_that_cannot_be_written_leaves_no_half_file(tmp_path: Path) -> None:
    folder = tmp_path / "exclusions.txt"
    folder.mkdir()  # a folder stands where the file should
    with pytest.raises(IsADirectoryError):
        write(folder, [ip_network("192.0.2.0/24")])
    assert list(tmp_path.iterdir()) == [folder]


def test_a_wrong_key_and_a_missing_one_are_noticed(world: Served) -> None:
    with pytest.raises(CredentialsRejected):
        processor(world, MAXMIND_LICENSE_KEY="wrong").check()
    answer = requests.get(f"{world.url('maxmind')}/privacy/exclusions", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, "ACCOUNT_ID_REQUIRED")


def test_the_twin_takes_a_moment_and_refuses_another_one(world: Served) -> None:
    url, auth = f"{world.url('maxmind')}/privacy/exclusions", tuple(ENV.values())
    recent = requests.get(url, params={"updates_after": "2999-01-01T00:00:00Z"}, auth=auth, timeout=5)  # type: ignore[arg-type]
    assert recent.json() == {"exclusions": []}
    bad = requests.get(url, params={"updates_after": "yesterday"}, auth=auth, timeout=5)  # type: ignore[arg-type]
    assert (bad.status_code, bad.json()["code"]) == (400, "TIMESTAMP_INVALID")


def test_the_twin_holds_transactions_only_where_something_is_sent_to_maxmind(world: Served) -> None:
    assert len([t for t in world.state("maxmind")["transactions"] if t["email"] == MARIA]) == 7
    assert world._control("POST", "maxmind", "forget", {"email": MARIA}) == {"deleted": 7}
    assert MARIA not in {t["email"] for t in world.state("maxmind")["transactions"]}
    with serving(MaxmindTwin, env={**ENV, "MAXMIND_MODE": "local"}) as local:
        assert local.state("maxmind")["transactions"] == []
