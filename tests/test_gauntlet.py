"""The gauntlet: every attack of `gauntlet.toml` and its honest twin, as conversations over real HTTP with the twins.

By default every attack meets every right and every channel at least once, and every right every channel; with `--full`
the whole product is played.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from dsr.model import RequestStatus, Right
from integrations.transport import Transport
from tests.gauntlet import (
    ASK,
    LINK,
    TABLE,
    Case,
    filled,
    mails,
    open_accounts,
    play,
    requests_of,
    scan,
    settle,
    until,
)
from tests.house import CODE, REFERENCE, House

ATTACKS = TABLE["attack"]
WITH_A_CODE = ("erasure", "export", "objection")
TOGETHER = 6  # cases that are played at the same time
LONG = 3600.0  # seconds of cooling-off, where nothing is to be carried out
SHORT = 0.3


def chosen(attack: dict[str, Any], *, full: bool) -> list[tuple[str, str]]:
    """The pairs of right and channel in which an attack is played: all, or each right and channel at least once."""
    rights, channels = attack.get("rights", list(ASK)), attack.get("channels", TABLE["channels"])
    if full:
        return list(itertools.product(rights, channels))
    start = ATTACKS.index(attack)
    return [
        (rights[n % len(rights)], channels[(n + start) % len(channels)]) for n in range(max(len(rights), len(channels)))
    ]


# ---- the table -------------------------------------------------------------------------------------------------------


def test_the_table_holds_every_attack() -> None:
    assert {a["id"] for a in ATTACKS} == {f"G{n}" for n in range(1, 25)}
    assert all(a["must_hold"] and a["attacker"] and a["twin"] for a in ATTACKS)


def test_the_chosen_cases_hold_every_pair() -> None:
    cases = [(a["id"], right, channel) for a in ATTACKS for right, channel in chosen(a, full=False)]
    for attack in ATTACKS:
        rights, channels = attack.get("rights", list(ASK)), attack.get("channels", TABLE["channels"])
        mine = [(r, c) for id, r, c in cases if id == attack["id"]]
        assert {r for r, _ in mine} >= set(rights)
        assert {c for _, c in mine} >= set(channels)
    assert {(r, c) for _, r, c in cases} == set(itertools.product(ASK, TABLE["channels"]))


# ---- playing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cooling_off(house: House) -> Iterator[dict[str, Any]]:
    """The settings, whose cooling-off time a test may set; put back afterwards."""
    settings = house.desk.settings.__dict__  # the model itself is frozen
    before = settings["cooling_off"]
    yield settings
    settings["cooling_off"] = before


@pytest.mark.timeout(600)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a["id"] + a.get("variant", ""))
def test_an_impostor_gets_nothing_and_the_honest_twin_gets_through(
    house: House,
    cooling_off: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    attack: dict[str, Any],
) -> None:
    full = bool(request.config.getoption("--full"))
    cooling_off["cooling_off"] = SHORT if attack.get("carried_out") else LONG
    if "headers" in attack:
        _send_headers(monkeypatch, attack["headers"])
    began = house.desk.now()
    cases = [Case(attack, right, channel, began) for right, channel in chosen(attack, full=full)]
    open_accounts(house, cases)
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(lambda case: play(house, case), cases))
        settle(house, cases, began)
        if attack.get("carried_out"):
            list(pool.map(lambda case: _own_request_ends(house, case), cases))
        settle(house, cases, began)
        said = _everything_said(house)
        accounts = {row["id"]: row for row in house.state("own_database")["accounts"]}
        for case in cases:
            _nothing_was_got(house, case, said, accounts.get(f"acc-{case.victim}"))
        # The twins: each right in turn over the attacks, or all of them.
        cooling_off["cooling_off"] = LONG
        turn = ATTACKS.index(attack)
        twins = cases if full else [cases[turn % len(cases)]]
        list(pool.map(lambda case: _honest(house, case), twins))


def _send_headers(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> None:
    call = Transport.call

    def poisoned(self: Transport, method: str, path: str, **more: Any) -> Any:
        if path.startswith(("/webhooks/", "/slack/events")):
            more["headers"] = {**more.get("headers", {}), **headers}
        return call(self, method, path, **more)

    monkeypatch.setattr(Transport, "call", poisoned)


# ---- what must hold --------------------------------------------------------------------------------------------------


def _everything_said(house: House) -> dict[str, str]:
    """All conversations, agents' messages and mails, as text; the company's own database left out."""
    return {
        name: json.dumps({k: v for k, v in house.state(name).items() if k != "requests"}, ensure_ascii=False)
        for name in (*TABLE["channels"], "mailgun")
    }


def _nothing_was_got(house: House, case: Case, said: dict[str, str], account: dict[str, Any] | None) -> None:
    attack, victims = case.attack, requests_of(house, case.victim)
    for vendor, text in said.items():
        assert case.marker not in text, f"{case}: disclosed at {vendor}"
        assert "evil.example" not in text, f"{case}: a poisoned link at {vendor}"
    assert account, f"{case}: deleted"
    assert (account["email"], account["full_name"], account["address"]) == (case.victim, case.name, case.marker), case
    if not attack.get("proved_by_victim"):
        assert not account["restricted"], f"{case}: locked out"
        assert not [r.reference for r in victims if r.verified_at], f"{case}: proved"
    proved = [r for r in victims if r.verified_at]
    assert len(proved) <= 1, f"{case}: proved twice"
    if attack.get("variant") == "told" and case.right == "erasure":
        assert {r.status for r in victims} <= {str(RequestStatus.FROZEN)}, case
    got = mails(house, case.victim)
    assert sum(bool(CODE.search(m["text"])) for m in got) <= 3, f"{case}: mail bomb"
    if not proved and "frozen" not in {r.status for r in victims}:
        by_mail = case.channel == "mailgun"  # the answers of the conversation are mails themselves
        more = [m for m in got if not CODE.search(m["text"]) and not (by_mail and "In-Reply-To" in m["headers"])]
        assert not more, f"{case}: mailed more than codes"
        assert len(got) <= 3 or not by_mail, f"{case}: mail bomb"
    if attack.get("attacker_hears_nothing"):
        assert not mails(house, case.attacker), f"{case}: told the attacker"
    if attack.get("opens_nothing"):
        assert not victims, f"{case}: opened a request"
    if never := attack.get("never_opens"):
        assert not [r for r in requests_of(house, case.attacker) if r.right == never and r.verified_at], case
    if attack.get("compare"):
        _same(house, case)
    for mail in mails(house, case.attacker):
        for link in LINK.findall(mail["text"]):
            assert requests.get(link, timeout=20).status_code < 500


def _own_request_ends(house: House, case: Case) -> None:
    """What the attacker proved about themselves is carried out; a package of theirs holds nothing of the victim."""
    if case.right not in ("erasure", "export"):
        return
    mine = [r for r in requests_of(house, case.attacker) if r.verified_at]
    assert mine, f"{case}: the attacker could not prove their own address"
    # An ambiguous find stops for an agent, which is as good.
    ends = {"completed", "partially_completed", "waiting_for_agent"}
    until(lambda: {r.status for r in requests_of(house, case.attacker) if r.verified_at} <= ends, f"{case} to end")
    stopped = any(r.status == "waiting_for_agent" for r in requests_of(house, case.attacker))
    if case.right != "export" or stopped:
        return
    settle(house, [case], case.began)
    links = [
        link for mail in mails(house, case.attacker) for link in LINK.findall(mail["text"]) if "/download/" in link
    ]
    factors = _second_factors(house, case, links)
    for link, form in itertools.product(links, factors):
        answer = requests.post(link, data=form, timeout=30)
        if answer.headers["Content-Type"] == "application/zip":
            with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
                for name in package.namelist():
                    held = package.read(name).decode("utf-8", "replace")
                    assert case.marker not in held, f"{case}: {name} holds the victim's record"
            return
    raise AssertionError(f"{case}: the package could not be fetched: {len(links)} links, {len(factors)} factors")


def _second_factors(house: House, case: Case, links: list[str]) -> list[dict[str, str]]:
    """What the page may take besides its link: words from the chat; of a conversation by mail a fresh code."""
    if case.channel != "mailgun":
        said = house.heard(case.channel, case.conversations[-1])
        return [{"word": w} for w in dict.fromkeys(w for text in said for w in re.findall(r"\b[0-9A-Z]{6}\b", text))]
    for link in links:
        requests.post(link, data={"do": "send"}, timeout=20)
    settle(house, [case], case.began)
    return [{"code": m[1]} for mail in mails(house, case.attacker) if (m := CODE.search(mail["text"]))][::-1]


def _same(house: House, case: Case) -> None:
    first, second = (house.heard(case.channel, id) for id in dict.fromkeys(case.conversations))
    assert [_masked(t) for t in first] == [_masked(t) for t in second], case
    nobody = f"nobody.{case.attacker}"
    got = [[_masked(m["text"]) for m in mails(house, a)] for a in (case.victim, nobody)]
    assert got[0] == got[1], case


def _masked(text: str) -> str:
    """Without what is new each time: codes, references, tokens."""
    return CODE.sub("CODE", REFERENCE.sub("REF", LINK.sub("LINK", text)))


# ---- the honest twin -------------------------------------------------------------------------------------------------


def _honest(house: House, attacked: Case) -> None:
    """Somebody entitled, in the same words and channel, gets through in at most three messages."""
    case = Case(attacked.attack, attacked.right, attacked.channel, house.desk.now())
    own, lines = case.attacker, case.attack.get("honest", ["{ask}", "{own code}"])
    if case.attack.get("never_opens"):
        lines = ["{ask}", "{own code}"]
    assert len(lines) <= 3
    conversation = ""
    for line in lines:
        text = line.replace("{own}", own).replace("{OWN}", own.upper())
        if "{own code}" in text and case.right not in WITH_A_CODE:
            continue
        if "{own code}" in text:
            _beside(house, case, conversation)
        conversation = house.say(case.channel, filled(house, case, text), own, conversation)
        case.conversations.append(conversation)
    right = Right(case.right)
    through = {
        Right.UNSUBSCRIBE: lambda r: r.status in ("in_progress", "partially_completed", "completed"),
        Right.AGE_REPORT: lambda r: r.status == "waiting_for_agent",
    }.get(right, lambda r: r.verified_at is not None)
    until(
        lambda: any(r.right == case.right and through(r) for r in requests_of(house, own)),
        f"the honest twin of {case}",
    )


def _beside(house: House, case: Case, conversation: str) -> None:
    """What happens between request and code, if the table says so."""
    beside = case.attack.get("honest_does", "")
    if beside == "a second conversation":
        house.say(case.channel, "How do I import my contacts?", case.attacker)
    elif beside == "somebody else writes into the conversation":
        house.say(case.channel, "I have the same question.", f"other.{case.attacker}", conversation)
    elif beside == "a scanner opens every link":
        swapped = Case(case.attack, case.right, case.channel, case.began)
        swapped.victim = case.attacker
        scan(house, swapped, press=False)
    else:
        assert not beside, beside
