"""The main job over real HTTP: each right in each channel, from the first message to what is true at the processors."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import requests

from integrations.twin import Person
from tests.house import House

CHANNELS = ("intercom", "zendesk", "zendesk-messaging", "slack", "mailgun")
# Words for each right that no classifier may miss.
ASK = {
    "erasure": "Please delete my account and all my personal data.",
    "export": "Please send me a copy of all personal data you hold about me.",
    "unsubscribe": "Please unsubscribe me from your newsletter, I want no more marketing mail.",
    "objection": "I object to the processing of my personal data, please stop using it for profiling.",
}


# What the certificate names as staying: the mails of the desk itself and Mailgun's expiring events, suppressions that
# must outlive an erasure, and the Slack profile that only the workspace's owner can delete (a task).
RESIDUE = {
    "mailgun": ("messages", "events", "unsubscribes", "complaints", "conversations"),
    "hubspot": ("optouts",),
    "sentry": ("jobs",),
    "slack": ("users",),
    # Tasks for a person, by the table of issue and vendors: Jira's change history, and the two chats without deletion.
    "atlassian": ("issues",),
    "tawkto": ("contacts", "conversations", "tickets"),
    "smartsupp": ("contacts", "conversations"),
}


def customer(house: House, channel: str) -> Person:
    """Somebody who can write in the channel, and stands in the own database too."""
    return (
        house.person(channel, "own_database") if channel != "zendesk-messaging" else house.person("zendesk-messaging")
    )


def held(house: House, vendor: str, address: str) -> bool:
    state = {k: v for k, v in house.state(vendor).items() if k != "requests"}
    return address in json.dumps(state)


def receipts_of(house: House, reference: str) -> dict[str, dict[str, Any]]:
    result = house.app.test_cli_runner().invoke(args=["dsr", "show", reference, "--json"])
    assert result.exit_code == 0, result.output
    shown = json.loads(result.output[result.output.index("{") :])
    return {"": shown, **{f"{s['processor']}.{s['operation']}": s for s in shown["steps"]}}


def status(house: House, reference: str) -> str:
    return str(receipts_of(house, reference)[""]["status"])


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_erasure_is_carried_out_and_proved(house: House, channel: str) -> None:
    person = customer(house, channel)
    conversation = house.say(channel, ASK["erasure"], person.email)
    house.hear(channel, conversation)
    house.say(channel, f"here it is: {house.code(person.email).lower()}", person.email, conversation)
    reference = house.reference(house.hear(channel, conversation, 2))
    certificate = house.mail(person.email, f"Certificate {reference}")
    assert status(house, reference) in ("partially_completed", "completed")
    for vendor in person.at & {"own_database", "intercom", "zendesk", "zendesk-messaging", "mailchimp"}:
        assert not held(house, vendor, person.email), vendor
    for processor in house.desk.policy.processors:
        assert processor.label in certificate["text"]
    assert house.desk.policy.own_database.label in certificate["text"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_unsubscribe_is_immediate_and_needs_no_proof(house: House, channel: str) -> None:
    person = customer(house, channel)
    conversation = house.say(channel, ASK["unsubscribe"], person.email)
    reference = house.reference(house.hear(channel, conversation))
    assert not house.mails(person.email, "code")
    house.wait(
        lambda: status(house, reference) in ("completed", "partially_completed"), "the suppression at the senders"
    )
    row = next(r for r in house.state("own_database")["accounts"] if r["email"] == person.email)
    assert row["marketing_opt_out"] in (True, 1)


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_export_is_a_package_behind_a_one_time_link(house: House, channel: str) -> None:
    person = customer(house, channel)
    conversation = house.say(channel, ASK["export"], person.email)
    house.say(channel, house.code(person.email), person.email, conversation)
    reference = house.reference(house.hear(channel, conversation, 2))
    link = next(word for word in house.mail(person.email, "/download/")["text"].split() if "/download/" in word)
    assert requests.get(link, timeout=10).status_code == 200
    assert requests.post(link, data={"word": "WRONG2"}, timeout=10).headers["Content-Type"].startswith("text/html")
    form = _second_factor(house, channel, conversation, person.email, link)
    package = requests.post(link, data=form, timeout=30)
    assert package.headers["Content-Type"] == "application/zip"
    assert package.content[:2] == b"PK"
    again = requests.post(link, data=form, timeout=10)
    assert again.headers["Content-Type"].startswith("text/html")
    assert status(house, reference) in ("completed", "partially_completed")


def _second_factor(house: House, channel: str, conversation: str, address: str, link: str) -> dict[str, str]:
    """The word from the chat; where the conversation is in the link's own mailbox, a code of ten minutes."""
    if channel in house.desk.by_mail:
        assert 'name="word"' not in requests.get(link, timeout=10).text
        assert not house.mails(address, "asks for this word"), (
            "it would lie beside the link for as long as the link works"
        )
        assert requests.post(link, data={"do": "send"}, timeout=10).status_code == 200
        return {"code": house.code(address, 2)}
    told = house.hear(channel, conversation, 3)
    return {"word": next(w for w in told.replace(".", " ").split() if len(w) == 6 and w.isupper() and w.isalnum())}


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_objection_suppresses_at_once_and_restricts_once_proved(house: House, channel: str) -> None:
    person = customer(house, channel)
    conversation = house.say(channel, ASK["objection"], person.email)
    reference = house.reference(house.hear(channel, conversation))
    account = lambda: next(r for r in house.state("own_database")["accounts"] if r["email"] == person.email)  # noqa: E731
    house.wait(lambda: account()["marketing_opt_out"] in (True, 1), "the suppression")
    assert account()["restricted"] in (False, 0)
    house.say(channel, house.code(person.email), person.email, conversation)
    house.wait(lambda: account()["restricted"] in (True, 1), "the restriction")
    assert reference


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_age_report_tags_the_account_and_waits_for_an_agent_who_may_hold_it(house: House, channel: str) -> None:
    reporter, child = customer(house, channel), house.person("own_database", "intercom")
    text = f"My son is 12 years old and made an account with you, his address there is {child.email}"
    conversation = house.say(channel, text, reporter.email)
    reference = house.reference(house.hear(channel, conversation))
    account = lambda: next(r for r in house.state("own_database")["accounts"] if r["email"] == child.email)  # noqa: E731
    house.wait(lambda: "privacy_under_16_reported" in account()["flags"], "the tag")
    assert account()["restricted"] in (False, 0)
    assert status(house, reference) == "waiting_for_agent"
    house.command(f"approve {reference}")
    house.wait(lambda: account()["restricted"] in (True, 1), "the hold")


def test_a_rectification_waits_for_proof_and_an_agent_and_reaches_the_processors(house: House) -> None:
    person = house.person("intercom", "own_database")
    conversation = house.say("intercom", "My name is spelled wrong in my account, please correct it.", person.email)
    house.say("intercom", house.code(person.email), person.email, conversation)
    reference = house.reference(house.hear("intercom", conversation, 2))
    assert status(house, reference) == "waiting_for_agent"
    run = house.app.test_cli_runner().invoke
    assert "Not done" in house.command(f"approve {reference}")
    assert run(args=["dsr", "rectify", reference, "name=Maria Corrected"]).exit_code == 0
    account = lambda: next(r for r in house.state("own_database")["accounts"] if r["email"] == person.email)  # noqa: E731
    house.wait(lambda: account()["full_name"] == "Maria Corrected", "the correction")


def test_marias_erasure_leaves_only_named_residue(house: House) -> None:
    maria = "maria.pop@example.com"
    named = (maria, hashlib.sha256(maria.encode()).hexdigest())  # Google and Meta keep the digest
    for name, twin in house.twins.items():
        # MaxMind's database is local and names nobody; its twin holds nothing before and after.
        assert any(mark in json.dumps(twin.state()) for mark in named) is (name != "maxmind"), name
    conversation = house.say("intercom", "please delete my account and everything you have on me", maria)
    first = house.hear("intercom", conversation)
    assert "PR-" not in first
    house.say("intercom", house.code(maria), maria, conversation)
    reference = house.reference(house.hear("intercom", conversation, 2))
    certificate = house.mail(maria, f"Certificate {reference}")["text"]
    assert status(house, reference) == "partially_completed"
    by_hand = {s["processor"] for s in receipts_of(house, reference)[""]["steps"] if s["outcome"] == "manual"}
    # The chats without deletion, Slack's profile, Jira's change history, and the data that Paddle holds as the seller.
    assert by_hand == {"tawkto", "smartsupp", "slack", "atlassian", "paddle"}
    assert certificate.count("with a person until") == len(by_hand)
    for name, twin in house.twins.items():
        state = {k: v for k, v in twin.state().items() if k not in ("requests", "meta")}
        state = {k: v for k, v in state.items() if k not in RESIDUE.get(name, ())}
        assert not any(mark in json.dumps(state) for mark in named), name


def test_an_erasure_can_be_withdrawn_in_time(house: House) -> None:
    person = house.person("intercom", "own_database")
    conversation = house.say("intercom", ASK["erasure"], person.email)
    house.say("intercom", house.code(person.email), person.email, conversation)
    reference = house.reference(house.hear("intercom", conversation, 2))
    house.say("intercom", "Actually, no. I changed my mind, please keep my account.", person.email, conversation)
    house.wait(lambda: status(house, reference) == "withdrawn", "the withdrawal")
    assert held(house, "own_database", person.email)


def test_ordinary_support_talk_gets_no_answer(house: House) -> None:
    person = house.person("intercom", "own_database")
    quiet = house.say("intercom", "How do I export my contacts to CSV?", person.email)
    loud = house.say("intercom", ASK["unsubscribe"], house.person("intercom").email)
    house.hear("intercom", loud)
    assert house.heard("intercom", quiet) == []


def test_a_code_typed_in_another_conversation_proves_nothing_and_is_not_spent(house: House) -> None:
    person = house.person("intercom", "own_database")
    right_one = house.say("intercom", ASK["erasure"], person.email)
    code = house.code(person.email)
    other = house.say("intercom", code, "somebody.else@example.net")
    house.hear("intercom", other)
    assert held(house, "own_database", person.email)
    house.say("intercom", code, person.email, right_one)
    house.reference(house.hear("intercom", right_one, 2))


def test_an_agent_sees_opens_and_withdraws_requests_in_slack(house: House) -> None:
    person = house.person("own_database", "intercom")
    opened = house.command(f"open {person.email} erasure")
    reference = house.reference(opened)
    assert person.email not in house.command(f"show {reference}")
    assert reference in "".join(house.command(f"list {page}") for page in range(1, 12))
    assert "they end before" in house.command("list 999")
    assert "say `/privacy list`" in house.command("list soon")
    assert "not proved" in house.command(f"approve {reference}") or "Not done" in house.command(f"approve {reference}")
    house.command(f"withdraw {reference}")
    house.wait(lambda: status(house, reference) == "withdrawn", "the withdrawal")
    assert "Sorry" in house.command("list", user="U0STRANGER")
