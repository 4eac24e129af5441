"""Dropbox: the processor over HTTP to the twin."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from dsr.errors import ConfigurationError, CredentialsRejected, VendorError, VendorRefused, VendorUnavailable
from dsr.model import Identity, Operation, Outcome, ReceiptStatus, Right
from integrations.dropbox import VENDOR
from integrations.dropbox.lookup import carries
from integrations.dropbox.processor import DropboxProcessor
from integrations.dropbox.settings import DropboxSettings
from integrations.dropbox.twin import DropboxTwin
from tests import dropbox
from tests.contracts import ProcessorContract, consume
from tests.dropbox import ENV, MARIAS, instruction
from tests.openapi import SPECS
from tests.twins import MARIA, Served

CONTACTS = f"name,email\nMaria,{MARIA}\nIon,ion.ionescu@example.com\n"
shared_world, world, twin, processor = dropbox.shared_world, dropbox.world, dropbox.twin, dropbox.processor  # fixtures


class TestDropboxProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        hers = [f for f in state["folders"] if f.get("email") == MARIA]
        if operation is Operation.ERASE:
            return not hers and not any(carries(json.dumps(f), MARIA) for f in state["files"])
        return bool(hers) and all(
            f["path_lower"].startswith("/restricted/" if operation is Operation.RESTRICT else "/clients/") for f in hers
        )


def test_a_name_is_matched_as_a_whole() -> None:
    for name in ("Maria (a@b.co)", "acc-1 a@b.co archive", "A@B.CO"):
        assert carries(name, "a@b.co"), name
    for name in ("not.a@b.co", "a@b.com", "a@b.co.uk", "a-b.co"):
        assert not carries(name, "a@b.co"), name
    assert carries("Pop, acc-1 (2019)", "acc-1")
    assert not carries("acc-12", "acc-1")
    assert not carries("acc-1-old", "acc-1")


def test_a_folder_must_be_a_path_and_secrets_stay_secret() -> None:
    with pytest.raises(ConfigurationError, match="DROPBOX_ACCOUNTS_FOLDER"):
        DropboxSettings.from_env({**ENV, "DROPBOX_ACCOUNTS_FOLDER": "Clients/"})
    settings = DropboxSettings.from_env(ENV)
    assert settings is not None
    assert not any(value in repr(settings) for value in ENV.values())
    assert settings.content_base == "https://content.dropboxapi.com"


def test_find_counts_folders_files_and_what_can_be_recovered(processor: DropboxProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"folders": 2, "files": 7, "recoverable": 1}
    assert {i.type for i in found.identities} == {"dropbox.folder"}
    assert not found.ambiguous


def test_erasure_leaves_nothing_to_recover(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    receipt = processor.erase(instruction(Operation.ERASE))
    assert receipt.outcome is Outcome.PARTIAL
    assert [r.what for r in receipt.residue] == [
        "copies that other people downloaded, synchronised or were sent",
    ]
    assert not carries(json.dumps(twin.state()), MARIA)
    assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.NO_MATCH


def test_what_was_deleted_before_is_deleted_for_good(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    for entry in twin.entries():
        if MARIA in entry["path_display"] and not entry["path_display"].startswith("/Clients/Not"):
            twin.records["entries"][entry["id"]] = {**entry, "deleted": time.time()}
    twin.world.day, day = 1.0, twin.world.day
    try:
        assert processor.find(MARIAS).held == {"recoverable": 2}
        assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.PARTIAL
        assert processor.find(MARIAS).nothing
    finally:
        twin.world.day = day
    assert not carries(json.dumps(twin.state()), MARIA)


def test_an_account_that_is_not_business_deletes_softly_and_asks_a_person(
    twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    twin.kind = "basic"
    twin.world.day, day = 1.0, twin.world.day
    try:
        receipt = processor.erase(instruction(Operation.ERASE))
        assert receipt.outcome is Outcome.MANUAL
        assert "30 days" in receipt.note
        assert any(r.until == "30 days" for r in receipt.residue)
        assert processor.find(MARIAS).held == {"recoverable": 2}, "it is not gone yet, and find says so"
        assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.MANUAL
    finally:
        twin.world.day = day
    time.sleep(30 * day)
    assert processor.find(MARIAS).nothing


def test_a_search_hit_elsewhere_is_never_deleted(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    twin.put("/Handbook/contacts.csv", CONTACTS)
    twin.put(f"/Handbook/offer {MARIA}.pdf", "%PDF")
    twin.put("/Handbook/scan.pdf", f"about {MARIA}")  # cannot be read by us
    twin.put("/Handbook/not.csv", "not.maria.pop@example.com")
    twin.put("/Handbook/not.maria.pop@example.com.txt", "x")
    assert processor.find(MARIAS).held["files_elsewhere"] == 3
    receipt = processor.erase(instruction(Operation.ERASE))
    assert receipt.outcome is Outcome.MANUAL
    assert receipt.note.startswith("3 files outside")
    assert MARIA not in receipt.note
    assert len([f for f in twin.state()["files"] if f["path_display"].startswith("/Handbook/")]) == 6
    assert processor.find(MARIAS).held == {"files_elsewhere": 3}


def test_a_search_that_still_shows_the_deleted_is_not_believed(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    twin.put("/Handbook/contacts.csv", CONTACTS)
    (file,) = [e for e in twin.entries() if e["name"] == "contacts.csv"]
    del twin.records["entries"][file["id"]]
    twin.records["ghosts"][file["id"]] = {**file, "until": time.time() + 60}
    assert "files_elsewhere" not in processor.find(MARIAS).held


def test_a_deleted_file_elsewhere_is_held_while_it_can_be_recovered(
    twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    twin.put("/Handbook/contacts.csv", CONTACTS, deleted=time.time())
    assert processor.find(MARIAS).held["files_elsewhere"] == 1


def test_a_folder_named_after_two_people_stops_for_an_agent(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    twin.put(f"/Clients/{MARIA} and ion.ionescu@example.com")
    assert processor.find(MARIAS).ambiguous
    for operation in (Operation.ERASE, Operation.RESTRICT):
        assert processor.perform(instruction(operation)).outcome is Outcome.MANUAL
    with pytest.raises(VendorRefused):
        consume(processor, instruction(Operation.EXPORT))
    assert len([f for f in twin.state()["folders"] if f.get("email") == MARIA and not f["deleted"]]) == 2


def test_a_known_folder_that_was_renamed_stops_for_an_agent(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    other = twin.put("/Clients/Renamed by somebody")
    known = MARIAS.plus([Identity("dropbox.folder", other["id"])])
    assert processor.find(known).ambiguous
    assert processor.erase(instruction(Operation.ERASE, known)).outcome is Outcome.MANUAL


def test_an_interrupted_erasure_finds_the_rest_again(
    world: Served, twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    processor.erase(instruction(Operation.ERASE))
    changing = [n for n, call in enumerate(world.calls("dropbox")) if call.endswith("permanently_delete")]
    assert len(changing) == 3
    for at in changing:
        twin.reset()
        twin.faults[:] = [""] * (at - 1) + ["403"]  # the token is already there
        with pytest.raises(CredentialsRejected):
            DropboxProcessor(world.settings(DropboxSettings)).erase(instruction(Operation.ERASE))
        twin.faults.clear()
        processor = DropboxProcessor(world.settings(DropboxSettings))
        assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.PARTIAL
        assert not carries(json.dumps(twin.state()), MARIA), at


def test_restricting_and_lifting_move_the_folders_there_and_back(
    twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    before = {f["path_display"] for f in twin.state()["files"]}
    receipt = processor.restrict(instruction(Operation.RESTRICT))
    assert (receipt.outcome, receipt.counts) == (Outcome.DONE, {"folders": 2})
    inside = [f for f in twin.state()["files"] if f["path_display"].startswith("/Restricted/")]
    assert len(inside) == 8, "deleted ones move along"
    assert processor.find(MARIAS).held["files"] == 7, "restricted is still held"
    processor.lift(instruction(Operation.LIFT))
    assert {f["path_display"] for f in twin.state()["files"]} == before


def test_restricting_without_the_folder_is_refused(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    folder = twin.at("/Restricted")
    assert folder
    del twin.records["entries"][folder["id"]]
    with pytest.raises(VendorRefused, match="does not exist"):
        processor.restrict(instruction(Operation.RESTRICT))


def test_a_folder_in_the_way_is_for_a_person(twin: DropboxTwin, processor: DropboxProcessor) -> None:
    twin.put(f"/Restricted/Maria Pop ({MARIA})")
    receipt = processor.restrict(instruction(Operation.RESTRICT))
    assert receipt.outcome is Outcome.MANUAL
    assert "Merge" in receipt.note


def test_the_export_has_the_files_in_parts(
    twin: DropboxTwin, processor: DropboxProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.dropbox.api.CHUNK", 10)
    sizes = consume(processor, instruction(Operation.EXPORT))
    assert sizes["files.json"] == 8
    files = {name.rpartition("/")[2]: size for name, size in sizes.items() if name.startswith("files/")}
    assert files["contract.txt"] == len(f"Contract with Maria Pop, {MARIA}")
    assert files["notes.gdoc"] == len("exported")
    assert len(files) == 7


def test_an_expired_token_is_renewed_once_and_a_revoked_one_is_told(
    world: Served, twin: DropboxTwin, processor: DropboxProcessor
) -> None:
    processor.check()
    known = len(twin.records["tokens"])
    for token in list(twin.records["tokens"]):
        twin.records["tokens"][token] = {"good": False}
    processor.check()
    assert len(twin.records["tokens"]) == known + 1
    for token in list(twin.records["tokens"]):
        del twin.records["tokens"][token]
    with pytest.raises(CredentialsRejected):
        processor.check()
    revoked = DropboxProcessor(world.settings(DropboxSettings, DROPBOX_REFRESH_TOKEN="another"))
    with pytest.raises(CredentialsRejected, match="refresh token"):
        revoked.check()


def test_busy_may_be_tried_again_and_a_refusal_may_not(
    twin: DropboxTwin, processor: DropboxProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.check()
    twin.faults[:] = ["", "409"]
    with pytest.raises(VendorUnavailable):
        processor.find(MARIAS)
    usual = twin.refuse
    monkeypatch.setattr(twin, "at", lambda *args, **more: None)
    monkeypatch.setattr(twin, "refuse", lambda *tags, **more: usual("path", "restricted_content"))
    with pytest.raises(VendorError) as caught:
        processor.find(MARIAS)
    assert not caught.value.retry


def test_the_team_space_is_named_and_a_moved_one_may_be_tried_again(processor: DropboxProcessor) -> None:
    assert processor.find(MARIAS).held["folders"] == 2, "the twin shows the team space only to those who name it"
    with pytest.raises(VendorUnavailable):
        list(processor._api.listing("/Clients", "1000", recursive=False))


def test_what_has_no_meaning_is_cancelled_and_what_people_do_has_instructions(processor: DropboxProcessor) -> None:
    suppress = instruction(Operation.SUPPRESS, right=Right.AGE_REPORT)
    assert processor.suppress(suppress).status is ReceiptStatus.CANCELLED
    assert "note" in processor.rectify(instruction(Operation.RECTIFY, right=Right.RECTIFICATION)).note


class Stone:
    """The little of Dropbox's interface language that is needed to check the keys of what is sent and answered."""

    def __init__(self, *files: str) -> None:
        self.structs: dict[str, tuple[str, dict[str, bool]]] = {}
        self.routes: dict[str, tuple[str, str]] = {}
        for file in files:
            path = SPECS / "dropbox" / file
            if not path.exists():
                pytest.skip(f"no specification beside the repository: dropbox/{file}")
            self._read(file.removesuffix(".stone"), path.read_text())

    def _read(self, namespace: str, text: str) -> None:
        struct = ""
        for line in text.splitlines():
            if made := re.match(r"struct (\w+)(?: extends (\w+))?", line):
                struct = made[1]
                self.structs[struct] = (made[2] or "", {})
            elif made := re.match(r"route ([\w/]+)(?::(\d))? \((\w+), ([\w.]+), ", line):
                name = f"{namespace}/{made[1]}" + (f"_v{made[2]}" if made[2] else "")
                self.routes[name] = (made[3], made[4])
            elif re.match(r"\S", line):
                struct = ""
            elif struct and (made := re.match(r"    ([a-z]\w*) (?:\w+\.)?[A-Z]\w*(?:\(.*\))?(\?)?( = .*)?$", line)):
                self.structs[struct][1][made[1]] = not (made[2] or made[3])

    def fields(self, struct: str) -> dict[str, bool]:
        """Field -> whether it is required."""
        if struct not in self.structs:
            return {}
        parent, own = self.structs[struct]
        return {**self.fields(parent), **own}

    def problems(self, struct: str, value: Mapping[str, Any], where: str) -> list[str]:
        known = self.fields(struct)
        found = [f"{where}: {struct} has no {key}" for key in value if key not in known and key != ".tag"]
        return found + [f"{where}: {struct} needs {key}" for key, must in known.items() if must and key not in value]


METADATA: Mapping[str, str] = {"file": "FileMetadata", "folder": "FolderMetadata", "deleted": "DeletedMetadata"}


def test_calls_and_answers_keep_to_dropboxs_specification(
    twin: DropboxTwin, processor: DropboxProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stone = Stone("files.stone", "users.stone")
    exchanges = recording_of_rpc(monkeypatch)
    twin.put("/Handbook/contacts.csv", CONTACTS)
    consume(processor, instruction(Operation.EXPORT))
    processor.restrict(instruction(Operation.RESTRICT))
    processor.lift(instruction(Operation.LIFT))
    processor.erase(instruction(Operation.ERASE))
    found: list[str] = []
    for route, sent, status, answer in exchanges:
        arg, result = stone.routes[route]
        found += stone.problems(arg, sent or {}, route) if arg != "Void" else []
        if status != 200 or not isinstance(answer, dict):
            continue
        if result not in ("Metadata", "FullAccount"):
            found += stone.problems(result, answer, route)
        inside = [answer] if result == "Metadata" else answer.get("entries", [])
        inside = [*inside, *(m["metadata"]["metadata"] for m in answer.get("matches", []))]
        for entry in inside:
            found += stone.problems(METADATA[entry[".tag"]], entry, route)
    assert {route for route, *_ in exchanges} >= {
        "users/get_current_account",
        "files/get_metadata",
        "files/list_folder",
        "files/list_folder/continue",
        "files/search_v2",
        "files/permanently_delete",
        "files/move_v2",
    }
    assert sorted(set(found)) == []
    options = stone.fields("SearchOptions")
    assert all(key in options for key in ("path", "max_results", "file_status", "filename_only"))


def recording_of_rpc(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, int, Any]]:
    """Exchanges of the routes that answer JSON: route, argument, status, answer."""
    from integrations import transport

    exchanges: list[tuple[str, Any, int, Any]] = []
    usual = transport.Transport.call

    def call(self: transport.Transport, method: str, path: str, **more: Any) -> transport.Answer:
        answer = usual(self, method, path, **more)
        if path.startswith("2/") and not path.endswith(("/download", "/export")):
            exchanges.append((path.removeprefix("2/"), more.get("json"), answer.status, answer.json()))
        return answer

    monkeypatch.setattr(transport.Transport, "call", call)
    return exchanges
