"""Hotjar as a processor, over real HTTP to the twin."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import responses

from dsr.errors import ConfigurationError, CredentialsRejected, NotFound, VendorAnswerUnexpected, VendorRefused
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, ReceiptStatus, Right
from integrations.hotjar import VENDOR
from integrations.hotjar.api import Api
from integrations.hotjar.processor import HotjarProcessor
from integrations.hotjar.settings import HotjarSettings
from integrations.hotjar.twin import HotjarTwin
from tests.contracts import PATIENT, ProcessorContract, impatient
from tests.house import LOOPBACK
from tests.twins import MARIA, STRANGER, Served, serving

ENV = {
    "HOTJAR_CLIENT_ID": "test-client",
    "HOTJAR_CLIENT_SECRET": "hotjar-test-secret",
    "HOTJAR_ORGANIZATION_IDS": "111,222",
    "HOTJAR_SITE_IDS": "111/900001",
    "HOTJAR_SURVEYS": "true",
}
MARIAS = Identities((Identity("email", MARIA), Identity("account_id", "acc-maria")))
LOOK_UP = "https://api.hotjar.io/v1/organizations/111/user-lookup"
TOKEN = "https://api.hotjar.io/v1/oauth/token"


class TestHotjarProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    can_look_up: ClassVar[bool] = False

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        assert operation is Operation.ERASE
        return MARIA not in json.dumps([state["users"], state["recordings"], state["responses"]]).replace(
            "not." + MARIA, ""
        )


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(HotjarTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(HotjarTwin).reset()
    return shared_world


@pytest.fixture
def processor(world: Served) -> HotjarProcessor:
    return HotjarProcessor(world.settings(HotjarSettings))


def instruction(operation: Operation, subject: Identities = MARIAS) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, subject, "key")


def emails(world: Served, kind: str = "users") -> list[str]:
    return [one["email"] for one in world.state("hotjar")[kind]]


def test_erasure_is_submitted_in_every_organisation_by_address_and_by_account_id(
    world: Served, processor: HotjarProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 0.5  # long enough to look before it is over
    monkeypatch.setattr(world.twin(HotjarTwin).world, "day", day)
    receipt = processor.erase(instruction(Operation.ERASE))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.counts == {"deletions submitted": 3}
    assert receipt.ready_after_days == 1
    assert "heat maps" in receipt.residue[0].what
    assert MARIA in emails(world)  # accepted, not done yet
    time.sleep(day)
    assert sorted(emails(world)) == [
        "ion.ionescu@example.com",
        "lena.berg@example.com",
        "maria.popa@example.com",
        "not.maria.pop@example.com",
    ]
    assert MARIA not in emails(world, "recordings")
    assert len(world.state("hotjar")["responses"]) == 4
    assert world.state("hotjar")["heatmaps"]


def test_an_account_id_alone_is_enough_where_a_site_is_known(world: Served, processor: HotjarProcessor) -> None:
    processor.erase(instruction(Operation.ERASE, Identities((Identity("account_id", "ACC-MARIA"),))))
    time.sleep(0.03)
    assert MARIA in emails(world)  # ids are case-sensitive
    processor.erase(instruction(Operation.ERASE, Identities((Identity("account_id", "acc-maria"),))))
    time.sleep(0.03)
    assert MARIA not in emails(world)


def test_with_nothing_to_look_up_by_a_person_does_it(world: Served, processor: HotjarProcessor) -> None:
    receipt = processor.erase(instruction(Operation.ERASE, Identities()))
    assert receipt.outcome is Outcome.MANUAL
    assert world.calls("hotjar") == []


def test_nothing_is_ever_claimed_not_to_be_held(processor: HotjarProcessor) -> None:
    found = processor.find(Identities.of_email(STRANGER))
    assert found.unknowable
    assert not found.nothing
    assert processor.erase(instruction(Operation.ERASE, Identities.of_email(STRANGER))).outcome is Outcome.PARTIAL


def test_a_plan_without_the_api_is_a_clear_refusal_that_is_not_tried_again(
    world: Served, processor: HotjarProcessor
) -> None:
    world._control("POST", "hotjar", "plan", {"plan": "Observe Business"})
    for attempt in (processor.check, lambda: processor.erase(instruction(Operation.ERASE))):
        with pytest.raises(CredentialsRejected, match="Scale") as refused:
            attempt()
        assert not refused.value.retry
    assert "User Lookup" in VENDOR.instructions[Operation.ERASE]
    time.sleep(0.03)
    assert MARIA in emails(world)


def test_an_organisation_that_is_not_there_is_no_success(processor: HotjarProcessor, world: Served) -> None:
    other = HotjarProcessor(world.settings(HotjarSettings, HOTJAR_ORGANIZATION_IDS="111,999"))
    with pytest.raises(NotFound):
        other.erase(instruction(Operation.ERASE))


def test_a_wrong_key_is_told_apart_from_the_plan(world: Served) -> None:
    with pytest.raises(CredentialsRejected, match="key"):
        HotjarProcessor(world.settings(HotjarSettings, HOTJAR_CLIENT_SECRET="wrong")).check()


def test_one_token_serves_many_calls_and_a_dead_one_is_renewed(world: Served, processor: HotjarProcessor) -> None:
    processor.check()
    assert [c.endswith("/oauth/token") for c in world.calls("hotjar")] == [True, False, False]
    for token in list(world.twin(HotjarTwin).records["tokens"]):
        del world.twin(HotjarTwin).records["tokens"][token]
    processor.check()
    assert sum(c.endswith("/oauth/token") for c in world.calls("hotjar")) == 2


def test_the_export_has_the_report_and_the_persons_own_answers(world: Served, processor: HotjarProcessor) -> None:
    rows = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT))}
    assert {name: len(found) for name, found in rows.items()} == {"look_up.json": 3, "survey_responses.json": 4}
    told = json.dumps(rows)
    assert "could be faster (3)" in told
    assert "not." + MARIA not in told
    assert emails(world).count(MARIA) == 1  # looking deletes nothing
    without = HotjarProcessor(world.settings(HotjarSettings, HOTJAR_SURVEYS="false"))
    assert [f.name for f in without.export(instruction(Operation.EXPORT))] == ["look_up.json"]


def test_mail_has_no_meaning_at_hotjar(processor: HotjarProcessor) -> None:
    assert processor.perform(instruction(Operation.SUPPRESS)).status is ReceiptStatus.CANCELLED


def test_sites_must_belong_to_a_configured_organisation() -> None:
    with pytest.raises(ConfigurationError, match="HOTJAR_SITE_IDS"):
        HotjarSettings.from_env({**ENV, "HOTJAR_SITE_IDS": "333/900001"})
    with pytest.raises(ConfigurationError, match="HOTJAR_ORGANIZATION_IDS"):
        HotjarSettings.from_env({**ENV, "HOTJAR_ORGANIZATION_IDS": "../1"})


@pytest.fixture
def api() -> Iterator[Api]:
    settings = HotjarSettings.from_env(ENV)
    assert settings is not None
    with responses.RequestsMock(passthru_prefixes=(LOOPBACK,)) as calls:
        calls.add("POST", TOKEN, json={"access_token": "t", "token_type": "bearer", "expires_in": 3600})
        made = Api(settings)
        made.__dict__["calls"] = calls
        yield made


@pytest.mark.parametrize("body", ["", "{}", '{"status": "success", "message": "x"}', '{"hits": 3}'])
def test_any_success_of_an_unknown_shape_counts_as_accepted(api: Api, body: str) -> None:
    api.__dict__["calls"].add("POST", LOOK_UP, body=body, status=202)
    api.look_up("111", {"data_subject_email": MARIA}, delete=True)
    sent = json.loads(api.__dict__["calls"].calls[1].request.body)
    assert sent == {"data_subject_email": MARIA, "delete_all_hits": True}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("<html>", VendorAnswerUnexpected),
        ("[]", VendorAnswerUnexpected),
        ('{"error": "x"}', VendorRefused),
        ('{"status": "error"}', VendorRefused),
    ],
)
def test_a_success_that_is_none_is_noticed(api: Api, body: str, error: type[Exception]) -> None:
    api.__dict__["calls"].add("POST", LOOK_UP, body=body)
    with pytest.raises(error):
        api.look_up("111", {"data_subject_email": MARIA}, delete=True)
