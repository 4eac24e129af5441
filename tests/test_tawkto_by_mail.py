"""A chat in which nothing can be said begins a conversation by mail: proof and answers happen there."""

from __future__ import annotations

from typing import Any

from tests.gauntlet import requests_of
from tests.house import CODE, House
from tests.test_mail_conversations import settled, to
from tests.test_main_job import ASK, status


def verified(house: House, address: str) -> list[str]:
    return [r.reference for r in requests_of(house, address) if r.verified_at]


def test_an_erasure_that_begins_in_a_chat_is_proved_by_mail_and_carried_out(house: House) -> None:
    person = house.person("tawkto", "own_database")
    house.say("tawkto", ASK["erasure"], person.email)
    asked = house.mail(person.email, "confirms the request")
    assert "In-Reply-To" not in asked["headers"]
    house.say("mailgun", f"Here: {house.code(person.email)}", person.email, headers={"In-Reply-To": asked["id"]})
    (reference,) = house.wait(lambda: verified(house, person.email), "the proof")
    said = house.mail(person.email, "Thank you, the address is confirmed")
    assert said["headers"]["References"].split()[0] == asked["id"]
    mailed = lambda: house.mails(person.email, f"Certificate for your request {reference}")  # noqa: E731
    certificate = house.wait(mailed, "the certificate", 60)[0]
    assert "tawk.to, inc." in certificate["text"]
    assert status(house, reference) == "partially_completed"  # tawk.to itself is a task for a person
    assert all(row["email"] != person.email for row in house.state("own_database")["accounts"])


def test_a_message_left_while_nobody_was_there_is_answered_by_mail(house: House) -> None:
    person = house.person("own_database")
    house.say("tawkto", ASK["unsubscribe"], person.email, event="ticket:create")
    mail = house.mail(person.email, "no more promotional mail")
    assert not CODE.search(mail["text"])


def test_the_mail_is_the_same_whether_or_not_anything_is_held(house: House) -> None:
    person, nobody = house.person("tawkto", "own_database"), "nobody.at.all@example.net"
    for address in (person.email, nobody):
        house.say("tawkto", ASK["export"], address)

    def masked(mail: dict[str, Any]) -> str:
        return CODE.sub("CODE", "\n".join("LINK" if "http" in line else line for line in mail["text"].split("\n")))

    assert masked(house.mail(person.email, "confirms")) == masked(house.mail(nobody, "confirms"))


def test_many_chats_in_a_victims_name_mail_few_codes_to_them(house: House) -> None:
    person = house.person("own_database")
    for _ in range(6):
        house.say("tawkto", ASK["erasure"], person.email)
    settled(house)
    assert len(to(house, person.email)) == 3
    assert verified(house, person.email) == []


def test_somebody_else_who_answers_the_mail_proves_nothing(house: House) -> None:
    person = house.person("own_database")
    house.say("tawkto", ASK["erasure"], person.email)
    asked = house.mail(person.email, "confirms the request")
    house.say("mailgun", house.code(person.email), f"x.{person.email}", headers={"In-Reply-To": asked["id"]})
    settled(house)
    assert verified(house, person.email) == []


def test_who_left_no_address_is_brought_to_the_agents(house: House) -> None:
    house.say("tawkto", ASK["erasure"], "")
    told = lambda: [  # noqa: E731
        m["text"]
        for c in house.state("slack")["conversations"]
        for m in c.get("messages", [])
        if "left no e-mail address" in m.get("text", "")
    ]
    assert house.wait(told, "the agents to be told")
