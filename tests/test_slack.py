"""Slack, the way in: authenticity, what Bolt hands over, text, settings."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
import responses

from dsr.errors import (
    ConfigurationError,
    CredentialsRejected,
    DeliveryRejected,
    NotFound,
    PayloadNotUnderstood,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorRefused,
    VendorUnavailable,
)
from dsr.messages import AgentCommand, ConversationRef, Delivery, InboundMessage, Reply
from integrations.slack import VENDOR
from integrations.slack.api import SlackApi
from integrations.slack.mrkdwn import escape, sections, unescape
from integrations.slack.settings import SlackSettings
from integrations.slack.signature import sign
from integrations.slack.twin_webhooks import FORM, JSON, as_sent, button_press, message_event, signed, slash_command
from tests.contracts import ChannelContract
from tests.slack import (
    ENV,
    MESSAGE,
    REF,
    SECRET,
    SPECS,
    changed,
    incoming,
    slack,
)
from tests.twins import MARIA, delivery


class TestSlackChannel(ChannelContract):
    vendor, env, path = VENDOR, ENV, "slack"
    genuine = MESSAGE
    own = (
        changed(bot_id="B0BOT00001"),
        changed(user="U0BOT"),
        changed(user="USLACKBOT"),
        changed(subtype="bot_message", bot_id="B1"),
        changed(subtype="message_changed", user=None),
        changed(subtype="message_deleted"),
        changed(subtype="channel_join"),
        changed(channel_type="channel"),
        changed(channel_type="mpim"),
        changed(type="app_home_opened"),
        changed(type="user_change", user={"id": "U1"}),
    )
    signature_headers = ("x-slack-signature", "x-slack-request-timestamp")

    def sign(self, body: bytes) -> Mapping[str, str]:
        return signed(SECRET, body, JSON)

    def stale(self, body: bytes) -> Delivery | None:
        old = str(int(time.time()) - 301)
        headers = {"Content-Type": JSON, "X-Slack-Request-Timestamp": old, "X-Slack-Signature": sign(SECRET, old, body)}
        return delivery(body, headers)


VECTOR = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def published(seconds_later: float) -> Delivery:
    """Slack's published example of a signed request, received so much later."""
    headers = {
        "content-type": FORM,
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    then = datetime.fromtimestamp(1531420618, UTC) + timedelta(seconds=seconds_later)
    return dataclasses.replace(delivery(VECTOR, headers), received_at=then)


@pytest.mark.parametrize("seconds_later", [-300, 0, 300])
def test_the_published_vector_is_accepted(seconds_later: float) -> None:
    given = published(seconds_later)
    slack().verify(given)
    (command,) = slack().parse(given)
    assert isinstance(command, AgentCommand)
    assert command.event_id == "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    assert command.agent == "U2CERLKJA"
    assert command.text == ""
    assert command.sent_at == datetime.fromtimestamp(1531420618, UTC)


@pytest.mark.parametrize("seconds_later", [-301, 301, 10**6])
def test_the_published_vector_is_rejected_when_it_is_too_old_or_too_new(seconds_later: float) -> None:
    with pytest.raises(DeliveryRejected):
        slack().verify(published(seconds_later))


@pytest.mark.parametrize("timestamp", ["\u0661\u0662", "1e9", "-1", "+1531420618", "1531420618\n", "9" * 13, "inf"])
def test_a_signed_but_misshapen_timestamp_is_rejected(timestamp: str) -> None:
    headers = {"x-slack-request-timestamp": timestamp, "x-slack-signature": sign(SECRET, timestamp, VECTOR)}
    with pytest.raises(DeliveryRejected):
        slack().verify(delivery(VECTOR, headers))


def test_a_direct_message_is_understood() -> None:
    assert slack().parse(incoming(MESSAGE)) == [
        InboundMessage(
            event_id="Ev0PV52K25",
            conversation=ConversationRef("slack", "DACCMARIA", "T0DESK0001:UACCMARIA"),
            text="Please delete my account & everything, maria.pop@example.com <3",
            sent_at=datetime(2018, 5, 1, 22, 52, 9, 1, UTC),
        )
    ]


@pytest.mark.parametrize("event", [{"subtype": "file_share", "files": [{}]}, {"thread_ts": "1.1"}, {"subtype": None}])
def test_a_message_beside_a_file_or_in_a_thread_counts(event: dict[str, Any]) -> None:
    assert len(slack().parse(incoming(changed(**event)))) == 1


def test_the_challenge_is_answered() -> None:
    given = incoming(b'{"type":"url_verification","challenge":"3eZbrw1aB","token":"x"}')
    assert list(slack().parse(given)) == []
    answer = slack().respond(given)
    assert (answer.status, json.loads(answer.body)) == (200, {"challenge": "3eZbrw1aB"})
    assert answer.content_type.startswith("application/json")


def test_a_certificate_check_is_answered() -> None:
    given = incoming(b"ssl_check=1&token=x", FORM)
    assert list(slack().parse(given)) == []
    assert slack().respond(given).status == 200


def test_a_slash_command_is_an_agents_command() -> None:
    body = slash_command(
        "U0AGENT", "C1", " open a&b@example.com erasure ", "https://hooks.slack.com/commands/1", "7.8.9"
    )
    given = incoming(body, FORM)
    (command,) = slack().parse(given)
    assert isinstance(command, AgentCommand)
    expected = ("7.8.9", "U0AGENT", "open a&b@example.com erasure", "https://hooks.slack.com/commands/1")
    assert (command.event_id, command.agent, command.text, command.response_url) == expected
    assert command.sent_at == datetime.fromtimestamp(int(given.headers["x-slack-request-timestamp"]), UTC)
    acknowledged = slack().respond(given)
    assert (acknowledged.status, acknowledged.body) == (200, "")


def test_a_command_that_says_payload_is_not_lost() -> None:
    (command,) = slack().parse(incoming(slash_command("U0AGENT", "C1", "show payload", "https://x", "1.2.3"), FORM))
    assert isinstance(command, AgentCommand)
    assert command.text == "show payload"


@pytest.mark.parametrize("action", ["show", "approve", "withdraw"])
def test_a_button_is_a_command(action: str) -> None:
    given = incoming(button_press("U0AGENT", "C1", action, "PR-7K2M9X", "https://hooks.slack.com/a", "4.5.6"), FORM)
    (command,) = slack().parse(given)
    assert isinstance(command, AgentCommand)
    assert (command.event_id, command.agent, command.text) == ("4.5.6", "U0AGENT", f"{action} PR-7K2M9X")
    assert slack().respond(given).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (button_press("U0AGENT", "C1", "explode", "PR-7K2M9X", "https://x", "1.2"), FORM),
        (button_press("U0AGENT", "C1", "approve", "PR-1 and more", "https://x", "1.2"), FORM),
        (urlencode({"payload": json.dumps({"type": "view_submission", "user": {"id": "U1"}})}).encode(), FORM),
        (urlencode({"payload": "[]"}).encode(), FORM),
        (urlencode({"payload": "{"}).encode(), FORM),
        (urlencode({"command": "/privacy", "text": "list"}).encode(), FORM),
        (b"nothing=known", FORM),
        (b"", FORM),
        (b'{"type":"app_rate_limited","minute_rate_limited":1}', JSON),
        (b'{"type":"event_callback"}', JSON),
        (changed(ts="x"), JSON),
        (changed(user=None), JSON),
    ],
)
def test_what_is_authentic_but_strange_goes_to_quarantine_and_is_still_acknowledged(
    body: bytes, content_type: str
) -> None:
    with pytest.raises(PayloadNotUnderstood) as raised:
        slack().parse(incoming(body, content_type))
    assert MARIA not in str(raised.value)
    assert slack().respond(incoming(body, content_type)).status == 200


def test_bolt_is_deaf_to_the_environment_to_headers_and_to_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "something-else")
    caplog.set_level(logging.DEBUG)
    body = slash_command("U0AGENT", "C1", "list", "https://x", "1.2.3")
    headers = {**signed(SECRET, body, FORM), "X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "x"}
    channel = slack()
    assert len(channel.parse(delivery(body, headers))) == 1
    with pytest.raises(PayloadNotUnderstood):
        channel.parse(incoming(b'{"type":"strange","event":{"text":"maria.pop@example.com"}}'))
    assert MARIA not in caplog.text
    assert not [record for record in caplog.records if "bolt" in record.name]
    assert capfd.readouterr() == ("", "")


def test_a_delivery_is_sorted_in_a_few_milliseconds() -> None:
    channel, given = slack(), incoming(MESSAGE)
    channel.parse(given)
    start = time.process_time()
    for _ in range(50):
        channel.parse(given)
    assert (time.process_time() - start) / 50 < 0.02


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<mailto:a@b.c>", "a@b.c"),
        ("<tel:+40721|0721>", "0721"),
        ("<https://x.example/y|x.example/y>", "https://x.example/y"),
        ("<https://x.example|here>", "here (https://x.example)"),
        ("<@U012AB>, see <#C1|general> <!subteam^S1|@team>", "<@U012AB>, see general @team"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_text_is_unescaped(sent: str, typed: str) -> None:
    assert unescape(sent) == typed


@pytest.mark.parametrize(
    "typed", ["Delete a@b.co, please!", "1 < 2 && 3 > 2", "see https://x.example/a?b=1&c=2", "&lt;"]
)
def test_what_the_twin_marks_up_is_unescaped_to_the_same(typed: str) -> None:
    assert unescape(as_sent(typed)) == typed


def test_long_texts_are_cut_into_sections_without_loss() -> None:
    text = "\n".join(f"line {n} <&> with words" for n in range(600)) + "x" * 7000 + "&" * 5000
    pieces = sections(text)
    assert all(0 < len(piece) <= 3000 for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(escape(text).split())


def test_the_vendor_is_off_without_variables_and_names_what_is_missing() -> None:
    assert SlackSettings.from_env({"SLACK_AGENTS": "U1"}) is None
    with pytest.raises(ConfigurationError, match="SLACK_SIGNING_SECRET: is missing") as raised:
        SlackSettings.from_env({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_API_URL": "no url"})
    assert "SLACK_AGENT_CHANNEL" in str(raised.value)
    assert "SLACK_API_URL" in str(raised.value)
    assert "xoxb" not in str(raised.value)


def test_only_named_members_are_agents() -> None:
    assert slack().is_agent("U0AGENT")
    assert slack().is_agent("U0OTHER")
    assert not slack().is_agent("U0")
    assert not slack().is_agent("")
    assert not slack(SLACK_AGENTS="").is_agent("U0AGENT")


@pytest.mark.parametrize(
    ("env", "base"),
    [
        ({}, "https://hooks.slack.com"),
        ({"SLACK_API_URL": "http://127.0.0.1:8001/slack"}, "http://127.0.0.1:8001"),
        ({"SLACK_HOOKS_URL": "https://hooks.gov.example/"}, "https://hooks.gov.example"),
    ],
)
def test_response_urls_belong_to_one_host(env: dict[str, str], base: str) -> None:
    settings = SlackSettings.from_env({**ENV, **env})
    assert settings is not None
    assert settings.hooks_base == base


@pytest.mark.parametrize(
    ("code", "expected", "retry"),
    [
        ("ratelimited", VendorRateLimited, True),
        ("invalid_auth", CredentialsRejected, False),
        ("token_revoked", CredentialsRejected, False),
        ("not_authed", CredentialsRejected, False),
        ("missing_scope", CredentialsRejected, False),
        ("users_not_found", NotFound, False),
        ("fatal_error", VendorUnavailable, True),
        ("internal_error", VendorUnavailable, True),
        ("service_unavailable", VendorUnavailable, True),
        ("request_timeout", VendorUnavailable, True),
        ("cant_delete_message", VendorRefused, False),
    ],
)
@responses.activate
def test_an_error_inside_a_200_is_a_typed_error(code: str, expected: type[VendorError], retry: bool) -> None:
    responses.post("https://slack.com/api/auth.test", json={"ok": False, "error": code}, headers={"Retry-After": "7"})
    with pytest.raises(VendorError) as raised:
        slack().check()
    assert type(raised.value) is expected
    assert raised.value.retry is retry
    if isinstance(raised.value, VendorRateLimited):
        assert raised.value.retry_after == 7
    if isinstance(raised.value, VendorRefused):
        assert raised.value.code == code
    assert responses.calls[0].request.headers["Authorization"] == "Bearer xoxb-of-the-test"


@responses.activate
def test_nothing_that_slack_copied_reaches_an_error_text() -> None:
    responses.post("https://slack.com/api/auth.test", json={"ok": False, "error": "maria.pop@example.com"})
    with pytest.raises(VendorRefused) as raised:
        slack().check()
    assert MARIA not in f"{raised.value} {raised.value.code}"


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"ok": 1}', '{"ok": "false"}', "<html>"])
@responses.activate
def test_an_answer_without_ok_is_unexpected(body: str) -> None:
    responses.post("https://slack.com/api/auth.test", body=body)
    with pytest.raises(VendorAnswerUnexpected):
        slack().check()


@responses.activate
def test_a_cursor_that_leads_in_a_circle_ends() -> None:
    page = {"ok": True, "members": [], "response_metadata": {"next_cursor": "again"}}
    responses.post("https://slack.com/api/users.list", json=page)
    settings = SlackSettings.from_env(ENV)
    assert settings is not None
    with pytest.raises(VendorAnswerUnexpected):
        list(SlackApi(settings).each("users.list", "members"))


@responses.activate
def test_a_message_of_unknown_fate_is_not_sent_again() -> None:
    responses.post("https://slack.com/api/chat.postMessage", status=502)
    with pytest.raises(VendorUnavailable):
        slack().reply(REF, Reply("hello"), idempotency_key="k")
    assert len(responses.calls) == 1


@pytest.mark.skipif(not SPECS.exists(), reason="Slack's specification is not beside the repository")
def test_events_agree_with_the_specification() -> None:
    schema = json.loads((SPECS / "slack_common_event_wrapper_schema.json").read_text())
    schema["required"].remove("authed_users")  # `authorizations` has replaced it since
    event = message_event("D1", {"type": "message", "user": "U1", "text": "hi", "ts": "1525215129.000001"}, "1")
    for body in (event, MESSAGE):
        jsonschema.validate(json.loads(body), schema)


def test_the_manifest_asks_for_what_the_connector_calls() -> None:
    manifest = (Path(__file__).parents[1] / "slack-manifest.yaml").read_text()
    for scope in (
        "chat:write",
        "commands",
        "im:history",
        "im:read",
        "users:read",
        "users:read.email",
        "users.profile:read",
    ):
        assert f"- {scope} #" in manifest, scope
    assert "- message.im" in manifest
    assert manifest.count("https://privacy.example.com/slack/events") == 3
