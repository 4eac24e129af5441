"""Sentry as a processor, over real HTTP to the twin; its webhooks are authenticated and ignored."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    NotFound,
    VendorAnswerUnexpected,
    VendorError,
    VendorRefused,
)
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, Receipt, ReceiptStatus, Right
from integrations.sentry import VENDOR
from integrations.sentry.api import Api, next_cursor, quoted
from integrations.sentry.lookup import Person
from integrations.sentry.processor import SentryProcessor
from integrations.sentry.settings import SentrySettings
from integrations.sentry.twin import SentryTwin
from integrations.sentry.twin_seed import new_replay
from tests import sentry
from tests.contracts import ProcessorContract
from tests.sentry import ENV
from tests.twins import MARIA, Served

MARIAS = Identities.of_email(MARIA)
ION = Identities.of_email("ion.ionescu@example.com")
USER = {"id": "acc-maria", "email": MARIA, "username": None, "ip_address": "192.0.2.7"}
app, shared_world, world = sentry.app, sentry.shared_world, sentry.world  # fixtures
twin, processor = sentry.twin, sentry.processor


class TestSentryProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        assert operation is Operation.ERASE
        hers = [r for kind in ("events", "replays") for r in state[kind] if r["user"] and r["user"]["email"] == MARIA]
        deleted = {i["id"] for i in state["issues"] if i["deleted_at"]}
        return all(r.get("groupID") in deleted for r in hers) and not any(
            f["email"] == MARIA and f["issue_id"] not in deleted for f in state["feedback"]
        )


@pytest.fixture
def by_account(world: Served) -> SentryProcessor:
    return SentryProcessor(world.settings(SentrySettings, SENTRY_USER_ID_IS_ACCOUNT_ID="true"))


def instruction(operation: Operation, subject: Identities = MARIAS) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, operation, subject, "key")


def settled(processor: SentryProcessor, receipt: Receipt) -> Receipt:
    """Poll as the engine does: with note, residue and handle alone."""
    for _ in range(100):
        if receipt.status is not ReceiptStatus.IN_PROGRESS or receipt.outcome is Outcome.MANUAL:
            return receipt
        time.sleep(0.005)
        receipt = processor.status(Receipt(receipt.status, note=receipt.note, handle=receipt.handle))
    raise AssertionError("the jobs do not end")


def shared_issue(twin: SentryTwin) -> dict[str, Any]:
    (found,) = [i for i in twin.records["issues"].values() if i["title"].startswith("TimeoutError")]
    return dict(found)


def live(twin: SentryTwin) -> set[str]:
    return {i["id"] for i in twin.records["issues"].values() if not i["deleted_at"]}


# ---- processor ----------------------------------------------------------------------------------------------------


def test_find_counts_issues_feedback_and_replays_over_all_pages(processor: SentryProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {"issues": 5, "replays": 4}
    assert {i.type for i in found.identities} == {"sentry.issue"}
    assert len(found.identities) == 5
    assert not found.ambiguous


def test_events_that_write_the_address_in_capitals_are_not_found_and_that_is_told(
    twin: SentryTwin, processor: SentryProcessor
) -> None:
    twin.new_event(twin.new_issue("web", "Error: shouted")["id"], {**USER, "email": MARIA.upper()})
    for found in (processor.find(MARIAS), processor.find(Identities.of_email("nobody@example.net"))):
        assert any("capital letters" in r.what for r in found.residue)
    receipt = settled(processor, processor.erase(instruction(Operation.ERASE)))
    assert any("capital letters" in r.what for r in receipt.residue)


def test_erasure_deletes_issue_by_issue_and_replays_by_a_job_that_is_polled(
    world: Served, twin: SentryTwin, processor: SentryProcessor
) -> None:
    receipt = processor.erase(instruction(Operation.ERASE))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, None)
    last = settled(processor, receipt)
    assert last.outcome is Outcome.PARTIAL
    assert last.counts == {"issues": 5, "replays": 4}
    assert last.ready_after_days == 1
    assert any("names the person" in r.what for r in last.residue)
    calls = world.calls("sentry")
    prefix = "DELETE /api/0/organizations/intellimails/issues/"
    deletions = [c for c in calls if c.startswith("DELETE")]
    assert len(deletions) == 5
    assert all(c.removeprefix(prefix).strip("/").isdigit() for c in deletions), "never in bulk"
    jobs = list(twin.records["jobs"].values())
    assert {job["project"] for job in jobs} == {"web", "api"}
    assert {job["query"] for job in jobs} == {f'user.email:"{MARIA}"'}
    assert [job["countDeleted"] for job in jobs] == [2, 2]
    assert len(twin.records["replays"]) == 4
    assert processor.find(MARIAS.plus(receipt.identities)).nothing
    assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.NO_MATCH


def test_an_issue_that_others_share_is_a_task_with_the_date_of_retention(
    twin: SentryTwin, processor: SentryProcessor
) -> None:
    shared = shared_issue(twin)
    assert processor.find(ION).held == {"issues": 1, "issues shared with others": 1, "replays": 1}
    receipt = settled(processor, processor.erase(instruction(Operation.ERASE, ION)))
    assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, Outcome.MANUAL)
    leaves = (datetime.now(UTC) - timedelta(days=10) + timedelta(days=90)).date()
    assert shared["shortId"] in receipt.note
    assert leaves.isoformat() in receipt.note
    assert "ion.ionescu" not in receipt.note
    assert any("alerts" in r.what for r in receipt.residue), "a task leaves the same behind"
    assert shared["id"] in live(twin)
    assert len(twin.events_of(shared["id"])) == 2
    assert processor.find(ION).held == {"issues shared with others": 1}


def test_the_retention_of_the_plan_gives_the_date(world: Served) -> None:
    shorter = SentryProcessor(world.settings(SentrySettings, SENTRY_RETENTION_DAYS="30"))
    receipt = settled(shorter, shorter.erase(instruction(Operation.ERASE, ION)))
    assert (datetime.now(UTC) + timedelta(days=20)).date().isoformat() in receipt.note


def test_an_event_without_a_user_may_be_anybodys(twin: SentryTwin, processor: SentryProcessor) -> None:
    issue = twin.new_issue("web", "Error: half known")
    twin.new_event(issue["id"], USER)
    twin.new_event(issue["id"], None)
    assert processor.find(MARIAS).held["issues shared with others"] == 1
    settled(processor, processor.erase(instruction(Operation.ERASE)))
    assert issue["id"] in live(twin)


def test_values_that_sentry_does_not_count_any_more_do_not_make_an_issue_shared(
    twin: SentryTwin, processor: SentryProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Api.user_values
    monkeypatch.setattr(Api, "user_values", lambda api, id: iter([{**v, "count": 0} for v in usual(api, id)]))
    assert processor.find(MARIAS).held == {"issues": 5, "replays": 4}


def test_events_known_by_account_id_alone_are_found_and_none_is_counted_twice(
    twin: SentryTwin, processor: SentryProcessor, by_account: SentryProcessor
) -> None:
    issue = twin.new_issue("api", "Error: signed in without an address")
    twin.new_event(issue["id"], {"id": "acc-maria", "email": None, "username": None, "ip_address": None})
    new_replay(twin, "api", {"id": "acc-maria", "email": None, "username": None, "ip_address": None})
    assert processor.find(MARIAS).held == {"issues": 5, "replays": 4}
    both = MARIAS.plus([Identity("account_id", "acc-maria")])
    assert processor.find(both).held == {"issues": 5, "replays": 4}, "whose user id that is, nobody has said"
    assert by_account.find(both).held == {"issues": 6, "replays": 5}
    rows = {f.name: list(f.rows or ()) for f in by_account.export(instruction(Operation.EXPORT, both))}
    ids = [row["id"] for row in rows["events.json"]]
    assert len(ids) == len(set(ids)) == 9
    assert len(rows["replays.json"]) == 5


@pytest.mark.parametrize("kind", ["event", "replay"])
def test_a_user_id_of_another_numbering_never_leads_to_somebody_elses_events(
    kind: str, twin: SentryTwin, processor: SentryProcessor, by_account: SentryProcessor
) -> None:
    somebody = {"id": "42", "email": "other@example.net", "username": None, "ip_address": None}
    issue = twin.new_issue("web", "Error: of somebody else")
    twin.new_event(issue["id"], somebody if kind == "event" else None)
    if kind == "replay":
        new_replay(twin, "web", somebody)
    subject = MARIAS.plus([Identity("account_id", "42")])
    assert by_account.find(subject).ambiguous
    before, replays = live(twin), len(twin.records["replays"])
    assert by_account.erase(instruction(Operation.ERASE, subject)).outcome is Outcome.MANUAL
    assert (live(twin), len(twin.records["replays"])) == (before, replays)
    assert processor.find(subject) == processor.find(MARIAS), "by default the user id is not the account id"
    for one in (processor, by_account):
        rows = {f.name: list(f.rows or ()) for f in one.export(instruction(Operation.EXPORT, subject))}
        assert "other@example.net" not in json.dumps(rows)
    settled(processor, processor.erase(instruction(Operation.ERASE, subject)))
    assert issue["id"] in live(twin)
    left = [r["user"]["email"] for r in twin.records["replays"].values()]
    assert MARIA not in left
    assert left.count("other@example.net") == (kind == "replay")


def test_two_user_ids_with_one_address_stop_for_an_agent(
    twin: SentryTwin, processor: SentryProcessor, by_account: SentryProcessor
) -> None:
    issue = twin.new_issue("web", "Error: household")
    twin.new_event(issue["id"], {**USER, "id": "acc-other"})
    before = live(twin)
    assert processor.find(MARIAS).ambiguous
    assert processor.erase(instruction(Operation.ERASE)).outcome is Outcome.MANUAL
    assert live(twin) == before
    both = MARIAS.plus([Identity("account_id", "acc-maria"), Identity("account_id", "acc-other")])
    assert processor.find(both).ambiguous
    assert not by_account.find(both).ambiguous


def test_a_title_that_shows_exactly_the_address_is_a_task(twin: SentryTwin, processor: SentryProcessor) -> None:
    other = {**USER, "id": "acc-9", "email": "agent@example.net"}
    hers = twin.new_issue("web", f"Error: no mailbox for {MARIA}")
    longer = twin.new_issue("web", f"Error: no mailbox for not.{MARIA}")
    for issue in (hers, longer):
        twin.new_event(issue["id"], other)
    assert processor.find(MARIAS).held["issues that mention the address"] == 1
    receipt = settled(processor, processor.erase(instruction(Operation.ERASE)))
    assert receipt.outcome is Outcome.MANUAL
    assert hers["shortId"] in receipt.note
    assert longer["shortId"] not in receipt.note
    assert MARIA not in receipt.note


def test_feedback_on_somebody_elses_issue_is_a_task(twin: SentryTwin, processor: SentryProcessor) -> None:
    entry = {**twin.records["feedback"]["1"], "id": "2", "issue_id": shared_issue(twin)["id"], "project": "api"}
    twin.records["feedback"]["2"] = entry
    assert processor.find(MARIAS).held["feedback"] == 1
    receipt = settled(processor, processor.erase(instruction(Operation.ERASE)))
    assert receipt.outcome is Outcome.MANUAL
    assert "1 entries" in receipt.note


def test_an_issue_that_sentry_refuses_to_delete_is_a_task(twin: SentryTwin, processor: SentryProcessor) -> None:
    slow = twin.new_issue("web", "Slow page", category="performance")
    twin.new_event(slow["id"], USER)
    receipt = settled(processor, processor.erase(instruction(Operation.ERASE)))
    assert receipt.outcome is Outcome.MANUAL
    assert slow["shortId"] in receipt.note
    assert slow["id"] in live(twin)


def test_issues_outside_the_configured_projects_are_left_alone(twin: SentryTwin, processor: SentryProcessor) -> None:
    inside = twin.new_issue("internal-tools", "Error: elsewhere")
    twin.new_event(inside["id"], USER)
    new_replay(twin, "internal-tools", USER)
    assert processor.find(MARIAS).held == {"issues": 5, "replays": 4}


def test_without_a_list_every_project_is_looked_at(world: Served, twin: SentryTwin) -> None:
    issue = twin.new_issue("internal-tools", "Error: elsewhere")
    twin.new_event(issue["id"], USER)
    everywhere = SentryProcessor(world.settings(SentrySettings, SENTRY_PROJECTS=""))
    assert everywhere.find(MARIAS).held == {"issues": 6, "replays": 4}


def test_an_issue_that_an_earlier_look_knew_is_asked_for_by_id(
    twin: SentryTwin, processor: SentryProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = MARIAS.plus(processor.find(MARIAS).identities)
    monkeypatch.setattr(Api, "issues", lambda api, query: iter(()))
    assert processor.find(known).held == {"issues": 5, "replays": 4}


def test_the_export_has_whole_events_and_nobody_elses(twin: SentryTwin, processor: SentryProcessor) -> None:
    shared = shared_issue(twin)
    twin.new_event(shared["id"], USER, message="mine")
    rows = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT))}
    sizes = {name: len(found) for name, found in rows.items()}
    assert sizes == {"issues.json": 5, "events.json": 9, "feedback.json": 1, "replays.json": 4}
    told = json.dumps(rows)
    assert "breadcrumbs" in told
    assert "The page stays white" in told
    assert "ion.ionescu" not in told


def test_a_job_that_failed_or_is_lost_is_never_done(twin: SentryTwin, processor: SentryProcessor) -> None:
    receipt = processor.erase(instruction(Operation.ERASE))
    twin.records["jobs"]["1"] = {**twin.records["jobs"]["1"], "status": "failed", "created": time.time() + 60}
    with pytest.raises(VendorRefused):
        processor.status(receipt)
    del twin.records["jobs"]["1"]
    with pytest.raises(NotFound):
        processor.status(receipt)
    with pytest.raises(VendorError):
        processor.status(Receipt(ReceiptStatus.IN_PROGRESS, handle="{}"))


def test_an_interrupted_erasure_is_finished_by_the_next(
    world: Served, twin: SentryTwin, processor: SentryProcessor
) -> None:
    processor.erase(instruction(Operation.ERASE))
    changing = [n for n, c in enumerate(world.calls("sentry")) if not c.startswith("GET")]
    for at in (changing[0], changing[3], changing[-1]):
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]
        with pytest.raises(CredentialsRejected):
            processor.erase(instruction(Operation.ERASE))
        settled(processor, processor.erase(instruction(Operation.ERASE)))
        assert processor.find(MARIAS).nothing, at


def test_mail_has_no_meaning_at_sentry_and_restriction_is_a_task(processor: SentryProcessor) -> None:
    assert processor.perform(instruction(Operation.SUPPRESS)).status is ReceiptStatus.CANCELLED
    assert "setUser" in processor.perform(instruction(Operation.RESTRICT)).note


def test_check_notices_a_wrong_token_organisation_and_project(world: Served) -> None:
    SentryProcessor(world.settings(SentrySettings)).check()
    with pytest.raises(CredentialsRejected):
        SentryProcessor(world.settings(SentrySettings, SENTRY_AUTH_TOKEN="wrong")).check()
    with pytest.raises(NotFound):
        SentryProcessor(world.settings(SentrySettings, SENTRY_ORG="other")).check()
    with pytest.raises(VendorRefused, match="SENTRY_PROJECTS"):
        SentryProcessor(world.settings(SentrySettings, SENTRY_PROJECTS="web,typo")).check()


def test_ids_and_slugs_from_outside_cannot_lead_to_another_path(world: Served, processor: SentryProcessor) -> None:
    with pytest.raises(VendorAnswerUnexpected):
        processor.find(MARIAS.plus([Identity("sentry.issue", "../projects")]))
    for name in ("SENTRY_ORG", "SENTRY_PROJECTS"):
        with pytest.raises(ConfigurationError, match=name):
            SentrySettings.from_env({**ENV, name: "a/b"})


def test_searches_are_quoted_and_an_asterisk_is_no_wildcard() -> None:
    assert quoted("user.email", 'a"*\\@b.c') == r'user.email:"a\"\*\\@b.c"'
    person = Person(frozenset({MARIA}), frozenset({"42"}))
    assert person.searches == [f'user.email:"{MARIA}"', 'user.id:"42"']
    assert person.is_value({"value": "id:42"})
    assert not person.is_value({"value": "id:42", "email": "other@example.net"})
    assert person.is_value({"value": "id:7", "email": MARIA.upper()})
    assert not person.is_value({"value": "id:421"})
    assert not person.is_value({"value": "ip:192.0.2.7", "email": None})


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ("", ""),
        ('<u>; rel="previous"; results="true"; cursor="0:0:1", <u>; rel="next"; results="false"; cursor="0:3:0"', ""),
        (
            '<u>; rel="previous"; results="false"; cursor="0:0:1", <u>; rel="next"; results="true"; cursor="0:3:0"',
            "0:3:0",
        ),
    ],
)
def test_the_link_header_leads_to_the_next_page(link: str, cursor: str) -> None:
    assert next_cursor(link) == cursor


@responses.activate
def test_only_an_accepted_deletion_is_one() -> None:
    api = Api(SentrySettings(auth_token="t", org="o"))  # type: ignore[arg-type]  # pydantic makes it secret
    url = "https://sentry.io/api/0/organizations/o/issues/7/"
    responses.add("DELETE", url, status=200, json={})
    with pytest.raises(VendorAnswerUnexpected):
        api.delete_issue("7")
    responses.replace("DELETE", url, status=404, json={"detail": "x"})
    responses.add("GET", url, json={"id": "7"})
    with pytest.raises(VendorAnswerUnexpected):
        api.delete_issue("7")
    responses.replace("GET", url, status=404, json={"detail": "x"})
    assert api.delete_issue("7")
    responses.replace("DELETE", url, status=400, json=["Only error issues can be deleted."])
    assert not api.delete_issue("7")
