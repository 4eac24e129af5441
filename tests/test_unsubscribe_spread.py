"""Who unsubscribes at one sender is unsubscribed at the others: each vendor's own webhook, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
import sqlalchemy as sa

from dsr import suppression
from dsr.model import Identities, Instruction, Operation, Right
from dsr.store import tables
from dsr.store.database import make_engine
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

    def over() -> bool:
        c = tables.requests.c
        query = sa.select(c.status).where(c.address_hash == house.desk.vault.hash("address", person.email))
        with house.desk.db.read() as conn:
            return set(conn.execute(query).scalars()) <= {"completed", "partially_completed"}

    house.wait(over, "every sender to be told")
    assert all(SENDERS[name](house, person) for name in ("intercom", "mailgun", "mailchimp"))
    client.post(path, data={"do": "resubscribe"})

    def again() -> bool:
        mine = [m["status"] for m in house.state("mailchimp")["members"] if m["email_address"] == person.email]
        return not intercom(house, person) and not mailgun(house, person) and "pending" in mine

    house.wait(again, "the senders to mail again")
    assert not any(r["email"] == person.email for r in house.state("mailgun")["unsubscribes"])
    house.wait(lambda: "HubSpot" in client.get(path).text, "the page to tell")


def test_who_subscribes_again_to_our_mail_has_not_subscribed_to_that_of_our_customers(house: House) -> None:
    person = house.person("own_database")
    own = house.app.extensions["connections"].processors["own_database"]
    engine = make_engine(house.twins["own_database"].world.env["OWN_DATABASE_URL"], pool_size=1)
    with engine.begin() as conn:  # somebody else's list has the same address
        row = {"id": "sub-again", "account_id": "another", "email": person.email, "name": "", "suppressed": False}
        conn.execute(sa.insert(sa.table("subscribers", *map(sa.column, row))).values(row))
    engine.dispose()

    def flags() -> tuple[bool, bool]:
        state = house.state("own_database")
        rows = [next(r for r in state[t] if r["email"] == person.email) for t in ("accounts", "subscribers")]
        return bool(rows[0]["marketing_opt_out"]), bool(rows[1]["suppressed"])

    subject = Identities.of_email(person.email)
    own.perform(Instruction("PR-TEST01", Right.UNSUBSCRIBE, Operation.SUPPRESS, subject, "k"))
    assert flags() == (True, True)
    own.perform(Instruction("PR-TEST01", Right.UNSUBSCRIBE, Operation.LIFT, subject, "k"))
    assert flags() == (False, True)
