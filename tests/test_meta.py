"""Meta as a processor: audiences and leads, over real HTTP to the twin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
import responses

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorRefused,
    VendorUnavailable,
)
from dsr.model import (
    Identities,
    Identity,
    Instruction,
    Operation,
    Outcome,
    Right,
)
from integrations.meta import VENDOR
from integrations.meta.processor import MetaProcessor, hashed
from integrations.meta.settings import MetaSettings
from integrations.meta.twin import FORMS, MetaTwin
from integrations.twin import Person
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.twins import MARIA, STRANGER, Served, serving

ENV = {
    "META_ACCESS_TOKEN": "EAAsystemusertoken",
    "META_APP_SECRET": "meta-test-secret",
    "META_AD_ACCOUNT_IDS": "act_1001, 1002",
    "META_PAGE_ID": "108000000000001",
    "META_PAGE_TOKEN": "EAApagetokenoftest",
}
MARIAS = Identities.of_email(MARIA)
HERS = hashed(MARIA)


class TestMetaProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    can_look_up: ClassVar[bool] = False  # for leads alone, which have tests of their own below

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        in_audiences = [u for u in state["users"] if u["email"] == HERS]
        leads = [lead for lead in state["leads"] if lead["email"] == MARIA]
        return not in_audiences and (operation is not Operation.ERASE or not leads)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    impatient(monkeypatch, **PATIENT)
    with serving(MetaTwin, env=ENV) as served:
        yield served


@pytest.fixture
def processor(world: Served) -> MetaProcessor:
    return MetaProcessor(world.settings(MetaSettings))


def instruction(operation: Operation, subject: Identities = MARIAS, right: Right = Right.ERASURE) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "k")


def without_audiences(world: Served) -> None:
    audiences = world.twin(MetaTwin).records["custom_audiences"]
    for id in list(audiences):
        del audiences[id]


# ---- audiences and leads ------------------------------------------------------------------------------------------


def test_the_address_is_hashed_as_meta_matches_it() -> None:
    # printf maria.pop@example.com | sha256sum
    assert hashed(" Maria.Pop@Example.com ") == "e290ac892474a007037ec4cf3197884fe5951685d3d9f614de8a46ff16badfbc"


def test_audiences_go_first_then_every_lead_and_the_second_look_says_what_it_can(
    world: Served, processor: MetaProcessor
) -> None:
    before = processor.find(MARIAS)
    assert before.held == {"leads": 5}
    receipt = processor.erase(instruction(Operation.ERASE))
    assert (receipt.outcome, receipt.counts) == (Outcome.PARTIAL, {"ad accounts asked": 1, "leads": 5})
    assert receipt.ready_after_days == 1
    assert set(receipt.identities) == set(before.identities)
    assert any("pixel" in r.what for r in receipt.residue)
    calls = [c.split("?")[0] for c in world.calls("meta")]
    assert calls.index("DELETE /act_1001/usersofanyaudience") < calls.index(f"DELETE /{before.identities[0].value}")
    assert not any(HERS in call for call in world.calls("meta")), "the hash is sent in the body, never in an address"
    for subject in (MARIAS, MARIAS.plus(receipt.identities)):
        after = processor.find(subject)
        assert not after.held
        assert after.unknowable, "a custom audience cannot be asked"


def test_others_keep_their_leads_and_places(world: Served, processor: MetaProcessor) -> None:
    before = world.state("meta")
    processor.erase(instruction(Operation.ERASE))
    twin = world.twin(MetaTwin)
    for id, removal in list(twin.records["removals"].items()):
        twin.records["removals"][id] = {**removal, "due": 0}
    after = world.state("meta")
    assert after["users"] == [u for u in before["users"] if u["email"] != HERS]
    assert after["leads"] == [lead for lead in before["leads"] if lead["email"] != MARIA]


def test_without_any_audience_a_stranger_is_proved_unknown(world: Served, processor: MetaProcessor) -> None:
    without_audiences(world)
    stranger = Identities.of_email(STRANGER)
    assert processor.find(stranger).nothing
    for operation in (Operation.ERASE, Operation.SUPPRESS, Operation.RESTRICT):
        assert processor.perform(instruction(operation, stranger)).outcome is Outcome.NO_MATCH
    assert not any("usersofanyaudience" in call for call in world.calls("meta"))


def test_an_address_in_another_field_is_somebody_elses_lead(world: Served, processor: MetaProcessor) -> None:
    twin = world.twin(MetaTwin)
    maria = Person(MARIA, "A friend", "", frozenset())
    recommended = twin.submit(FORMS[1][0], maria, field="email_of_a_friend")
    at_work = twin.submit(FORMS[1][0], dataclasses.replace(maria, email="Maria.Pop@Example.com "), field="work_email")
    assert processor.find(MARIAS).held == {"leads": 6}
    receipt = processor.erase(instruction(Operation.ERASE))
    assert Identity("meta.lead", at_work) in receipt.identities
    assert recommended in twin.records["leads"]


def test_a_known_lead_that_no_form_lists_is_found_by_its_id(world: Served, processor: MetaProcessor) -> None:
    twin = world.twin(MetaTwin)
    hidden = twin.submit("archived-form", Person(MARIA, "Maria Pop", "", frozenset()))
    other = twin.submit("archived-form", Person("ion.ionescu@example.com", "Ion", "", frozenset()))
    known = MARIAS.plus([Identity("meta.lead", hidden), Identity("meta.lead", other), Identity("meta.lead", "12345")])
    assert processor.find(known).held == {"leads": 6}
    processor.erase(instruction(Operation.ERASE, known))
    assert hidden not in twin.records["leads"]
    assert other in twin.records["leads"]


def test_the_export_holds_her_leads_with_their_answers(processor: MetaProcessor) -> None:
    (file,) = processor.export(instruction(Operation.EXPORT, right=Right.EXPORT))
    rows = list(file.rows or ())
    assert len(rows) == 5
    answers = rows[0]["answers"]
    assert isinstance(answers, dict)
    assert (answers["email"], answers["full_name"]) == ([MARIA], ["Maria Pop"])
    assert consume(processor, instruction(Operation.EXPORT, Identities.of_email(STRANGER))) == {}


def test_without_a_page_no_lead_is_looked_for(world: Served) -> None:
    processor = MetaProcessor(world.settings(MetaSettings, META_PAGE_ID="", META_PAGE_TOKEN=""))
    assert processor.find(MARIAS).unknowable
    processor.check()


def test_flagged_audiences_become_a_task_and_the_rest_is_done(
    world: Served, processor: MetaProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    audiences = world.twin(MetaTwin).records["custom_audiences"]
    id = next(iter(audiences))
    audiences[id] = {**audiences[id], "operation_status": {"code": 471, "description": "Flagged"}}
    receipt = processor.erase(instruction(Operation.ERASE))
    assert (receipt.outcome, receipt.counts["leads"]) == (Outcome.MANUAL, 5)
    assert "471" in receipt.note

    def refuses(*args: object) -> None:
        raise VendorRefused("meta", "refused the call (code 100, 1713230)", 400, "100")

    monkeypatch.setattr(processor._api, "remove_everywhere", refuses)
    assert processor.suppress(instruction(Operation.SUPPRESS)).outcome is Outcome.MANUAL
    audiences[id] = {**audiences[id], "operation_status": {"code": 200}}
    with pytest.raises(VendorRefused):
        processor.suppress(instruction(Operation.SUPPRESS))


def test_without_an_address_a_person_does_it(processor: MetaProcessor) -> None:
    nobody = Identities((Identity("account_id", "acc-maria"),))
    for operation in (Operation.ERASE, Operation.SUPPRESS, Operation.RESTRICT):
        assert processor.perform(instruction(operation, nobody)).outcome is Outcome.MANUAL


@pytest.mark.parametrize("variable", ["META_ACCESS_TOKEN", "META_PAGE_TOKEN", "META_APP_SECRET"])
def test_check_notices_each_wrong_secret(world: Served, variable: str) -> None:
    with pytest.raises(VendorRefused) as caught:
        MetaProcessor(world.settings(MetaSettings, **{variable: "wrong-secret"})).check()
    assert "wrong-secret" not in str(caught.value)


# ---- what Meta's errors mean --------------------------------------------------------------------------------------

AUDIENCES = "https://graph.facebook.com/v26.0/act_1001/customaudiences"


def offline(**env: str) -> MetaProcessor:
    settings = MetaSettings.from_env({**ENV, **env})
    assert settings is not None
    return MetaProcessor(settings)


@pytest.mark.parametrize(
    ("status", "error", "meaning"),
    [
        (400, {"code": 190, "error_subcode": 463}, CredentialsRejected),
        (400, {"code": 10}, CredentialsRejected),
        (200, {"code": 200}, CredentialsRejected),
        (400, {"code": 17, "error_subcode": 2446079}, VendorRateLimited),
        (403, {"code": 4}, VendorRateLimited),
        (400, {"code": 80003}, VendorRateLimited),
        (400, {"code": 2}, VendorUnavailable),
        (400, {"code": 2601, "is_transient": True}, VendorUnavailable),
        (400, {"code": 100, "error_subcode": 33}, NotFound),
        (400, {"code": 100, "error_subcode": 1713230}, VendorRefused),
        (200, {"code": "strange"}, VendorRefused),
        (200, "strange", VendorRefused),
    ],
)
@responses.activate
def test_an_error_is_read_by_its_code(status: int, error: Any, meaning: type[VendorError]) -> None:
    responses.get(AUDIENCES, status=status, json={"error": error})
    with pytest.raises(VendorError) as caught:
        offline().check()
    assert type(caught.value) is meaning


@responses.activate
def test_the_pause_is_read_from_metas_own_header() -> None:
    usage = {"7": [{"type": "custom_audience", "estimated_time_to_regain_access": 12}]}
    headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}
    responses.get(AUDIENCES, status=400, json={"error": {"code": 80003}}, headers=headers)
    with pytest.raises(VendorRateLimited) as caught:
        offline().check()
    assert caught.value.retry_after == 720


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ({"success": True}, True),
        ({"audience_id": "1", "num_received": 1, "num_invalid_entries": 0}, True),
        ({"num_received": 1, "num_invalid_entries": 1}, False),
        ({"num_received": 0}, False),
        ({"success": False}, False),
        ({}, False),
        ([], False),
    ],
)
@responses.activate
def test_only_a_confirmed_removal_is_done(answer: Any, taken: bool) -> None:
    custom = {"id": "1", "subtype": "CUSTOM"}
    responses.get(AUDIENCES, json={"data": [custom]})
    responses.get(AUDIENCES.replace("1001", "1002"), json={"data": []})
    responses.delete("https://graph.facebook.com/v26.0/act_1001/usersofanyaudience", json=answer)
    if taken:
        assert offline().suppress(instruction(Operation.SUPPRESS)).outcome is Outcome.DONE
        sent = responses.calls[-1].request
        assert sent.body == "payload=" + quote(json.dumps({"schema": ["EMAIL"], "data": [[HERS]]}), safe="").replace(
            "%20", "+"
        )
        assert sent.headers["Authorization"] == "Bearer EAAsystemusertoken"
        assert "EAAsystemusertoken" not in str(sent.url)
    else:
        with pytest.raises(VendorAnswerUnexpected):
            offline().suppress(instruction(Operation.SUPPRESS))


@responses.activate
def test_a_lead_that_can_still_be_read_was_not_deleted() -> None:
    base, gone = "https://graph.facebook.com/v26.0", {"error": {"code": 100, "error_subcode": 33}}
    lead = {"id": "55", "field_data": [{"name": "email", "values": [MARIA]}]}
    for account in ("1001", "1002"):
        responses.get(AUDIENCES.replace("1001", account), json={"data": []})
    responses.get(f"{base}/108000000000001/leadgen_forms", json={"data": [{"id": "9"}]})
    responses.get(f"{base}/9/leads", json={"data": [lead]})
    responses.delete(f"{base}/55", status=400, json=gone)
    responses.get(f"{base}/55", json=lead)
    with pytest.raises(VendorAnswerUnexpected):
        offline().erase(instruction(Operation.ERASE))
    responses.replace("GET", f"{base}/55", status=400, json=gone)
    assert offline().erase(instruction(Operation.ERASE)).counts == {"leads": 1}


@pytest.mark.parametrize("page", [{"data": [{}]}, {"data": None}, {"data": [], "paging": {"next": "x"}}])
@responses.activate
def test_a_list_of_another_shape_is_never_taken_for_an_empty_one(page: Any) -> None:
    responses.get(AUDIENCES, json=page)
    with pytest.raises(VendorAnswerUnexpected):
        list(offline()._api.audiences())


def test_wrong_settings_are_named() -> None:
    for name, value in (("META_AD_ACCOUNT_IDS", "acme"), ("META_PAGE_ID", "me/accounts"), ("META_APP_SECRET", "")):
        with pytest.raises(ConfigurationError, match=name):
            MetaSettings.from_env({**ENV, name: value})
    assert MetaSettings.from_env({}) is None
