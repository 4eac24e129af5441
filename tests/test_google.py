"""Google: Analytics deletions and customer lists, over real HTTP to the twin."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dsr.errors import ConfigurationError, CredentialsRejected, VendorAnswerUnexpected, VendorRateLimited
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Receipt, ReceiptStatus, Right
from integrations.google import VENDOR
from integrations.google.api import until_midnight
from integrations.google.identifiers import analytics_address, analytics_ids, client_id, hashed_addresses
from integrations.google.processor import GoogleProcessor, Handle
from integrations.google.settings import GoogleSettings
from integrations.google.twin import GoogleTwin, hashed
from tests.contracts import PATIENT, ProcessorContract, impatient
from tests.discovery import Discovery
from tests.openapi import recording
from tests.twins import MARIA, Served, serving

ENV = {
    "GOOGLE_ANALYTICS_PROPERTY_IDS": "123456789, 987654321",
    "GOOGLE_ADS_CUSTOMER_ID": "123-456-7890",
    "GOOGLE_CLIENT_ID": "client.apps.googleusercontent.com",
    "GOOGLE_CLIENT_SECRET": "google-test-secret",
    "GOOGLE_REFRESH_TOKEN": "1//google-test-refresh",
}
MARIAS = Identities.of_email(MARIA)
HERS = hashed(MARIA)


class TestGoogleProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    can_look_up: ClassVar[bool] = False  # no API says whether a person is there

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        on_lists = [m for m in state["members"] if m["email"] == HERS]
        seen = [u for u in state["users"] if u["email"] == HERS]
        return not on_lists and (operation is not Operation.ERASE or not seen)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    impatient(monkeypatch, **PATIENT)
    with serving(GoogleTwin, env=ENV) as served:
        yield served


@pytest.fixture
def processor(world: Served) -> GoogleProcessor:
    return GoogleProcessor(world.settings(GoogleSettings))


def instruction(
    operation: Operation, subject: Identities = MARIAS, right: Right = Right.ERASURE, **changes: str
) -> Instruction:
    return Instruction("PR-TEST01", right, operation, subject, "k", changes)


def finish(world: Served, processor: GoogleProcessor, receipt: Receipt) -> Receipt:
    """Let the jobs end, and ask as the engine does: with what it keeps of a receipt."""
    twin = world.twin(GoogleTwin)
    for id, job in list(twin.records["removals"].items()):
        twin.records["removals"][id] = {**job, "due": 0}
    return processor.status(Receipt(receipt.status, residue=receipt.residue, handle=receipt.handle))


def sent(world: Served) -> list[str]:
    return [call.split("?")[0] for call in world.calls("google") if "oauth2" not in call]


# ---- how Google spells a person -----------------------------------------------------------------------------------


def test_analytics_takes_the_address_plain_and_without_gmails_dots() -> None:
    assert analytics_address(" Maria.Pop@Example.com") == "maria.pop@example.com"
    assert analytics_address("Maria.Pop+x@GMail.com") == "mariapop+x@gmail.com"
    assert analytics_address("a.b@googlemail.com") == "ab@googlemail.com"


def test_lists_take_sha256_of_every_spelling_of_the_same_gmail_box() -> None:
    # printf maria.pop@example.com | sha256sum
    vector = "e290ac892474a007037ec4cf3197884fe5951685d3d9f614de8a46ff16badfbc"
    assert hashed_addresses(" Maria.Pop@Example.com ") == (vector,)
    assert len(hashed_addresses("m.pop@gmail.com")) == 2
    assert len(hashed_addresses("m.pop+shop@gmail.com")) == 4
    assert hashed("mpop@gmail.com") in hashed_addresses("m.pop+shop@gmail.com")
    assert len(hashed_addresses("m.pop+shop@example.com")) == 1  # another mailbox, elsewhere


def test_the_prefix_of_the_cookie_is_stripped_from_a_client_id() -> None:
    assert client_id("GA1.1.1700000000.1600000000") == "1700000000.1600000000"
    assert client_id("1700000000.1600000000") == "1700000000.1600000000"


def test_the_account_id_is_a_user_id_only_where_the_site_says_so() -> None:
    subject = Identities.of_email(MARIA).plus(
        [
            Identity("account_id", "acc-1"),
            Identity("google.user_id", "acc-1"),
            Identity("google.client_id", "GA1.1.1.2"),
        ]
    )
    both = [("userId", "acc-1"), ("clientId", "1.2")]
    assert list(analytics_ids(subject, user_id_is_account_id=True)) == both
    only_account = Identities((Identity("account_id", "acc-1"),))
    assert list(analytics_ids(only_account, user_id_is_account_id=False)) == []


# ---- settings and tokens ------------------------------------------------------------------------------------------


@cache
def key_file() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {"type": "service_account", "client_email": "desk@x.iam", "private_key_id": "k1", "private_key": pem}
    )


def account_env(key: str) -> dict[str, str]:
    return {
        "GOOGLE_ANALYTICS_PROPERTY_IDS": "123456789",
        "GOOGLE_ADS_CUSTOMER_ID": "1234567890",
        "GOOGLE_SERVICE_ACCOUNT_KEY": key,
    }


def test_a_service_account_signs_for_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, **PATIENT)
    with serving(GoogleTwin, env=account_env(key_file())) as world:
        GoogleProcessor(world.settings(GoogleSettings)).check()
        in_base64 = base64.b64encode(key_file().encode()).decode()
        GoogleProcessor(world.settings(GoogleSettings, GOOGLE_SERVICE_ACCOUNT_KEY=in_base64)).check()
        other = key_file.__wrapped__()
        with pytest.raises(CredentialsRejected):
            GoogleProcessor(world.settings(GoogleSettings, GOOGLE_SERVICE_ACCOUNT_KEY=other)).check()


def test_a_withdrawn_token_is_replaced_once(world: Served, processor: GoogleProcessor) -> None:
    processor.check()
    tokens = world.twin(GoogleTwin).records["tokens"]
    for token in list(tokens):
        del tokens[token]
    processor.check()
    assert len(tokens) == 1
    with pytest.raises(CredentialsRejected):
        GoogleProcessor(world.settings(GoogleSettings, GOOGLE_REFRESH_TOKEN="wrong")).check()


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"GOOGLE_REFRESH_TOKEN": ""}, "GOOGLE_SERVICE_ACCOUNT_KEY"),
        ({"GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": "secret-thing"}'}, "GOOGLE_SERVICE_ACCOUNT_KEY"),
        ({"GOOGLE_SERVICE_ACCOUNT_KEY": "secret-thing"}, "GOOGLE_SERVICE_ACCOUNT_KEY"),
        ({"GOOGLE_ADS_CUSTOMER_ID": ""}, "GOOGLE_ADS_CUSTOMER_ID"),
        ({"GOOGLE_ADS_CUSTOMER_ID": "12"}, "GOOGLE_ADS_CUSTOMER_ID"),
        ({"GOOGLE_ANALYTICS_PROPERTY_IDS": "UA-1-2"}, "GOOGLE_ANALYTICS_PROPERTY_IDS"),
    ],
)
def test_wrong_settings_are_named_without_their_values(change: dict[str, str], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        GoogleSettings.from_env({**ENV, **change})
    assert "secret-thing" not in str(caught.value)


def test_google_is_off_without_its_variables() -> None:
    assert GoogleSettings.from_env({}) is None


def test_the_real_hosts_are_the_default() -> None:
    settings = GoogleSettings.from_env(ENV)
    assert settings is not None
    assert settings.url("analyticsadmin") == "https://analyticsadmin.googleapis.com"
    assert settings.url("oauth2") == "https://oauth2.googleapis.com"


# ---- erasing ------------------------------------------------------------------------------------------------------


def test_lists_go_first_and_then_every_identifier_in_every_property(world: Served, processor: GoogleProcessor) -> None:
    subject = MARIAS.plus([Identity("google.client_id", "GA1.1.1700000000.1600000000")])
    receipt = processor.erase(instruction(Operation.ERASE, subject))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, None)
    assert len(receipt.handle) <= 200
    (job,) = world.state("google")["removals"]
    assert job["lists"] == ["7001", "7002", "7004", "7006"]  # two pages; not the mobile one, not the shared one
    calls = sent(world)
    assert calls.index("POST /datamanager/v1/audienceMembers:remove") < next(
        n for n, call in enumerate(calls) if "submitUserDeletion" in call
    )
    now = finish(world, processor, receipt)
    assert (now.status, now.outcome, now.ready_after_days) == (ReceiptStatus.COMPLETED, Outcome.PARTIAL, 3)
    assert now.counts == {"deletions by identifier": 4, "customer lists": 4}
    assert {r.until for r in now.residue} >= {"about two months"}
    assert any("shares" in r.what for r in now.residue)
    assert not [m for m in world.state("google")["members"] if m["email"] == HERS]


def test_others_on_the_lists_and_in_analytics_stay(world: Served, processor: GoogleProcessor) -> None:
    before = world.state("google")
    finish(world, processor, processor.erase(instruction(Operation.ERASE)))
    twin = world.twin(GoogleTwin)
    for id, one in list(twin.records["deletions"].items()):
        twin.records["deletions"][id] = {**one, "due": 0}
    after = world.state("google")
    for kind in ("members", "users"):
        assert after[kind] == [x for x in before[kind] if x["email"] != HERS]
    assert len(before["users"]) - len(after["users"]) == 4


def test_a_property_that_collects_no_addresses_is_never_told_one(world: Served, processor: GoogleProcessor) -> None:
    """Nothing is known to delete by there, so a person looks, once the lists are done."""
    properties = world.twin(GoogleTwin).records["properties"]
    name = properties["987654321"]["name"]
    properties["987654321"] = {"name": name}  # Google leaves a false out
    receipt = processor.erase(instruction(Operation.ERASE))
    assert not [c for c in sent(world) if "987654321:submit" in c]
    assert receipt.status is ReceiptStatus.IN_PROGRESS
    assert receipt.outcome is None
    now = finish(world, processor, receipt)
    assert now.outcome is Outcome.MANUAL
    assert "_ga cookie" in now.note
    assert now.counts == {"deletions by identifier": 1, "customer lists": 4}


def test_the_state_of_a_job_is_polled_until_it_ends(world: Served, processor: GoogleProcessor) -> None:
    world.twin(GoogleTwin).world.day = 3600
    receipt = processor.suppress(instruction(Operation.SUPPRESS, right=Right.UNSUBSCRIBE))
    again = processor.status(receipt)
    assert (again.status, again.handle) == (ReceiptStatus.IN_PROGRESS, receipt.handle)
    assert again.ready_after_days > 0
    now = finish(world, processor, again)
    assert (now.outcome, now.counts) == (Outcome.PARTIAL, {"customer lists": 4})


@pytest.mark.parametrize("state", ["FAILED", "PARTIAL_SUCCESS", "SOMETHING_NEW"])
def test_what_google_did_not_process_goes_to_a_person(world: Served, processor: GoogleProcessor, state: str) -> None:
    receipt = processor.suppress(instruction(Operation.SUPPRESS))
    removals = world.twin(GoogleTwin).records["removals"]
    ((id, job),) = removals.items()
    errors = [{"reason": "PROCESSING_ERROR_REASON_INTERNAL_ERROR", "recordCount": "1"}, {"reason": f"<{MARIA}>"}]
    removals[id] = {**job, "requestStatus": state, "errors": errors}
    now = processor.status(receipt)
    assert now.outcome is Outcome.MANUAL
    assert "(PROCESSING_ERROR_REASON_INTERNAL_ERROR)" in now.note
    assert MARIA not in now.note


def test_an_account_without_customer_lists_has_nothing_to_suppress(world: Served, processor: GoogleProcessor) -> None:
    lists = world.twin(GoogleTwin).records["user_lists"]
    for id in list(lists):
        del lists[id]
    assert processor.suppress(instruction(Operation.SUPPRESS)).outcome is Outcome.NO_MATCH


def test_a_restriction_ends_with_a_task_to_stop_analytics(world: Served, processor: GoogleProcessor) -> None:
    receipt = processor.restrict(instruction(Operation.RESTRICT, right=Right.RESTRICTION))
    now = finish(world, processor, receipt)
    assert now.outcome is Outcome.MANUAL
    assert "ga-disable" in now.note


def test_without_an_address_a_person_does_it(processor: GoogleProcessor) -> None:
    nobody = Identities((Identity("account_id", "acc-maria"),))
    for operation in (Operation.ERASE, Operation.SUPPRESS, Operation.RESTRICT):
        assert processor.perform(instruction(operation, nobody)).outcome is Outcome.MANUAL


def test_nobody_can_ask_google(processor: GoogleProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.unknowable
    assert not found.nothing


def test_a_manager_account_is_named_in_both_ways(world: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    exchanges = recording(monkeypatch)
    processor = GoogleProcessor(world.settings(GoogleSettings, GOOGLE_ADS_LOGIN_CUSTOMER_ID="999-999-9999"))
    processor.suppress(instruction(Operation.SUPPRESS))
    (body,) = [json for _, path, json, _, _ in exchanges if path.endswith(":remove")]
    login = {"accountType": "GOOGLE_ADS", "accountId": "9999999999"}
    assert all(d["loginAccount"] == login for d in body["destinations"])


# ---- limits and strange answers -----------------------------------------------------------------------------------


def test_a_used_up_quota_waits_for_the_next_day(world: Served, processor: GoogleProcessor) -> None:
    twin = world.twin(GoogleTwin)
    twin.deletions_a_day, twin.world.day = 1, 10**9
    processor.erase(instruction(Operation.ERASE))
    with pytest.raises(VendorRateLimited, match="quota of the day") as caught:
        processor.erase(instruction(Operation.ERASE))
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 25 * 3600


def test_the_day_ends_at_midnight_in_california() -> None:
    assert until_midnight(datetime(2026, 7, 1, 6, 0, tzinfo=UTC)) == 3600
    assert until_midnight(datetime(2026, 12, 1, 6, 0, tzinfo=UTC)) == 2 * 3600
    assert until_midnight(datetime(2026, 3, 8, 8, 0, tzinfo=UTC)) == 23 * 3600  # the clocks go forward


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("properties/123456789/userProvidedDataSettings", {"name": "properties/1/userProvidedDataSettings"}),
        ("properties/123456789:submitUserDeletion", {}),
        ("audienceMembers:remove", {"requestId": ""}),
        ("audienceMembers:remove", []),
        ("userLists", {"userLists": [{}]}),
    ],
)
def test_an_answer_of_another_shape_is_never_taken_for_done(
    world: Served, processor: GoogleProcessor, path: str, body: Any
) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        mock.add_passthru(re.compile(rf"^(?!.*{re.escape(path)})"))
        for method in ("GET", "POST"):
            mock.add(method, re.compile(f".*{re.escape(path)}"), json=body)
        mock.assert_all_requests_are_fired = False
        with pytest.raises(VendorAnswerUnexpected):
            processor.erase(instruction(Operation.ERASE))


def test_a_receipt_without_jobs_cannot_be_asked_after(processor: GoogleProcessor) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        processor.status(Receipt(ReceiptStatus.IN_PROGRESS, handle="x"))


def test_a_handle_is_read_as_it_was_written() -> None:
    handle = Handle(Operation.ERASE, True, 2, 31, ("a-1", "b:2"))
    assert Handle.read(str(handle)) == handle


# ---- the specification --------------------------------------------------------------------------------------------


def test_calls_and_answers_keep_to_googles_specifications(
    world: Served, processor: GoogleProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    analytics, ads = Discovery("google/analyticsadmin.v1alpha.json"), Discovery("google/datamanager.v1.json")
    exchanges = recording(monkeypatch)
    processor.check()
    subject = MARIAS.plus([Identity("google.client_id", "1.2"), Identity("google.app_instance_id", "abc")])
    receipt = processor.erase(instruction(Operation.ERASE, subject))
    finish(world, processor, receipt)
    used = [e for e in exchanges if e[1] != "/token"]
    assert len({path for _, path, *_ in used}) == 7
    found = [p for e in used for p in (analytics if e[1].startswith("/v1alpha") else ads).problems(*e)]
    assert sorted(set(found)) == []
