"""Atlassian: the processor over HTTP to the twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import CredentialsRejected, VendorAnswerUnexpected, VendorError, VendorRefused
from dsr.model import Identities, Identity, Instruction, Operation, Outcome, ReceiptStatus, Right
from integrations.atlassian import VENDOR
from integrations.atlassian.api import Api
from integrations.atlassian.marks import Marks
from integrations.atlassian.processor import AtlassianProcessor
from integrations.atlassian.settings import AtlassianSettings
from integrations.atlassian.twin import AtlassianTwin
from integrations.atlassian.twin_confluence import new_content
from integrations.atlassian.twin_jira import add, new_issue
from integrations.atlassian.twin_shapes import doc
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.openapi import Specification, recording
from tests.twins import MARIA, Served, serving

ENV = {
    "ATLASSIAN_SITE": "intellimails",
    "ATLASSIAN_EMAIL": "desk@intellimails.com",
    "ATLASSIAN_API_TOKEN": "ATATT-test-token",
}
GUARD = {**ENV, "ATLASSIAN_GUARD": "true"}
MARIAS = Identities.of_email(MARIA)


def names_maria(value: Any) -> bool:
    return Marks(frozenset({MARIA})).within(json.dumps(value, default=str))


class TestAtlassianProcessor(ProcessorContract):
    """With Atlassian Guard, so that nothing is left to a person."""

    vendor, env = VENDOR, GUARD

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        accounts = [u for u in state["users"] if u["email"] == MARIA]
        return not accounts and not names_maria({**state, "users": []})

    def settle(self, processor: Any, receipt: Any, served: Served) -> Any:
        settled = super().settle(processor, receipt, served)
        assert settled.status is ReceiptStatus.COMPLETED, settled
        return settled


@pytest.fixture(scope="module")
def shared_world() -> Iterator[Served]:
    with serving(AtlassianTwin, env=ENV) as served:
        yield served


@pytest.fixture
def world(shared_world: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    impatient(monkeypatch, **PATIENT)
    shared_world.twin(AtlassianTwin).reset()
    return shared_world


@pytest.fixture
def twin(world: Served) -> AtlassianTwin:
    return world.twin(AtlassianTwin)


@pytest.fixture
def processor(world: Served) -> AtlassianProcessor:
    return AtlassianProcessor(world.settings(AtlassianSettings))


def erasure(subject: Identities = MARIAS) -> Instruction:
    return Instruction("PR-TEST01", Right.ERASURE, Operation.ERASE, subject, "key")


def account_of(twin: AtlassianTwin, email: str) -> str:
    (id,) = [u["accountId"] for u in twin.records["users"].values() if u.get("emailAddress") == email]
    return str(id)


def issue_named(twin: AtlassianTwin, summary: str) -> dict[str, Any]:
    (issue,) = [i for i in twin.records["issues"].values() if i["fields"]["summary"] == summary]
    return dict(issue)


def test_an_address_is_matched_as_a_whole() -> None:
    marks = Marks(frozenset({"a@b.co"}))
    for text in ("a@b.co", "Write to A@B.CO.", "<a@b.co>", "mailto:a@b.co?subject=x"):
        assert marks.within(text), text
    for text in ("not.a@b.co", "x+a@b.co", "a@b.com", "a@b.co.uk", "a@b.co-op", "a@b.co@c"):
        assert not marks.within(text), text


def test_a_person_is_taken_out_of_text_links_mentions_and_lists_of_users() -> None:
    marks = Marks(frozenset({"a@b.co"}), frozenset({"id1"}))
    link = {"type": "text", "text": "write", "marks": [{"type": "link", "attrs": {"href": "mailto:a@b.co"}}]}
    mention = {"type": "mention", "attrs": {"id": "id1", "text": "@A"}}
    assert "a@b.co" not in json.dumps(marks.without({"type": "doc", "content": [link]}))
    assert marks.without([mention]) == [{"type": "text", "text": "[erased]"}]
    assert marks.without([{"accountId": "id1"}, {"accountId": "id2"}]) == [{"accountId": "id2"}]
    stored = '<p><ac:link><ri:user ri:account-id="id1" /><ac:link-body>A</ac:link-body></ac:link> and a@b.co</p>'
    assert marks.without_in_storage(stored) == "<p>[erased] and [erased]</p>"


def test_find_counts_every_kind_over_all_pages(processor: AtlassianProcessor) -> None:
    found = processor.find(MARIAS)
    assert found.held == {
        "accounts": 1,
        "issues": 5,
        "comments": 1,
        "mentions": 1,
        "worklogs": 1,
        "attachments": 1,
        "watched_issues": 1,
        "issue_fields": 1,
        "pages": 2,
        "page_attachments": 1,
        "page_mentions": 2,
        "page_versions": 3,
        "page_comments": 1,
    }
    assert not found.ambiguous
    assert {i.type for i in found.identities} == {"atlassian.account", "atlassian.issue", "atlassian.content"}


def test_without_guard_the_change_history_is_for_a_person(twin: AtlassianTwin, processor: AtlassianProcessor) -> None:
    receipt = processor.erase(erasure())
    issue = issue_named(twin, "Importer stops at 90 %")
    assert receipt.outcome is Outcome.MANUAL
    assert issue["key"] in receipt.note
    assert MARIA not in receipt.note
    assert receipt.counts["issues"] == 5
    assert any("history" in r.what for r in receipt.residue)
    assert names_maria(issue["changelog"])
    assert not names_maria({**twin.state(), "issues": [{**issue, "changelog": []}]})
    after = processor.find(MARIAS.plus(receipt.identities))
    assert after.nothing
    assert any("history" in r.what for r in after.residue)
    assert processor.erase(erasure(MARIAS.plus(receipt.identities))).outcome is Outcome.MANUAL


def test_an_interrupted_erasure_finds_the_rest_again(
    world: Served, twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    processor.erase(erasure())
    calls = [(n, c) for n, c in enumerate(world.calls("atlassian")) if c.startswith(("DELETE", "PUT"))]
    assert len(calls) == 23
    # Every change of a text, the last call, and one in four of the others.
    changing = sorted({n for n, call in calls if call.startswith("PUT")} | {n for n, _ in (*calls[::4], calls[-1])})
    for at in changing:
        twin.reset()
        twin.faults[:] = [""] * at + ["403"]  # not repeated by the transport, so the try ends here
        with pytest.raises(CredentialsRejected):
            processor.erase(erasure())
        receipt = processor.erase(erasure())
        issue = issue_named(twin, "Importer stops at 90 %")
        assert receipt.outcome is Outcome.MANUAL, at
        assert issue["key"] in receipt.note, "the history is remembered after an interruption"
        assert not names_maria({**twin.state(), "issues": [{**issue, "changelog": []}]}), at
        assert len(twin.state()["issues"]) == 5, "one issue of each other person, and the colleague's"


def test_a_version_is_never_removed_twice_by_a_repeated_call(
    twin: AtlassianTwin, processor: AtlassianProcessor, world: Served
) -> None:
    processor.erase(erasure())
    at = next(n for n, c in enumerate(world.calls("atlassian")) if "/version/" in c)
    twin.reset()
    twin.faults[:] = [""] * at + ["500"]
    with pytest.raises(VendorError):
        processor.erase(erasure())
    processor.erase(erasure())
    (page,) = [p for p in twin.records["pages"].values() if p["title"] == "Pilot customers"]
    assert [v["value"] for v in page["versions"]] == [
        "<p>None yet</p>",
        "<p>Pilot customers: [erased], contact [erased]</p>",
    ]


def test_a_portal_only_customer_is_locked_out_and_left_to_a_person(
    twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    lenas = Identities.of_email("lena.berg@example.com")
    receipt = processor.erase(erasure(lenas))
    assert receipt.outcome is Outcome.MANUAL
    assert "Portal-only customers" in receipt.note
    id = account_of(twin, "lena.berg@example.com")
    assert twin.records["users"][id]["portalAccess"] is False
    assert processor.find(lenas).held == {"accounts": 1}, "the account is there until somebody deletes it"
    assert processor.erase(erasure(lenas)).outcome is Outcome.MANUAL
    twin.records["users"][id] = {
        **{k: v for k, v in twin.records["users"][id].items() if k != "emailAddress"},
        "displayName": "Former user (Deactivated)",
        "active": False,
    }
    assert processor.find(lenas.plus(receipt.identities)).nothing


def test_an_account_that_hides_its_address_stops_for_an_agent(
    twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    hidden = twin.new_user("", "Somebody", "atlassian")
    del hidden["emailAddress"]
    twin.records["users"][hidden["accountId"]] = {**hidden, "_hidden": MARIA}
    assert processor.find(MARIAS).ambiguous
    assert processor.erase(erasure()).outcome is Outcome.MANUAL
    assert len(twin.state()["issues"]) == 10
    known = MARIAS.plus([Identity("atlassian.account", hidden["accountId"])])
    assert not processor.find(known).ambiguous
    assert processor.find(known).held["accounts"] == 2


def test_a_known_account_that_now_has_another_address_stops_for_an_agent(
    twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    ion = Identity("atlassian.account", account_of(twin, "ion.ionescu@example.com"))
    assert processor.find(MARIAS.plus([ion])).ambiguous
    assert processor.erase(erasure(MARIAS.plus([ion]))).outcome is Outcome.MANUAL


def test_a_request_with_another_customers_words_is_left_to_an_agent(
    twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    issue = issue_named(twin, "Export as CSV")
    add(twin, issue, "comments", account_of(twin, "ion.ionescu@example.com"), body=doc("Me too"))
    receipt = processor.erase(erasure())
    assert issue["key"] in receipt.note
    assert "other customers' words" in receipt.note
    assert issue_named(twin, "Export as CSV")
    assert processor.find(MARIAS.plus(receipt.identities)).held == {"shared_issues": 1}


def test_fields_are_emptied_or_rewritten_and_users_taken_out_of_them(
    twin: AtlassianTwin, processor: AtlassianProcessor
) -> None:
    maria, ion = account_of(twin, MARIA), account_of(twin, "ion.ionescu@example.com")
    issue = new_issue(twin, "OPS", ion, f"Call {MARIA}", "x", "2026-01-01T00:00:00.000+0000")
    issue["fields"] |= {
        "assignee": {"accountId": maria},
        "customfield_10010": MARIA,
        "customfield_10011": [{"accountId": maria}, {"accountId": ion}],
    }
    twin.records["issues"][issue["id"]] = issue
    processor.erase(erasure())
    fields = twin.records["issues"][issue["id"]]["fields"]
    assert fields["summary"] == "Call [erased]"
    assert (fields["assignee"], fields["customfield_10010"]) == (None, None)
    assert [u["accountId"] for u in fields["customfield_10011"]] == [ion]


def test_of_an_employee_nothing_is_erased_until_an_agent_decides(
    twin: AtlassianTwin, processor: AtlassianProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = account_of(twin, MARIA)
    twin.records["users"][id] = {**twin.records["users"][id], "_roles": ["jira-software"]}
    before = twin.state()
    receipt = processor.erase(erasure())
    assert receipt.outcome is Outcome.MANUAL
    assert "employees" in receipt.note
    assert twin.state() == before
    usual = Api.get
    monkeypatch.setattr(
        Api, "get", lambda api, path, params=None: None if "expand" in (params or {}) else usual(api, path, params)
    )
    with pytest.raises(VendorAnswerUnexpected):
        processor.erase(erasure())
    assert twin.state() == before, "what Jira does not say is not guessed"


def test_a_managed_account_is_deleted_with_its_grace_told() -> None:
    env = {**ENV, "ATLASSIAN_ORG_ID": "org-1", "ATLASSIAN_ORG_API_KEY": "org-key"}
    with serving(AtlassianTwin, env=env) as world:
        twin = world.twin(AtlassianTwin)
        id = account_of(twin, MARIA)
        for n, (account, email) in enumerate(
            [("a1", "x@example.com"), ("a2", ""), ("a3", "z@example.com"), (id, MARIA)]
        ):
            twin.records["managed"][account] = {"account_id": account, "email": email, "account_status": "active"}
            assert n < 4
        processor = AtlassianProcessor(
            world.settings(AtlassianSettings, ATLASSIAN_ADMIN_API_URL=world.url("atlassian"))
        )
        receipt = processor.erase(erasure())
        assert any("grace" in r.why for r in receipt.residue)
        status = {a: m["account_status"] for a, m in twin.records["managed"].items()}
        assert status == {"a1": "active", "a2": "active", "a3": "active", id: "pending_deletion"}
        assert processor.find(MARIAS.plus(receipt.identities)).nothing


def test_a_failed_redaction_is_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(AtlassianTwin, env=GUARD) as world:
        processor = AtlassianProcessor(world.settings(AtlassianSettings))
        monkeypatch.setattr("integrations.atlassian.twin_jira._redact", lambda twin, one: False)
        receipt = processor.erase(erasure())
        assert (receipt.status, receipt.outcome) == (ReceiptStatus.IN_PROGRESS, None)
        while receipt.handle:
            receipt = processor.status(receipt)
        assert receipt.outcome is Outcome.MANUAL
        assert "Redact by hand" in receipt.note
        assert processor.find(MARIAS.plus(receipt.identities)).held == {"issue_fields": 1}


def test_guard_that_is_not_bought_is_refused_loudly(world: Served) -> None:
    processor = AtlassianProcessor(world.settings(AtlassianSettings, ATLASSIAN_GUARD="true"))
    with pytest.raises(VendorRefused):
        processor.erase(erasure())


def test_the_trash_is_emptied_of_the_persons_pages(twin: AtlassianTwin, processor: AtlassianProcessor) -> None:
    agent = account_of(twin, "andrei@intellimails.com")
    named = new_content(twin, "pages", agent, "Trashed list", f"<p>{MARIA}</p>", status="trashed")
    assert processor.find(MARIAS).held["page_mentions"] == 3
    processor.erase(erasure())
    assert [p["title"] for p in twin.state()["pages"]] == ["Pilot customers", "Trashed list"]
    assert twin.records["pages"][named["id"]]["versions"][-1]["value"] == "<p>[erased]</p>"


def test_the_export_has_her_words_and_nobody_elses_name(processor: AtlassianProcessor) -> None:
    wanted = Instruction("PR-TEST01", Right.EXPORT, Operation.EXPORT, MARIAS, "key")
    assert consume(processor, wanted) == {
        "accounts.json": 1,
        "issues.json": 6,
        "pages.json": 6,
        "page_attachments.json": 1,
        next(name for name in consume(processor, wanted) if name.startswith("attachments/")): 19,
    }
    rows = {f.name: list(f.rows) for f in processor.export(wanted) if f.rows is not None}
    told = json.dumps(rows)
    assert "I would like to download the verified list as CSV." in told
    assert "Thank you, we look into it." in told
    assert "Works again, thank you." in told
    for hidden in ("Andrei", "andrei@", "Seen in the logs"):
        assert hidden not in told


def test_what_has_no_meaning_is_cancelled_and_what_people_do_has_instructions(processor: AtlassianProcessor) -> None:
    suppress = Instruction("PR-TEST01", Right.AGE_REPORT, Operation.SUPPRESS, MARIAS, "key")
    assert processor.suppress(suppress).status is ReceiptStatus.CANCELLED
    restrict = Instruction("PR-TEST01", Right.RESTRICTION, Operation.RESTRICT, MARIAS, "key")
    assert "security level" in processor.restrict(restrict).note


def test_calls_and_answers_keep_to_jiras_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    specification = Specification("atlassian/jira-platform-v3-subset.json")
    exchanges = recording(monkeypatch)
    with serving(AtlassianTwin, env=GUARD) as world:
        processor = AtlassianProcessor(world.settings(AtlassianSettings))
        processor.check()
        rows = [r for f in processor.export(erasure()) for r in f.rows or ()]
        assert rows
        receipt = processor.erase(erasure())
        while receipt.handle:
            receipt = processor.status(receipt)
        processor.find(MARIAS.plus(receipt.identities))
    jira = [e for e in exchanges if e[1].startswith("/rest/api/3")]
    assert len(jira) > 50
    assert sorted({p for exchange in jira for p in specification.problems(*exchange)}) == []
