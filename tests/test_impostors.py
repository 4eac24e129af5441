"""Holes for an impostor, closed: agents under two names, somebody else's record, a lock that stays, codes used up."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from dsr import identity
from dsr.store import tables
from tests.house import CODE, House
from tests.test_main_job import ASK, status

AGENT_ADDRESS = "u0agent@intellimails.example"  # the address of the member who is also an agent
NOT_ME = re.compile(r"https?://\S+/not-me/\w+")
VERIFY = re.compile(r"https?://\S+/verify/\w+")


def row(house: House, reference: str) -> sa.Row[Any]:
    with house.desk.db.read() as conn:
        return conn.execute(sa.select(tables.requests).where(tables.requests.c.reference == reference)).one()


def receipts(house: House, reference: str) -> dict[tuple[str, str], sa.Row[Any]]:
    r = tables.receipts
    with house.desk.db.read() as conn:
        found = conn.execute(sa.select(r).where(r.c.reference == reference)).all()
    return {(x.processor, x.operation): x for x in found}


def restricted(house: House, address: str) -> bool:
    accounts = house.state("own_database")["accounts"]
    return next(a for a in accounts if a["email"] == address)["restricted"] in (True, 1)


# ---- four eyes -------------------------------------------------------------------------------------------------------


def test_an_agent_who_reported_a_child_as_a_customer_cannot_hold_the_account_alone(house: House) -> None:
    child = house.person("own_database", "mailchimp").email
    text = f"My son is 12 years old and uses your service with the account {child}."
    conversation = house.say("slack", text, AGENT_ADDRESS)
    reference = house.reference(house.hear("slack", conversation))
    assert row(house, reference).opened_by == "customer"
    assert "four eyes" in house.command(f"approve {reference}")
    assert row(house, reference).held_by is None
    assert not restricted(house, child)


def test_another_agent_holds_what_a_customer_reported(house: House) -> None:
    child = house.person("own_database", "mailchimp").email
    reporter = house.person("slack").email
    text = f"My son is 12 years old and uses your service with the account {child}."
    reference = house.reference(house.hear("slack", house.say("slack", text, reporter)))
    assert "held" in house.command(f"approve {reference}")
    house.wait(lambda: restricted(house, child), "the hold")


# ---- the author's record carries another address ---------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["intercom", "zendesk", "zendesk-messaging", "smartsupp", "slack"])
def test_a_record_that_carries_another_address_is_left_alone_by_who_proved_theirs(house: House, channel: str) -> None:
    """Somebody writes from the victim's record and proves their own address (attacks G3, G18)."""
    victim = house.person(channel, "own_database").email
    own = house.person("own_database", "mailchimp").email
    conversation = house.say(channel, f"{ASK['erasure']} My address is {own}", victim)
    house.hear(channel, conversation)
    house.say(channel, own, victim, conversation)
    house.hear(channel, conversation, 2)
    house.say(channel, house.code(own), victim, conversation)
    reference = house.reference(house.hear(channel, conversation, 3))
    house.wait(lambda: status(house, reference) in ("partially_completed", "completed"), "the erasure", 40)
    vendor = row(house, reference).vendor
    step = receipts(house, reference)[vendor, "erase"]
    assert "More than one person" not in step.note
    with house.desk.db.read() as conn:
        sealed = row(house, reference)
        kept = house.desk.vault.open(conn, sealed.key_id, sealed.identities_enc) or []
        a = tables.audit.c
        left = conn.execute(sa.select(a.what).where(a.reference == reference, a.what == "identity.left")).first()
    assert left
    assert not [value for type, value in kept if type.startswith(vendor)]
    state = {k: v for k, v in house.state(channel).items() if k != "requests"}
    assert victim in repr(state), "the victim's record is there"
    assert [t for t in house.heard(channel, conversation) if t], "and the conversation too"


def test_the_record_of_who_proved_their_address_is_used(house: House) -> None:
    person = house.person("intercom", "own_database").email
    conversation = house.say("intercom", ASK["objection"], person)
    reference = house.reference(house.hear("intercom", conversation))
    house.say("intercom", house.code(person), person, conversation)
    house.wait(lambda: row(house, reference).identities_enc and row(house, reference).verified_at, "the proof")
    with house.desk.db.read() as conn:
        a = tables.audit.c
        assert not conn.execute(sa.select(a.what).where(a.reference == reference, a.what == "identity.left")).first()


# ---- a restriction is taken back -------------------------------------------------------------------------------------


def test_what_an_impostor_restricted_is_lifted_when_the_frozen_request_is_withdrawn(house: House) -> None:
    victim = house.person("intercom", "own_database", "mailchimp").email
    conversation = house.say("intercom", ASK["objection"], victim)
    reference = house.reference(house.hear("intercom", conversation))
    house.say("intercom", house.code(victim), victim, conversation)  # the victim read it out
    house.wait(lambda: restricted(house, victim), "the restriction")
    house.wait(lambda: status(house, reference) == "partially_completed", "the automated steps")
    link = NOT_ME.search(house.mail(victim, reference)["text"])
    assert link
    assert requests.post(link.group(), timeout=20).status_code == 200
    assert status(house, reference) == "frozen"
    assert restricted(house, victim), "nothing is lifted before an agent has looked"
    told = [m for c in house.state("slack")["conversations"] for m in c["messages"] if reference in m["text"]]
    assert any("restricted at" in m["text"] for m in told) or house.wait(
        lambda: any(
            reference in m["text"] and "restricted at" in m["text"]
            for c in house.state("slack")["conversations"]
            for m in c["messages"]
        ),
        "the agents to be told",
    )
    assert "withdrawn" in house.command(f"withdraw {reference}")
    house.wait(lambda: not restricted(house, victim), "the lift")
    steps = receipts(house, reference)
    begun = {p for (p, operation), x in steps.items() if operation == "restrict" and x.started_at}
    assert {p for p, operation in steps if operation == "lift"} == begun
    house.wait(
        lambda: all(
            x.status == "completed" or x.outcome == "manual"
            for (_, operation), x in receipts(house, reference).items()
            if operation == "lift"
        ),
        "every lift to be done or given to a person",
    )
    assert status(house, reference) == "withdrawn"


def test_a_hold_ends_with_an_agent_and_not_with_the_reporter(house: House) -> None:
    child = house.person("own_database", "mailchimp", "zendesk").email
    conversation = house.say("zendesk", "I am 12 years old and I have an account with you.", child)
    reference = house.reference(house.hear("zendesk", conversation))
    assert "held" in house.command(f"approve {reference}")
    house.wait(lambda: restricted(house, child), "the hold")
    house.say("zendesk", "I changed my mind, please cancel my request.", child, conversation)
    house.hear("zendesk", conversation, 2)
    assert status(house, reference) == "waiting_for_agent"
    house.command(f"withdraw {reference}")
    house.wait(lambda: not restricted(house, child), "the lift")


# ---- codes that are used up by somebody else -------------------------------------------------------------------------


def _use_up(house: House, address: str) -> None:
    for _ in range(identity.PER_HOUR + 1):
        conversation = house.say("zendesk-messaging", ASK["erasure"], address)
        house.hear("zendesk-messaging", conversation)


def codes_to(house: House, address: str) -> int:
    return sum(bool(CODE.search(m["text"])) for m in house.mails(address))


def test_who_uses_up_a_victims_codes_does_not_shut_the_victim_out_with_an_agent(house: House) -> None:
    victim = house.person("own_database", "intercom").email
    _use_up(house, victim)
    assert codes_to(house, victim) == identity.PER_HOUR
    conversation = house.say("intercom", ASK["export"], victim)  # the victim, honestly
    assert "code" in house.hear("intercom", conversation)
    assert codes_to(house, victim) == identity.PER_HOUR
    with house.desk.db.read() as conn:
        c = tables.requests.c
        mine = sa.select(c.reference).where(
            c.address_hash == house.desk.vault.hash("address", victim), c.right == "export"
        )
        reference = conn.execute(mine).scalar_one()
    assert "on its way" in house.command(f"code {reference}")
    mail = house.mail(victim, reference)
    link, code = VERIFY.search(mail["text"]), CODE.search(mail["text"])
    assert link
    assert code
    assert requests.post(link.group(), data={"code": code[1]}, timeout=20).status_code == 200
    assert row(house, reference).verified_at


def test_who_uses_up_a_victims_codes_does_not_shut_out_whom_the_channel_vouches_for(house: House) -> None:
    victim = house.person("slack", "own_database").email
    _use_up(house, victim)
    conversation = house.say("slack", ASK["export"], victim)
    house.hear("slack", conversation)
    house.say("slack", house.code(victim, identity.PER_HOUR + 1), victim, conversation)
    reference = house.reference(house.hear("slack", conversation, 2))
    assert row(house, reference).verified_by == "signed+code"


def test_the_agents_are_told_once_that_the_codes_are_used_up(house: House) -> None:
    victim = house.person("own_database").email
    _use_up(house, victim)
    _use_up(house, victim)
    told = house.desk
    key = f"limit:{told.vault.hash('address', victim)}:"
    with told.db.read() as conn:
        o = tables.outgoing.c
        rows = conn.execute(sa.select(tables.outgoing).where(o.key.startswith(key))).all()
        texts = [told.vault.open(conn, x.key_id, x.body_enc)["text"] for x in rows]
    assert len(texts) == 1
    assert victim not in texts[0]
