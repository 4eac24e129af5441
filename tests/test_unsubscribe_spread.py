"""Who unsubscribes at one sender is unsubscribed at the others: each vendor's own webhook, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from dsr import suppression
from integrations.twin import Person
from tests.house import House


def mailchimp(house: House, person: Person) -> bool:
    mine = [m for m in house.state("mailchimp")["members"] if m["email_address"] == person.email]
    return bool(mine) and not {m["status"] for m in mine} & {"subscribed", "pending"}


def mailgun(house: House, person: Person) -> bool:
    mine = {r["domain"] for r in house.state("mailgun")["unsubscribes"] if r["email"] == person.email}
    return mine >= {"news.intellimails.com", "mg.intellimails.com"}


def intercom(house: House, person: Person) -> bool:
    mine = [c for c in house.state("intercom")["contacts"] if c["email"] == person.email]
    return bool(mine) and all(c["unsubscribed_from_emails"] for c in mine)


def hubspot(house: House, person: Person) -> bool:
    return person.email in {o["email"] for o in house.state("hubspot")["optouts"]}


def by_say(vendor: str, **more: str) -> Callable[[House, Person], None]:
    return lambda house, person: house.say(vendor, "", person.email, **more) and None


def by_button(vendor: str) -> Callable[[House, Person], None]:
    def press(house: House, person: Person) -> None:
        url = f"{house.twins_url}/{vendor}/_twin/unsubscribe"
        assert requests.post(url, json={"email": person.email}, timeout=20).status_code == 200

    return press


SENDERS = {"mailchimp": mailchimp, "mailgun": mailgun, "intercom": intercom, "hubspot": hubspot}
PRESSES: dict[str, Callable[[House, Person], None]] = {
    "mailchimp": by_say("mailchimp", event="unsubscribe"),
    "mailgun": by_say("mailgun", event="unsubscribed", domain="news.intellimails.com"),
    "intercom": by_button("intercom"),
    "hubspot": by_button("hubspot"),
}


@pytest.mark.parametrize("vendor", PRESSES)
def test_who_unsubscribes_at_one_sender_is_unsubscribed_at_the_others(house: House, vendor: str) -> None:
    person = house.person(*{"intercom", "mailchimp", vendor})
    PRESSES[vendor](house, person)

    def suppressed() -> bool:
        with house.desk.db.read() as conn:
            return suppression.suppressed(house.desk, conn, [person.email]) == [person.email]

    house.wait(suppressed, "the desk's own list")
    for name in {"mailchimp", "mailgun", "intercom", vendor} | ({"hubspot"} & person.at):
        house.wait(lambda name=name: SENDERS[name](house, person), f"{name} to hear of it")  # type: ignore[misc]


def test_who_subscribes_again_gets_mail_from_the_senders_again(house: House) -> None:
    person = house.person("intercom", "mailgun", "mailchimp")
    path = "/unsubscribe/" + suppression.token(house.desk, person.email)
    client = house.app.test_client()
    client.post(path, data={"List-Unsubscribe": "One-Click"})
    for name in ("intercom", "mailgun", "mailchimp"):
        house.wait(lambda name=name: SENDERS[name](house, person), f"{name} to stop")  # type: ignore[misc]
    client.post(path, data={"do": "resubscribe"})

    def again() -> bool:
        mine = [m["status"] for m in house.state("mailchimp")["members"] if m["email_address"] == person.email]
        return not intercom(house, person) and not mailgun(house, person) and "pending" in mine

    house.wait(again, "the senders to mail again")
    assert not any(r["email"] == person.email for r in house.state("mailgun")["unsubscribes"])
    house.wait(lambda: "HubSpot" in client.get(path).text, "the page to tell")
