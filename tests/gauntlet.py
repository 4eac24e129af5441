"""A case of the gauntlet: who takes part, how a line of the table is played, and the acts outside the conversation."""

from __future__ import annotations

import re
import secrets
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from dsr.store import tables
from dsr.store.database import make_engine
from tests.house import CODE, PATIENCE, House

TABLE = tomllib.loads(Path(__file__).with_name("gauntlet.toml").read_text("utf-8"))
ASK = TABLE["ask"]
LONGEST = 9 * PATIENCE  # for a backlog of many cases on a busy machine
GUESS = "2345-6789"  # what is typed where the right mails no code
LINK = re.compile(r"https?://\S+/(?:verify|status|download|not-me|unsubscribe)/\w+")


@dataclass
class Case:
    """One attack for one right in one channel."""

    attack: dict[str, Any]
    right: str
    channel: str
    began: datetime
    victim: str = field(init=False)
    attacker: str = field(init=False)
    name: str = field(init=False)
    marker: str = field(init=False)  # stands in the victim's record and nowhere else
    conversations: list[str] = field(default_factory=list)
    spoken: int = 0

    def __post_init__(self) -> None:
        tag = secrets.token_hex(4)
        self.victim = f"kirsti.{tag}@victims.example.com"
        self.attacker = f"mallory.{tag}@attackers.example.net"
        self.name, self.marker = f"Kirsti {tag.capitalize()}", f"Strada Ascunsa {tag}"

    def __str__(self) -> str:
        return f"{self.attack['id']} {self.attack.get('variant', '')} × {self.right} × {self.channel}"


def open_accounts(house: House, cases: list[Case]) -> None:
    """The victims stand in the company's own database, with something that only that record holds."""
    engine = make_engine(house.twins["own_database"].world.env["OWN_DATABASE_URL"], pool_size=1)
    columns = "id email username full_name password_hash address company flags marketing_opt_out restricted created_at"
    rows = [
        dict(zip(columns.split(), (f"acc-{c.victim}", c.victim, "kirsti", c.name, "x", c.marker, "", "", False, False,
                                   "2024-01-11T09:00:00Z"), strict=True))
        for c in cases
    ]  # fmt: skip
    with engine.begin() as conn:
        conn.execute(sa.table("accounts", *map(sa.column, columns.split())).insert(), rows)
    engine.dispose()


def play(house: House, case: Case) -> None:
    for line in case.attack["play"]:
        who, _, text = line.partition(": ")
        if who == "does":
            _ACTS[text](house, case)
            continue
        elsewhere = who.startswith("elsewhere ")
        speaker = who.removeprefix("elsewhere ")
        address = {
            "as the victim": case.victim,
            "the victim": case.victim,
            "as themselves": case.attacker,
            "as nobody": f"nobody.{case.attacker}",
        }[speaker]
        conversation = "" if elsewhere or not case.conversations else case.conversations[-1]
        name = filled(house, case, case.attack.get("display_name", ""))
        more = {"name": name} if name else {}
        if case.channel == "mailgun" and speaker == "as the victim":
            more["dkim"] = case.attack.get("dkim", "none")
            more["reply_to"] = filled(house, case, case.attack.get("reply_to", ""))
        case.conversations.append(house.say(case.channel, filled(house, case, text), address, conversation, **more))
        case.spoken += 1


def filled(house: House, case: Case, text: str) -> str:
    """A line of the table with everything put in; codes are waited for."""
    victim = case.victim
    values = {
        "ask": ASK[case.right], "victim": victim, "attacker": case.attacker, "name": case.name,
        "victim dotless": victim.replace("i", "ı"), "victim kelvin": victim.replace("k", "\u212a"),
        "victim full-width": "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in victim),
    }  # fmt: skip
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    for name, address in (("victim's code", victim), ("own code", case.attacker)):
        if f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", _latest_code(house, case, address))
    assert "{" not in text, text
    return text


def _latest_code(house: House, case: Case, address: str) -> str:
    """The newest code mailed to an address, once everything said so far is handled; a guess if there is none."""
    settle(house, [case], case.began)
    found = [m[1] for mail in mails(house, address) if (m := CODE.search(mail["text"]))]
    return found[-1] if found else GUESS


def mails(house: House, address: str) -> list[dict[str, Any]]:
    """Read without HTTP: it is asked often."""
    twin = house.twins["mailgun"]
    with twin.records.lock:
        return [m for m in twin.records["messages"].values() if address in re.split(r"[<>,\s]+", str(m["to"]))]


def settle(house: House, cases: list[Case], began: datetime) -> None:
    """Wait until every message of the cases' channels is handled and everything written since was sent."""
    m, o = tables.messages.c, tables.outgoing.c
    channels = {case.channel for case in cases}
    waiting = sa.select(sa.func.count()).where(m.channel.in_(channels), m.handled_at.is_(None), m.received_at >= began)
    unsent = sa.select(sa.func.count()).where(o.created_at >= began, o.sent_at.is_(None), o.failed_at.is_(None))

    def quiet() -> bool:
        with house.desk.db.read() as conn:
            return not conn.execute(waiting).scalar() and not conn.execute(unsent).scalar()

    until(quiet, "everything to be handled and sent")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait, asking seldom: many cases wait at the same time."""
    until = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < until, f"waited {LONGEST} s for {what}"
        time.sleep(0.15)


# ---- acts outside the conversation -----------------------------------------------------------------------------------


def scan(house: House, case: Case, *, press: bool = True) -> None:
    settle(house, [case], case.began)
    for mail in mails(house, case.victim):
        for link in LINK.findall(mail["text"]):
            for method in ("HEAD", "GET", "GET"):
                assert requests.request(method, link, timeout=20).status_code < 500
            for form in ({}, {"do": "send"}, {"code": GUESS, "word": "ABC234"}) if press else ():
                assert requests.post(link, data=form, timeout=20).status_code < 500


def _not_me(house: House, case: Case) -> None:
    settle(house, [case], case.began)
    for mail in mails(house, case.victim):
        for link in LINK.findall(mail["text"]):
            if "/not-me/" in link:
                assert requests.post(link, timeout=20).status_code < 500


def _approve_second(house: House, case: Case) -> None:
    settle(house, [case], case.began)
    waiting = [row.reference for row in requests_of(house, case.victim) if row.verified_at is None]
    for reference in waiting:
        house.command(f"approve {reference}")
    settle(house, [case], case.began)  # on a busy machine the answer comes after the twin has stopped waiting for it
    for row in requests_of(house, case.victim):
        if row.reference in waiting:
            assert (row.approved_by, row.verified_at) == (None, None), case


def _one_agent(house: House, case: Case) -> None:
    opened = house.command(f"open {case.victim} {case.right}")
    assert "Not done" in house.command(f"approve {house.reference(opened)}")


_ACTS = {
    "a scanner opens and presses every link in the victim's mail": scan,
    'the victim presses every "this was not me"': _not_me,
    "an agent approves the attacker's request": _approve_second,
    "an agent opens and approves a request about the victim": _one_agent,
}


def requests_of(house: House, address: str) -> list[sa.Row[Any]]:
    c = tables.requests.c
    with house.desk.db.read() as conn:
        mine = c.address_hash == house.desk.vault.hash("address", address)
        return list(conn.execute(sa.select(tables.requests).where(mine).order_by(c.received_at)))
