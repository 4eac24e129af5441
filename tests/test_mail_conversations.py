"""Whole conversations by mail, over real HTTP with the stand-in of Mailgun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dsr import suppression
from integrations.mailgun.twin import MailgunTwin
from integrations.mailgun.twin_mail import post
from tests.gauntlet import Case, requests_of, settle
from tests.house import CODE, House

DELETE = "Please delete my account and all my personal data."


def verified(house: House, address: str) -> list[str]:
    return [r.right for r in requests_of(house, address) if r.verified_at]


def to(house: House, address: str) -> list[dict[str, Any]]:
    return [m for m in house.state("mailgun")["messages"] if m["to"] == address]


def settled(house: House) -> None:
    """Everything that came by mail or in tawk.to is handled, and everything is sent."""
    began = datetime(2020, 1, 1, tzinfo=UTC)
    settle(house, [Case({"id": "mail"}, "erasure", channel, began) for channel in ("mailgun", "tawkto")], began)


def test_the_answer_and_the_code_are_one_mail_in_the_thread(house: House) -> None:
    person = house.person("own_database")
    thread = house.say(
        "mailgun", DELETE, person.email, subject=f"Delete {person.name}, born 1980", to="support@intellimails.com"
    )
    house.hear("mailgun", thread)
    (mail,) = to(house, person.email)
    assert CODE.search(mail["text"])
    assert "delete your account" in mail["text"]
    assert mail["from"] == "support@intellimails.com"
    assert mail["headers"]["Auto-Submitted"] == "auto-replied"
    assert mail["headers"]["In-Reply-To"] == mail["headers"]["References"]
    assert mail["subject"] == "Re: Your message to IntelliMails"


def test_a_code_above_the_quoted_mail_is_enough_and_one_inside_the_quotation_is_not(house: House) -> None:
    person = house.person("own_database")
    thread = house.say("mailgun", DELETE, person.email)
    mail = house.mail(person.email, "code")
    echo = f"Thank you for your mail, we will look at it.\n\n{mail['text']}"  # a ticket system that marks no quotation
    house.say("mailgun", echo, person.email, thread)
    settled(house)
    assert not verified(house, person.email)
    quoted = "\n".join(f"> {line}" for line in mail["text"].split("\n"))
    above = (
        f"{house.code(person.email).lower()}\n\nOn Mon, 23 Nov 2026 at 10:00, IntelliMails <dpo@x.eu> wrote:\n{quoted}"
    )
    house.say("mailgun", above, person.email, thread)
    house.wait(lambda: verified(house, person.email) == ["erasure"], "the proof")


def test_an_answer_that_names_only_our_mail_finds_back(house: House) -> None:
    """Some mail programs send In-Reply-To alone; the code mail itself is what they answer."""
    person = house.person("own_database")
    house.say("mailgun", DELETE, person.email)
    mail = house.mail(person.email, "code")
    house.say("mailgun", house.code(person.email), person.email, headers={"In-Reply-To": mail["id"]})
    house.wait(lambda: verified(house, person.email) == ["erasure"], "the proof")


def test_an_answer_of_somebody_else_in_the_thread_proves_nothing(house: House) -> None:
    person = house.person("own_database")
    house.say("mailgun", DELETE, person.email)
    mail = house.mail(person.email, "code")
    other = f"other.{person.email}"
    house.say("mailgun", house.code(person.email), other, headers={"In-Reply-To": mail["id"]})
    settled(house)
    assert not verified(house, person.email)
    assert not verified(house, other)


def test_a_forged_sender_gets_nothing_and_its_owner_few_mails(house: House) -> None:
    person = house.person("own_database")
    attacker = "mallory@attackers.example.net"
    for _ in range(6):
        house.say("mailgun", DELETE, person.email, dkim="none", reply_to=attacker)
    settled(house)
    got = to(house, person.email)
    assert len(got) == 3
    assert all(CODE.search(m["text"]) for m in got)
    assert to(house, attacker) == []
    assert not verified(house, person.email)


def test_answers_to_an_unproved_address_are_few_as_well(house: House) -> None:
    person = house.person("own_database")
    for _ in range(5):
        house.say("mailgun", "Please unsubscribe me from your newsletter.", person.email, dkim="none")
    settled(house)
    assert len(to(house, person.email)) == 3


@pytest.mark.parametrize(
    "headers",
    [{"Auto-Submitted": "auto-replied"}, {"List-Id": "<x.y>"}, {"Precedence": "junk"}],
    ids=lambda h: next(iter(h)),
)
def test_a_robot_is_not_answered(house: House, headers: dict[str, str]) -> None:
    robot = f"robot.{next(iter(headers)).lower()}@example.org"
    house.say("mailgun", DELETE, robot, headers=headers)
    house.say("mailgun", DELETE, robot, sender="")
    settled(house)
    assert to(house, robot) == []


def test_our_own_mailboxes_are_not_answered(house: House) -> None:
    thread = house.say("mailgun", DELETE, "support@intellimails.com")
    settled(house)
    assert house.heard("mailgun", thread) == []


def test_the_same_mail_delivered_twice_has_one_effect(house: House) -> None:
    person = house.person("own_database")
    house.say("mailgun", DELETE, person.email)
    twin = house.twins["mailgun"]
    assert isinstance(twin, MailgunTwin)
    mail = next(m for m in twin.records["stored"].values() if m.get("email") == person.email)
    assert post(twin, mail) == 200  # with a signature of its own, as a repeated delivery may have
    settled(house)
    assert len(to(house, person.email)) == 1


def test_ordinary_support_mail_is_left_to_people(house: House) -> None:
    person = house.person("own_database")
    thread = house.say(
        "mailgun", "How do I import my contacts from a CSV file?", person.email, to="support@intellimails.com"
    )
    settled(house)
    assert house.heard("mailgun", thread) == []


@pytest.mark.parametrize("text", ["", "See subject.\n\nMaria"])
def test_a_mail_that_says_everything_in_its_subject_is_answered(house: House, text: str) -> None:
    person = house.person("own_database")
    thread = house.say("mailgun", text, person.email, subject="Please delete my account and all my data")
    assert CODE.search(house.hear("mailgun", thread))
    house.say("mailgun", house.code(person.email), person.email, thread)
    house.wait(lambda: verified(house, person.email) == ["erasure"], "the proof")


@pytest.mark.parametrize(("channel", "more"), [("zendesk", {}), ("tawkto", {"event": "ticket:create"})])
def test_a_ticket_that_says_everything_in_its_subject_is_answered(
    house: House, channel: str, more: dict[str, str]
) -> None:
    person = house.person("own_database")
    house.say(channel, "See subject.", person.email, subject="Please delete my account and all my data", **more)
    assert house.code(person.email)


def test_a_mail_in_html_and_another_language_is_answered_in_it(house: House) -> None:
    person = house.person("own_database")
    html = "<html><body><p>Bitte löschen Sie mein Konto und alle meine Daten.</p></body></html>"
    thread = house.say("mailgun", "", person.email, html=html)
    assert "Dies ist der Code" in house.hear("mailgun", thread)


def test_two_senders_in_one_mail_are_asked_for_one_address(house: House) -> None:
    person = house.person("own_database")
    attacker = f"mallory.{person.account_id}@attackers.example.net"
    house.say("mailgun", DELETE, f"{attacker}, {person.email}")
    mail = house.mail(attacker)
    assert "Which e-mail address" in mail["text"]
    assert to(house, person.email) == []


def test_a_mail_by_the_unsubscribe_header_suppresses_at_once(house: House) -> None:
    person = house.person("mailchimp", "own_database")
    headers = suppression.list_unsubscribe_headers(house.desk, person.email)
    https, mailto = headers["List-Unsubscribe"].split(", ")
    assert https.startswith("<http")
    address, _, token = mailto.removeprefix("<mailto:").removesuffix(">").partition("?subject=")
    house.say(
        "mailgun",
        "",
        f"another.{person.email}",
        to=address,
        subject=token,
        headers={"Auto-Submitted": "auto-generated"},
    )

    def suppressed() -> list[str]:
        with house.desk.db.read() as conn:
            return suppression.suppressed(house.desk, conn, [person.email, f"another.{person.email}"])

    assert house.wait(suppressed, "the suppression") == [person.email]

    def statuses() -> set[str]:
        return {m["status"] for m in house.state("mailchimp")["members"] if m["email_address"] == person.email}

    # What bounced or was archived there gets no mail and stays as it is.
    stopped = {"unsubscribed", "cleaned", "archived"}
    house.wait(lambda: "unsubscribed" in (seen := statuses()) and seen <= stopped, "MailChimp to hear of it")
    assert to(house, person.email) == []


def test_a_thread_is_handed_to_the_people_behind_the_mailbox_without_personal_data(house: House) -> None:
    person = house.person("own_database")
    thread = house.say("mailgun", DELETE, person.email, to="support@intellimails.com")
    house.hear("mailgun", thread)
    house.say("mailgun", "I want to speak to a human, please.", person.email, thread, to="support@intellimails.com")
    (note,) = house.wait(lambda: house.heard("mailgun", thread, notes=True), "the note")
    assert "hands this conversation" in note
    assert person.email not in note
    assert person.name not in note
    assert house.mail("support@intellimails.com", "hands this conversation")["headers"]["In-Reply-To"]


def test_who_proves_another_address_is_not_proved_under_their_own(house: House) -> None:
    """A forger may prove a mailbox of theirs in the victim's name; the victim still gets three mails an hour."""
    person = house.person("own_database")
    for n in range(3):
        own = f"mallory.{n}.{person.account_id}@attackers.example.net"
        thread = house.say("mailgun", f"{DELETE} My address is {own}", person.email, dkim="none")
        house.say("mailgun", own, person.email, thread, dkim="none")
        house.say("mailgun", house.code(own), person.email, thread, dkim="none")
        house.wait(lambda own=own: verified(house, own), "the forger's own proof")
    settled(house)
    assert len(to(house, person.email)) == 3
    assert verified(house, person.email) == []
