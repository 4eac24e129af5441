"""Azure over real HTTP to the twin: blobs with versions, suppression lists, purges of log rows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dsr.errors import ConfigurationError, CredentialsRejected, VendorAnswerUnexpected, VendorRefused
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, ReceiptStatus, Right, Support
from integrations.microsoft import VENDOR
from integrations.microsoft.processor import MicrosoftProcessor
from integrations.microsoft.settings import MicrosoftSettings
from integrations.microsoft.twin import DOMAIN, MicrosoftTwin
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.twins import MARIA, STRANGER, Served, serving

ENV = {
    name: value.format(twin="", secret="client-secret-value-1")
    for name, value in MicrosoftTwin.variables.items()
    if name != "MICROSOFT_API_URL"
}
MARIAS = Identities.of_email(MARIA).plus([Identity("account_id", "acc-maria")])
LIST = "acc-maria/list.csv"


class TestMicrosoftProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        if operation is Operation.SUPPRESS:
            return len([a for a in state["suppressionListAddresses"] if a["email"] == MARIA]) == 2
        live = [b for b in state["blobs"] if not b["deleted_at"] and ("acc-maria/" in b["name"] or b["tags"])]
        rows = [r for r in state["rows"] if "acc-maria" in r.values() or MARIA in r.values()]
        return not live and not rows


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(MicrosoftTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(MicrosoftTwin).reset()
    shared_world.twin(MicrosoftTwin).world.day = 0.02
    return shared_world


@pytest.fixture
def twin(world: Served) -> MicrosoftTwin:
    return world.twin(MicrosoftTwin)


@pytest.fixture
def processor(world: Served) -> MicrosoftProcessor:
    return MicrosoftProcessor(world.settings(MicrosoftSettings))


def instruction(operation: Operation, subject: Identities = MARIAS, right: Right = Right.ERASURE) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "key")


def blobs_of(twin: MicrosoftTwin, name: str) -> list[dict[str, Any]]:
    return [dict(b) for b in twin.records["blobs"].values() if b["name"] == name]


# ---- looking ------------------------------------------------------------------------------------------------------


def test_find_counts_blobs_with_versions_and_snapshots_and_log_rows(processor: MicrosoftProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"blobs": 7, "log_rows": 6}
    assert Identity("microsoft.blob", f"customers/{LIST}") in found.identities
    assert Identity("microsoft.blob", "uploads/2026/09/01-a7.csv") in found.identities
    assert found.residue == ()


def test_an_account_whose_id_begins_alike_is_somebody_else(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    twin.account.add("customers", "acc-maria2/list.csv", "hers")
    assert processor.find(MARIAS).held["blobs"] == 7


def test_an_account_id_cannot_leave_its_folder_or_its_query(processor: MicrosoftProcessor, world: Served) -> None:
    for id in ("../acc-ion", "acc-ion/", "' or \"account\"<>'", '") or true or x in ("'):
        assert processor.find(Identities((Identity("account_id", id),))).nothing


def test_rows_that_write_the_address_in_capitals_are_found_and_purged_as_they_are_written(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    for written in ("Maria.Pop@Example.com", MARIA.upper(), f"x{MARIA.upper()}"):
        twin._row("ACSEmailStatusUpdateOperational", RecipientId=written, DeliveryStatus="Delivered")
    twin._row("AppRequests", UserAuthenticatedId="ACC-MARIA", Name="of an account whose id has other capitals")
    assert processor.find(MARIAS).held["log_rows"] == 8
    rows = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT))}
    assert len(rows["logs.json"]) == 8
    receipt = processor.erase(instruction(Operation.ERASE))
    time.sleep(0.05)
    assert processor.status(receipt).status is ReceiptStatus.COMPLETED
    left = {v for row in twin.state()["rows"] for v in row.values()}
    assert {f"x{MARIA.upper()}", "ACC-MARIA"} <= left
    assert not {MARIA, MARIA.upper(), "Maria.Pop@Example.com", "acc-maria"} & left
    assert processor.find(MARIAS).nothing


def test_a_count_of_other_rows_than_asked_for_is_never_purged(
    processor: MicrosoftProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processor._logs
    monkeypatch.setattr(processor._logs, "_query", lambda kql: [{"Value": "ion.ionescu@example.com", "Count": 1}])
    with pytest.raises(VendorAnswerUnexpected):
        processor.erase(instruction(Operation.ERASE))


def test_a_folder_named_by_the_address_may_be_written_in_capitals_and_that_is_told(
    world: Served, twin: MicrosoftTwin
) -> None:
    twin.account.add("customers", f"{MARIA}/list.csv", "hers")
    settings = world.settings(MicrosoftSettings, MICROSOFT_STORAGE_PREFIXES="customers/{email}/")
    found = MicrosoftProcessor(settings).find(Identities.of_email(MARIA))
    assert found.held["blobs"] == 1
    assert any("capital letters" in r.what for r in found.residue)


def test_the_export_has_contents_rows_and_suppressions(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    processor.suppress(instruction(Operation.SUPPRESS))
    contents, rows = {}, {}
    for file in processor.export(instruction(Operation.EXPORT)):
        if file.content is not None:
            contents[file.name] = b"".join(file.content).decode()
        else:
            rows[file.name] = list(file.rows or ())
    assert contents[f"blobs/customers/{LIST}"] == f"email\n{MARIA}\nlater\n"
    assert f"email\n{MARIA}\n" in contents.values(), "the older version"
    assert contents["blobs/uploads/2026/09/01-a7.csv"] == "uploaded\n"
    assert len(contents) == 7
    assert all(row["metadata"] == {"email": MARIA} for row in rows["blobs.json"])
    assert {"account": "acc-maria"} in [row["tags"] for row in rows["blobs.json"]]
    assert {name: len(found) for name, found in rows.items()} == {
        "blobs.json": 7,
        "logs.json": 6,
        "suppressions.json": 2,
    }


def test_large_blobs_are_read_in_pieces(
    processor: MicrosoftProcessor, world: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.microsoft.blobs.CHUNK", 4)
    sizes = consume(processor, instruction(Operation.EXPORT))
    assert sizes[f"blobs/customers/{LIST}"] == len(f"email\n{MARIA}\nlater\n")
    assert len([c for c in world.calls("microsoft") if c == f"GET /blob/customers/{LIST}"]) > 5


def test_a_name_that_xml_cannot_hold_is_read_and_erased(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    odd = "acc-maria/50% \uffff.csv"
    twin.account.add("customers", odd, "hers")
    files = processor.export(instruction(Operation.EXPORT))
    assert {f.name: b"".join(f.content) for f in files if f.content is not None}[f"blobs/customers/{odd}"] == b"hers"
    processor.erase(instruction(Operation.ERASE))
    assert all(b["deleted_at"] for b in blobs_of(twin, odd))


def test_an_archived_blob_makes_the_export_a_task(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    (blob,) = (b for b in blobs_of(twin, LIST) if b["current"])
    twin.account.put(blob, archived=True)
    with pytest.raises(VendorRefused, match="rehydrated"):
        consume(processor, instruction(Operation.EXPORT))


def test_nobody_has_no_package(processor: MicrosoftProcessor) -> None:
    assert consume(processor, instruction(Operation.EXPORT, Identities.of_email(STRANGER))) == {}


# ---- erasing ------------------------------------------------------------------------------------------------------


def test_erasing_deletes_versions_for_good_and_waits_for_the_purge(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    twin.world.day = 1000
    receipt = processor.erase(instruction(Operation.ERASE))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, None)
    assert receipt.counts == {"blobs": 7}
    assert len(receipt.handle.split(",")) == 2
    assert blobs_of(twin, LIST) == []
    assert processor.find(MARIAS).held == {"log_rows": 6}, "the truth until the purge has ended"
    waiting = processor.status(receipt)
    assert (waiting.status, waiting.ready_after_days) == (ReceiptStatus.IN_PROGRESS, 1)
    for id, operation in list(twin.records["operations"].items()):
        twin.records["operations"][id] = {**operation, "until": 0}
    finished = processor.status(waiting)
    assert (finished.status, finished.outcome) == (ReceiptStatus.COMPLETED, Outcome.PARTIAL)
    assert finished.counts == {"blobs": 7}
    assert processor.find(MARIAS.plus(finished.identities)).nothing
    assert processor.find(Identities((Identity("account_id", "acc-ion"),))).held == {"blobs": 1, "log_rows": 1}


def test_what_may_not_be_deleted_for_good_stays_as_residue_with_its_days(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    twin.world.day = 100
    twin.account.permanent = False
    receipt = processor.erase(instruction(Operation.ERASE))
    (retained,) = [r for r in receipt.residue if "softly" in r.what]
    assert retained.until == "7 days"
    known = MARIAS.plus(receipt.identities)
    assert "blobs" not in processor.find(known).held
    assert [r.until for r in processor.find(known).residue] == ["7 days"]
    twin.world.day = 0.02
    time.sleep(0.2)
    assert processor.find(known).residue == ()


def test_a_held_blob_goes_to_an_agent_and_the_rest_is_erased(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    (blob,) = (b for b in blobs_of(twin, LIST) if b["current"])
    twin.account.put(blob, hold=True)
    receipt = processor.erase(instruction(Operation.ERASE))
    assert receipt.outcome is Outcome.MANUAL
    assert "hold" in receipt.note
    time.sleep(0.05)
    assert processor.find(MARIAS).held == {"blobs": 1}


def test_a_tagged_blob_is_found_by_its_name_when_the_index_has_forgotten_it(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    known = MARIAS.plus(processor.find(MARIAS).identities)
    for blob in blobs_of(twin, "2026/09/01-a7.csv"):
        twin.account.put(blob, tags={})
    assert processor.find(MARIAS).held["blobs"] == 5
    assert processor.find(known).held["blobs"] == 7


def test_a_storage_that_only_says_that_it_deleted_is_noticed(
    processor: MicrosoftProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processor._blobs
    monkeypatch.setattr(processor._blobs, "delete", lambda blob, permanent=False: True)
    with pytest.raises(VendorAnswerUnexpected):
        processor.erase(instruction(Operation.ERASE))


# ---- suppression --------------------------------------------------------------------------------------------------


def test_suppression_reaches_every_sender_also_for_strangers_and_once(
    processor: MicrosoftProcessor, world: Served
) -> None:
    stranger = Identities.of_email(STRANGER)
    for _ in range(2):
        assert processor.suppress(instruction(Operation.SUPPRESS, stranger)).counts == {"suppression_lists": 2}
    state = world.state("microsoft")
    assert sorted(one["properties"]["listName"] for one in state["suppressionLists"]) == ["newsletter", "offers"]
    assert [a["email"] for a in state["suppressionListAddresses"]] == [STRANGER] * 2
    assert all("firstName" not in a["properties"] for a in state["suppressionListAddresses"])
    found = processor.find(stranger)
    assert found.nothing
    assert len(found.residue) == 1


def test_subscribing_again_removes_our_entry_and_leaves_somebody_elses_to_a_person(
    processor: MicrosoftProcessor, twin: MicrosoftTwin
) -> None:
    again = instruction(Operation.LIFT, right=Right.UNSUBSCRIBE)
    processor.perform(instruction(Operation.SUPPRESS, right=Right.UNSUBSCRIBE))
    first = next(iter(twin.records["addresses"].values()))
    twin.records["addresses"]["x"] = {**first, "id": "x", "properties": {"email": MARIA, "notes": "by hand"}}
    assert processor.perform(again).outcome is Outcome.MANUAL
    assert list(twin.records["addresses"]) == ["x"]
    twin.records["addresses"].pop("x")
    assert processor.perform(again).outcome is Outcome.DONE


def test_a_list_that_exists_under_another_id_is_used(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    id = "11111111-1111-4111-8111-111111111111"
    twin.records["lists"][id] = {"id": id, "name": id, "properties": {"listName": "newsletter"}}
    processor.suppress(instruction(Operation.SUPPRESS))
    assert len(twin.records["lists"]) == 2
    assert next(a["list"] for a in twin.records["addresses"].values()) == id


def test_addresses_are_found_over_pages_and_in_any_case(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    for n in range(7):
        processor.suppress(instruction(Operation.SUPPRESS, Identities.of_email(f"p{n}@example.com")))
    last = list(twin.records["addresses"])[-1]
    twin.records["addresses"][last] = {**twin.records["addresses"][last], "properties": {"email": MARIA.upper()}}
    assert processor.find(MARIAS).residue


# ---- settings and credentials -------------------------------------------------------------------------------------


def test_a_revoked_token_is_replaced_once(processor: MicrosoftProcessor, twin: MicrosoftTwin) -> None:
    processor.check()
    twin.records["tokens"].clear()
    processor.check()


def test_check_notices_a_wrong_secret(world: Served) -> None:
    wrong = MicrosoftProcessor(world.settings(MicrosoftSettings, MICROSOFT_CLIENT_SECRET="wrong"))
    with pytest.raises(CredentialsRejected):
        wrong.check()


def test_without_a_mail_domain_suppression_has_no_meaning(world: Served) -> None:
    settings = world.settings(MicrosoftSettings, MICROSOFT_EMAIL_DOMAIN="", MICROSOFT_EMAIL_SENDERS="")
    processor = MicrosoftProcessor(settings)
    assert processor.supports[Operation.SUPPRESS] is Support.NONE
    assert processor.suppress(instruction(Operation.SUPPRESS)).status is ReceiptStatus.CANCELLED
    assert VENDOR.supports[Operation.SUPPRESS] is Support.COMPOSED


@pytest.mark.parametrize(
    "wrong",
    [
        {"MICROSOFT_STORAGE_PREFIXES": "customers/{account_id}"},
        {"MICROSOFT_STORAGE_PREFIXES": "customers/"},
        {"MICROSOFT_STORAGE_PREFIXES": "", "MICROSOFT_STORAGE_TAG": ""},
        {"MICROSOFT_EMAIL_SENDERS": ""},
        {"MICROSOFT_EMAIL_DOMAIN": DOMAIN + "/../.."},
        {"MICROSOFT_LOG_COLUMNS": "AppRequests | take 10"},
        {"MICROSOFT_LOG_WORKSPACE_ID": ""},
        {"MICROSOFT_CLIENT_SECRET": ""},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_named(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        MicrosoftSettings.from_env({**ENV, **wrong})
    assert "client-secret-value-1" not in str(error.value)


def test_nothing_to_look_into_is_a_wrong_configuration() -> None:
    only_key = {k: v for k, v in ENV.items() if k.endswith(("_ID", "_SECRET")) and "WORKSPACE" not in k}
    with pytest.raises(ConfigurationError):
        MicrosoftSettings.from_env(only_key)


def test_the_specification_names_the_paths_and_statuses_that_are_used(world: Served) -> None:
    specification = Path(__file__).parents[2] / "shared/specs/microsoft/acs-suppression-lists.min.yaml"
    if not specification.exists():
        pytest.skip("Microsoft's specification is not present")
    text = specification.read_text()
    assert "PUT    {base}/suppressionLists/{suppressionListName}/suppressionListAddresses/{addressId}" in text
    assert "providers/Microsoft.Communication/emailServices/" in text
    assert '"200": updated, "201": created' in text
    assert json.dumps("2025-09-01")[1:-1] in text
