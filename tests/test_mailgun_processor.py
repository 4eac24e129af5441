"""Mailgun as a processor: every marketing domain, list members erased, rows that keep an objection never deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    VendorAnswerUnexpected,
    VendorRefused,
)
from dsr.messages import Mail
from dsr.model import Identities, Operation, Outcome, Receipt, Right
from integrations.mailgun import VENDOR, rows
from integrations.mailgun.api import Api
from integrations.mailgun.mailer import MailgunMailer
from integrations.mailgun.processor import MailgunProcessor
from integrations.mailgun.settings import MailgunSettings
from integrations.mailgun.twin import MailgunTwin
from tests.contracts import PATIENT, ProcessorContract, consume, impatient
from tests.mailgun import ENV, ION, MARKETING, SPEC, instruction, rows_of
from tests.twins import MARIA, STRANGER, Served, serving


@pytest.fixture(scope="module")
def twins() -> Iterator[Served]:
    with serving(MailgunTwin, env=ENV) as served:
        yield served


@pytest.fixture
def served(twins: Served) -> Served:
    twins.twin(MailgunTwin).reset()
    return twins


@pytest.fixture
def processor(served: Served, monkeypatch: pytest.MonkeyPatch) -> MailgunProcessor:
    impatient(monkeypatch, **PATIENT)
    return MailgunProcessor(served.settings(MailgunSettings), None)  # type: ignore[arg-type]


class TestMailgunProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV
    restriction_is_suppression = True

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        members = [m for m in state["members"] if m["email"] == MARIA]
        if operation is Operation.ERASE:
            return not members
        if operation is Operation.RECTIFY:
            return all(m["name"] == "Maria Ionescu" for m in members)
        stopped = {u["domain"] for u in state["unsubscribes"] if u["email"] == MARIA and "*" in u["tags"]}
        return stopped == set(MARKETING) and not any(m["subscribed"] for m in members)


# -- suppression ------------------------------------------------------------------------------------------------------


def test_an_unknown_address_is_suppressed_in_every_marketing_domain_and_never_in_the_desks_own(
    served: Served, processor: MailgunProcessor
) -> None:
    receipt = processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE, STRANGER))
    assert receipt.outcome is Outcome.DONE
    kept = [(row["domain"], row["tags"]) for row in rows_of(served, "unsubscribes", STRANGER)]
    assert kept == [(domain, ["*"]) for domain in MARKETING]
    assert not rows_of(served, "members", STRANGER), "no profile is made merely to suppress"


def test_the_desks_own_domain_named_among_the_marketing_domains_is_left_out() -> None:
    settings = MailgunSettings.from_env({**ENV, "MAILGUN_MARKETING_DOMAINS": "mg.example.com,news.example.com"})
    assert settings is not None
    assert settings.marketing == ("news.example.com",)


def test_an_allowlist_entry_that_would_override_the_suppression_is_removed(
    served: Served, processor: MailgunProcessor
) -> None:
    served.twin(MailgunTwin).put_row("news.example.com", "whitelists", MARIA)
    assert processor.find(Identities.of_email(MARIA)).held["allowlist entries"] == 1
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    assert not rows_of(served, "whitelists", MARIA)


def test_subscribing_again_takes_the_rows_away_but_not_a_complaint(served: Served, processor: MailgunProcessor) -> None:
    again = instruction(Operation.LIFT, Right.UNSUBSCRIBE)
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    assert processor.perform(again).outcome is Outcome.DONE
    assert not rows_of(served, "unsubscribes", MARIA)
    assert all(m["subscribed"] for m in rows_of(served, "members", MARIA))
    served.twin(MailgunTwin).put_row("news.example.com", "complaints", MARIA)
    assert processor.perform(again).outcome is Outcome.MANUAL
    assert rows_of(served, "complaints", MARIA)


def test_subscribing_again_leaves_a_list_member_who_was_reported_as_a_child(
    served: Served, processor: MailgunProcessor
) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.AGE_REPORT))
    processor.perform(instruction(Operation.LIFT, Right.UNSUBSCRIBE))
    assert not any(m["subscribed"] for m in rows_of(served, "members", MARIA))


def test_an_age_report_tags_the_list_member_and_keeps_its_other_fields(
    served: Served, processor: MailgunProcessor
) -> None:
    before = {m["list"]: m["vars"] for m in rows_of(served, "members", MARIA)}
    processor.perform(instruction(Operation.SUPPRESS, Right.AGE_REPORT))
    after = {m["list"]: m["vars"] for m in rows_of(served, "members", MARIA)}
    assert after == {name: {**held, rows.UNDER_16: True} for name, held in before.items()}


def test_without_marketing_domains_and_lists_there_is_nothing_to_stop(served: Served) -> None:
    settings = served.settings(MailgunSettings).model_copy(update={"marketing_domains": ""})
    processor = MailgunProcessor(settings, None)  # type: ignore[arg-type]
    receipt = processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE, STRANGER))
    assert receipt.outcome is Outcome.NO_MATCH
    assert receipt.note


# -- erasure ----------------------------------------------------------------------------------------------------------


def test_erasure_leaves_the_rows_that_keep_the_objection_and_names_them(
    served: Served, processor: MailgunProcessor
) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    receipt = processor.perform(instruction(Operation.ERASE, Right.ERASURE))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.counts["list memberships"] == 2
    assert receipt.residue == (rows.SUPPRESSION_ROWS, rows.EVENTS)
    assert len(rows_of(served, "unsubscribes", MARIA)) == 2
    assert not any(call.startswith("DELETE") and "unsubscribes" in call for call in served.calls("mailgun"))
    after = processor.find(Identities.of_email(MARIA).plus(receipt.identities))
    assert after.nothing
    assert after.residue == (rows.SUPPRESSION_ROWS, rows.EVENTS)


def test_events_that_expired_are_no_residue_any_more(served: Served, processor: MailgunProcessor) -> None:
    events = served.twin(MailgunTwin).records["events"]
    for id, event in list(events.items()):
        events[id] = {**event, "timestamp": event["timestamp"] - 31 * 86400}
    assert processor.find(Identities.of_email(MARIA)).residue == ()


def test_a_delete_that_the_vendor_did_not_carry_out_is_no_done(
    served: Served, processor: MailgunProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = served.twin(MailgunTwin)
    monkeypatch.setattr(type(twin.records["members"]), "__delitem__", lambda self, id: None)
    with pytest.raises(VendorAnswerUnexpected):
        processor.perform(instruction(Operation.ERASE, Right.ERASURE))


def test_a_404_about_the_domain_proves_nothing_about_a_person(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, **PATIENT)
    wrong = served.settings(MailgunSettings).model_copy(update={"marketing_domains": "other.example.org"})
    processor = MailgunProcessor(wrong, None)  # type: ignore[arg-type]
    with pytest.raises(VendorAnswerUnexpected):
        processor.find(Identities.of_email(MARIA))
    with pytest.raises(VendorRefused):
        processor.check()


def test_the_wrong_key_is_said_by_check(served: Served) -> None:
    settings = served.settings(MailgunSettings, MAILGUN_API_KEY="key-wrong")
    with pytest.raises(CredentialsRejected):
        MailgunProcessor(settings, None).check()  # type: ignore[arg-type]


# -- rectification and export -----------------------------------------------------------------------------------------


def test_a_new_address_takes_the_objection_along(served: Served, processor: MailgunProcessor) -> None:
    new = "maria.ionescu@example.com"
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    wanted = instruction(
        Operation.RECTIFY, Right.RECTIFICATION, email=new, name="Maria Ionescu", language="en", fax="1"
    )
    for _ in range(2):
        assert processor.perform(wanted).outcome is Outcome.DONE
    assert not rows_of(served, "members", MARIA)
    members = rows_of(served, "members", new)
    assert len(members) == 2
    assert {(m["name"], m["vars"]["language"], m["subscribed"]) for m in members} == {("Maria Ionescu", "en", False)}
    assert all("fax" not in m["vars"] for m in members), "a field that the list does not keep is not added"
    assert {row["domain"] for row in rows_of(served, "unsubscribes", new)} == set(MARKETING)


def test_an_export_has_every_page_and_nobody_else(served: Served, processor: MailgunProcessor) -> None:
    twin = served.twin(MailgunTwin)
    for n in range(7):
        twin.new_event("offers.example.com", "opened", recipient=MARIA, ip=f"203.0.113.{n}")
    twin.put_row("news.example.com", "complaints", MARIA)
    sizes = consume(processor, instruction(Operation.EXPORT, Right.EXPORT))
    assert sizes == {"list-memberships.json": 2, "suppressions.json": 1, "events.json": 9 + 7, "messages.json": 3}
    told = [row for file in processor.export(instruction(Operation.EXPORT, Right.EXPORT)) for row in file.rows or ()]
    assert ION not in json.dumps(told)


def test_an_export_has_the_mail_that_the_person_sent_in(served: Served, processor: MailgunProcessor) -> None:
    twin = served.twin(MailgunTwin)
    headers = {"message-id": "m1@example.com", "from": f"Maria Pop <{MARIA}>", "to": "support@mg.example.com"}
    twin.records["stored"]["k1"] = {
        "id": "<m1@example.com>",
        "from": f"Maria Pop <{MARIA}>",
        "to": f"support@mg.example.com, {ION}",
        "subject": "Hello",
        "text": "A question",
        "html": "",
        "date": "",
    }
    twin.new_event("mg.example.com", "stored", message={"headers": headers}, storage={"key": "k1"})
    files = {f.name: list(f.rows or ()) for f in processor.export(instruction(Operation.EXPORT, Right.EXPORT))}
    (mail,) = (m for m in files["messages.json"] if m["Subject"] == "Hello")
    assert mail["body-plain"] == "A question"
    assert mail["From"] == MARIA
    assert ION not in str(mail["To"]), "other people in a thread are masked"


MAIL = Mail(MARIA, "Your code", "7K3M-92QX\n", "", "code")

# -- settings and specification ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["not a domain", "a@b.example", "https://mg.example.com"])
def test_a_domain_that_is_none_stops_the_start(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        MailgunSettings.from_env({**ENV, "MAILGUN_DOMAIN": wrong})
    assert "MAILGUN_DOMAIN" in str(caught.value)


def test_the_twins_answers_fit_mailguns_specification(served: Served, processor: MailgunProcessor) -> None:
    if not SPEC.exists():
        pytest.skip(f"Mailgun's specification is not beside the repository ({os.path.relpath(SPEC)})")
    yaml = pytest.importorskip("yaml")
    jsonschema = pytest.importorskip("jsonschema")
    spec = yaml.load(SPEC.read_text(), Loader=yaml.CSafeLoader)
    api = Api(served.settings(MailgunSettings))
    first = next(iter(api.lists()))
    MailgunMailer(served.settings(MailgunSettings), "privacy@mg.example.com").send(MAIL, idempotency_key="k")
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    (key,) = {e["storage"]["key"] for e in api.events("mg.example.com", {"recipient": MARIA})}
    get = (
        ("/v3/lists/pages", "v3/lists/pages"),
        ("/v3/lists/{list_address}/members/pages", f"v3/lists/{first}/members/pages"),
        ("/v3/{domain_name}/events", "v3/news.example.com/events?limit=100"),
        ("/v4/domains", "v4/domains"),
        ("/v4/domains/{name}", "v4/domains/mg.example.com"),
        ("/v3/{domain_name}/unsubscribes/{address}", f"v3/news.example.com/unsubscribes/{MARIA}"),
        ("/v3/domains/{domain_name}/messages/{storage_key}", f"v3/domains/mg.example.com/messages/{key}"),
    )
    for template, path in get:
        described = spec["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = {**_sound(described), "components": _sound(spec["components"])}
        jsonschema.Draft202012Validator(schema).validate(api.http.call("GET", path).json())


def _sound(schema: Any) -> Any:
    """The specification calls times in RFC 822 format `object` and shows texts; texts are what is answered."""
    if isinstance(schema, list):
        return [_sound(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "RFC822Time" in str(schema.get("allOf", "")):
        return {"type": "string"}
    return {name: _sound(part) for name, part in schema.items() if name != "examples"}


def test_every_call_that_is_made_is_in_mailguns_specification(served: Served, processor: MailgunProcessor) -> None:
    if not SPEC.exists():
        pytest.skip(f"Mailgun's specification is not beside the repository ({os.path.relpath(SPEC)})")
    yaml = pytest.importorskip("yaml")
    paths = yaml.load(SPEC.read_text(), Loader=yaml.CSafeLoader)["paths"]
    served.twin(MailgunTwin).put_row("news.example.com", "whitelists", MARIA)
    done: list[Receipt] = [
        processor.perform(instruction(Operation.RECTIFY, Right.RECTIFICATION, name="M")),
        processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE)),
        processor.perform(instruction(Operation.ERASE, Right.ERASURE)),
    ]
    consume(processor, instruction(Operation.EXPORT, Right.EXPORT))
    assert all(r.outcome for r in done)
    calls = {
        (c["method"], c["path"].removeprefix("/mailgun").partition("?")[0]) for c in served.state("mailgun")["requests"]
    }
    assert len({method for method, _ in calls}) == 4
    for method, path in calls:
        assert any(method.lower() in paths[p] and _fits(p, path) for p in paths), f"{method} {path}"


def _fits(template: str, path: str) -> bool:
    ours, theirs = path.strip("/").split("/"), template.strip("/").split("/")
    return len(ours) == len(theirs) and all(t.startswith("{") or t == o for t, o in zip(theirs, ours, strict=True))
