"""Mailgun: suppression in every marketing domain, list members erased, rows that keep an objection never deleted."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    DeliveryRejected,
    PayloadNotUnderstood,
    VendorAnswerUnexpected,
    VendorRefused,
)
from dsr.model import (
    ConversationRef,
    Delivery,
    Identities,
    Instruction,
    Mail,
    Operation,
    Outcome,
    Receipt,
    Reply,
    Right,
    SuppressionReported,
)
from integrations.channel import Channel
from integrations.mail import make_mailer, message_id
from integrations.mailgun import VENDOR, rows
from integrations.mailgun.api import Api, form
from integrations.mailgun.mailer import MailgunMailer
from integrations.mailgun.processor import MailgunProcessor
from integrations.mailgun.settings import MailgunSettings
from integrations.mailgun.twin import MailgunTwin
from tests.contracts import ChannelContract, ProcessorContract, consume, impatient
from tests.twins import MARIA, STRANGER, Served, delivery, receiving, serving

ENV = {
    "MAILGUN_API_KEY": "key-0123456789abcdef",
    "MAILGUN_DOMAIN": "mg.example.com",
    "MAILGUN_MARKETING_DOMAINS": "news.example.com, offers.example.com",
    "MAILGUN_WEBHOOK_SIGNING_KEY": "mailgun-test-key",
}
MARKETING = ("news.example.com", "offers.example.com")
ION = "ion.ionescu@example.com"
SPEC = Path(__file__).parents[2] / "shared" / "specs" / "mailgun" / "openapi.yaml"
EVENT = {
    "signature": {},
    "event-data": {
        "id": "W3X4JOhFT-OZidZGKKr9iA",
        "event": "unsubscribed",
        "timestamp": 1377213791.421473,
        "log-level": "info",
        "recipient": MARIA,
        "recipient-domain": "example.com",
        "tags": [],
        "user-variables": {},
        "message": {"headers": {"message-id": "20130822232216.13966.79700@news.example.com"}},
    },
}


def instruction(operation: Operation, right: Right, address: str = MARIA, **changes: str) -> Instruction:
    return Instruction("PR-TEST01", right, operation, Identities.of_email(address), "key-1", changes)


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
    impatient(monkeypatch)
    return MailgunProcessor(served.settings(MailgunSettings), None)  # type: ignore[arg-type]


def rows_of(served: Served, kind: str, address: str) -> list[Mapping[str, Any]]:
    return [row for row in served.state("mailgun")[kind] if row["email"] == address]


class TestMailgunProcessor(ProcessorContract):
    vendor, env = VENDOR, ENV

    def effect(self, operation: Operation, state: Mapping[str, Any]) -> bool:
        members = [m for m in state["members"] if m["email"] == MARIA]
        if operation is Operation.ERASE:
            return not members
        if operation is Operation.RECTIFY:
            return all(m["name"] == "Maria Ionescu" for m in members)
        stopped = {u["domain"] for u in state["unsubscribes"] if u["email"] == MARIA and "*" in u["tags"]}
        return stopped == set(MARKETING) and not any(m["subscribed"] for m in members)


class TestMailgunEvents(ChannelContract):
    vendor, env, path = VENDOR, ENV, "mailgun"
    genuine = json.dumps(EVENT).encode()
    own: ClassVar[tuple[bytes, ...]] = tuple(
        json.dumps({**EVENT, "event-data": {**EVENT["event-data"], "event": name}}).encode()  # type: ignore[dict-item]
        for name in ("delivered", "opened", "clicked", "accepted", "permanent_fail", "something_new")
    )

    def sent(self, body: bytes) -> Delivery:
        """The signature stands inside the body."""
        return delivery(self.signed(body, time.time()), {"Content-Type": "application/json"}, path="/webhooks/mailgun")

    def signed(self, body: bytes, at: float) -> bytes:
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            return body
        if not isinstance(payload, dict) or "signature" not in payload:
            return body
        timestamp, token = str(int(at)), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
        key = ENV["MAILGUN_WEBHOOK_SIGNING_KEY"].encode()
        hex = hmac.new(key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
        return json.dumps({**payload, "signature": {"timestamp": timestamp, "token": token, "signature": hex}}).encode()

    def stale(self, body: bytes) -> Delivery | None:
        return delivery(self.signed(body, time.time() - 301))

    def forgeries(self, genuine: Delivery) -> Iterator[tuple[str, Delivery]]:
        payload = json.loads(genuine.body)
        for part in ("timestamp", "token", "signature"):
            value = payload["signature"][part]
            for bad in (None, "", " ", 42, [], {}, True, value[:-1], value + "0", "☃" + value, "\udcff", "9" * 5000):
                forged = {**payload, "signature": {**payload["signature"], part: bad}}
                yield f"{part} is {bad!a:.30}", dataclasses.replace(genuine, body=json.dumps(forged).encode())
        for whole in (None, [], "x", {}):
            forged = {**payload, "signature": whole}
            yield f"signature is {whole!a}", dataclasses.replace(genuine, body=json.dumps(forged).encode())
        future = delivery(self.signed(self.genuine, time.time() + 400))
        yield "from the future", future
        for junk in (b"", b"{", b"\xff", b"[" * 200_000, b"signature=x&timestamp=1&token=y"):
            yield f"{junk[:10]!r}", dataclasses.replace(genuine, body=junk)

    def tampered(self, genuine: Delivery) -> Iterator[Delivery]:
        """Mailgun's signature does not cover the rest of the body: see the test of the token below."""
        payload = json.loads(genuine.body)
        token = payload["signature"]["token"]
        payload["signature"]["token"] = token[:-1] + ("1" if token[-1] == "0" else "0")
        yield dataclasses.replace(genuine, body=json.dumps(payload).encode())

    def test_a_channel_names_itself_as_its_webhook_path(self, channel: Channel) -> None:
        assert (channel.name, channel.vendor, channel.label) == ("mailgun", "mailgun", "")

    def test_a_genuine_delivery_is_accepted_and_understood(self, channel: Channel) -> None:
        genuine = self.sent(self.genuine)
        channel.verify(genuine)
        (event,) = channel.parse(genuine)
        assert isinstance(event, SuppressionReported)
        assert (event.vendor, event.address, event.reason) == ("mailgun", MARIA, "unsubscribe")
        assert channel.respond(genuine).status == 200

    def test_another_body_with_a_captured_signature_is_the_same_event(self, channel: Channel) -> None:
        """The store takes an event id once; the token is the id, because the signature vouches for it alone."""
        (first,) = channel.parse(self.sent(self.genuine))
        other = {**EVENT, "event-data": {**EVENT["event-data"], "id": "new", "recipient": "victim@example.com"}}  # type: ignore[dict-item]
        (second,) = channel.parse(self.sent(json.dumps(other).encode()))
        assert first.event_id == second.event_id

    def test_a_complaint_is_a_suppression_too(self, channel: Channel) -> None:
        payload = {**EVENT, "event-data": {**EVENT["event-data"], "event": "complained"}}  # type: ignore[dict-item]
        (event,) = channel.parse(self.sent(json.dumps(payload).encode()))
        assert isinstance(event, SuppressionReported)
        assert event.reason == "complaint"

    @pytest.mark.parametrize("recipient", ["", "nobody", "a@b@c", "a@example.com,b@example.com", 42, None])
    def test_a_recipient_that_is_no_address_goes_to_quarantine(self, channel: Channel, recipient: object) -> None:
        payload = {**EVENT, "event-data": {**EVENT["event-data"], "recipient": recipient}}  # type: ignore[dict-item]
        with pytest.raises(PayloadNotUnderstood):
            channel.parse(self.sent(json.dumps(payload).encode()))

    def test_without_a_signing_key_everything_is_rejected(self) -> None:
        env = {name: value for name, value in ENV.items() if name != "MAILGUN_WEBHOOK_SIGNING_KEY"}
        with pytest.raises(DeliveryRejected):
            self.make(env).verify(self.sent(self.genuine))

    def test_there_is_nowhere_to_answer(self, channel: Channel) -> None:
        nowhere = ConversationRef("mailgun", "x")
        with pytest.raises(VendorRefused):
            channel.reply(nowhere, Reply("hello"), idempotency_key="k")
        with pytest.raises(VendorRefused):
            channel.note(nowhere, "hello", idempotency_key="k")


def test_the_signature_is_the_one_of_the_documentation() -> None:
    """Time and token of Mailgun's own example; the key is ours, the value computed beforehand."""
    token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = "a71a2e85af916790420a2badfd87977b6b5091b21f6e1635a882c80bdb7a897c"
    body = json.dumps({"signature": {"timestamp": "1529006854", "token": token, "signature": signature}}).encode()
    given = delivery(body)
    then = given.received_at.fromtimestamp(1529006854 + 60, given.received_at.tzinfo)
    settings = MailgunSettings.from_env(ENV)
    assert settings is not None
    channel = VENDOR.channels["mailgun"](settings)
    channel.verify(dataclasses.replace(given, received_at=then))
    with pytest.raises(DeliveryRejected):
        channel.verify(dataclasses.replace(given, received_at=then + timedelta(minutes=5)))


@pytest.mark.parametrize(("event", "reason"), [("unsubscribed", "unsubscribe"), ("complained", "complaint")])
def test_the_twins_webhook_is_accepted_and_understood(event: str, reason: str) -> None:
    with receiving() as inbox, serving(MailgunTwin, env=ENV, app_url=inbox.url) as served:
        channel = VENDOR.channels["mailgun"](served.settings(MailgunSettings))
        inbox.accept = channel.verify
        answer = served.say("mailgun", email=ION, event=event, deliver=True)
        assert answer.ok
        assert answer.json()["delivered"] == 200
        assert answer.json()["conversation"]
        (got,) = inbox.deliveries
        assert got.path == "/webhooks/mailgun"
        (told,) = channel.parse(got)
        assert isinstance(told, SuppressionReported)
        assert (told.address, told.reason) == (ION, reason)


def test_the_twin_says_so_when_its_webhook_is_refused() -> None:
    with receiving() as inbox, serving(MailgunTwin, env=ENV, app_url=inbox.url) as served:
        inbox.status = 401
        assert not served.say("mailgun", email=ION, deliver=True).ok


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
    impatient(monkeypatch)
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


# -- the desk's own mail ----------------------------------------------------------------------------------------------

MAIL = Mail(
    MARIA, "Your code", "7K3M-92QX\n", "<p>7K3M-92QX</p>", "code", {"List-Unsubscribe": "<https://a.example/u/1>"}
)


@pytest.fixture
def mailer(served: Served, monkeypatch: pytest.MonkeyPatch) -> MailgunMailer:
    impatient(monkeypatch)
    made = make_mailer(None, served.settings(MailgunSettings))
    assert isinstance(made, MailgunMailer)
    return made


def test_a_mail_leaves_untracked_encrypted_and_from_the_desks_own_domain(served: Served, mailer: MailgunMailer) -> None:
    mailer.check()
    mailer.send(MAIL, idempotency_key="code:1")
    (kept,) = served.state("mailgun")["messages"]
    assert {k: kept[k] for k in ("from", "to", "subject", "text", "html", "domain")} == {
        "from": "privacy@mg.example.com",
        "to": MARIA,
        "subject": MAIL.subject,
        "text": MAIL.text,
        "html": MAIL.html,
        "domain": "mg.example.com",
    }
    assert kept["headers"] == {
        "Message-Id": message_id("code:1", "mg.example.com"),
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": "<https://a.example/u/1>",
    }
    assert kept["options"] == {
        "o:tracking": "no",
        "o:tracking-clicks": "no",
        "o:tracking-opens": "no",
        "o:require-tls": "true",
    }


def test_a_privacy_mail_reaches_someone_who_stopped_all_promotion(
    served: Served, processor: MailgunProcessor, mailer: MailgunMailer
) -> None:
    processor.perform(instruction(Operation.SUPPRESS, Right.UNSUBSCRIBE))
    mailer.send(MAIL, idempotency_key="code:1")
    assert [m["to"] for m in served.state("mailgun")["messages"]] == [MARIA]


def test_a_suppressed_recipient_is_accepted_and_then_dropped_by_the_twin(served: Served) -> None:
    """As Mailgun does; it is why the desk's own domain is never suppressed."""
    served.twin(MailgunTwin).put_row("news.example.com", "unsubscribes", MARIA, ["*"])
    api = Api(served.settings(MailgunSettings))
    fields = {"from": "news@news.example.com", "to": MARIA, "subject": "New", "text": "x"}
    assert api.http.call("POST", "v3/news.example.com/messages", files=form(fields)).status == 200
    assert not served.state("mailgun")["messages"]
    (dropped,) = api.events("news.example.com", {"recipient": MARIA, "event": "failed"})
    assert dropped["reason"] == "suppress-unsubscribe"


def test_sent_finds_an_interrupted_mail_by_its_message_id(served: Served, mailer: MailgunMailer) -> None:
    assert not mailer.sent(MAIL, idempotency_key="code:1")
    mailer.send(MAIL, idempotency_key="code:1")
    assert mailer.sent(MAIL, idempotency_key="code:1")
    assert not mailer.sent(MAIL, idempotency_key="code:2")


def test_a_call_of_unknown_fate_is_not_repeated(served: Served, mailer: MailgunMailer) -> None:
    served.fault("mailgun", "503")
    with pytest.raises(Exception, match="fault of its own"):
        mailer.send(MAIL, idempotency_key="code:1")
    assert [c for c in served.calls("mailgun") if c.startswith("POST")] == ["POST /v3/mg.example.com/messages"]


@pytest.mark.parametrize("fault", ["error_in_200", "bad_json", "401", "500", "429", "cut_body"])
def test_a_fault_of_the_mail_service_is_never_taken_for_success(
    served: Served, mailer: MailgunMailer, fault: str
) -> None:
    served.fault("mailgun", fault, times=20)
    with pytest.raises(Exception, match="mailgun") as caught:
        mailer.send(MAIL, idempotency_key="code:1")
    assert MARIA not in str(caught.value)
    assert "7K3M" not in str(caught.value)


def test_a_service_that_changes_the_message_id_is_noticed(
    mailer: MailgunMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.mailgun.mailer.message_id", lambda key, domain: "")
    with pytest.raises(VendorRefused):
        mailer.send(MAIL, idempotency_key="code:1")


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
