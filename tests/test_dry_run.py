"""The dry run: what every processor holds and would lose, in counts, from Slack and from the command line."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dsr.errors import VendorUnavailable
from dsr.model import Findings, Identities, Identity
from integrations.dry_run import Held, look
from tests.house import House

SUBJECT = Identities.of_email("maria.pop@example.com")


class Fake:
    """Only what a dry run asks for."""

    def __init__(self, answer: Findings | Exception, seconds: float = 0.0) -> None:
        self._answer, self._seconds = answer, seconds
        self.asked: list[Identities] = []

    def find(self, subject: Identities) -> Findings:
        self.asked.append(subject)
        time.sleep(self._seconds)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def asked(patience: float = 5.0, **processors: Any) -> dict[str, Held]:
    return {held.processor: held for held in look(processors, SUBJECT, patience)}


def test_the_others_are_asked_by_what_the_own_database_knows() -> None:
    account, other = Identity("account_id", "acc-7"), Fake(Findings())
    asked(zendesk=other, own_database=Fake(Findings({"accounts": 1}, identities=(account,))))
    assert other.asked == [SUBJECT.plus([account])]


def test_all_are_asked_at_once_and_who_is_slow_or_down_keeps_nobody_waiting() -> None:
    began = time.monotonic()
    told = asked(
        0.4,
        own_database=Fake(VendorUnavailable("own_database", "did not answer in time")),
        one=Fake(Findings({"contacts": 2, "notes": 0}), 0.2),
        two=Fake(Findings(ambiguous=True), 0.2),
        broken=Fake(KeyError("maria.pop@example.com")),
        slow=Fake(Findings(), 2.0),
        manual=Fake(Findings(unknowable="cannot be asked")),
    )
    assert time.monotonic() - began < 1.5
    assert [str(held) for held in told.values()] == [
        "own_database: did not answer: did not answer in time",
        "one: 2 contacts",
        "two: nothing (more than one person may be meant)",
        "broken: did not answer: unexpected",
        "slow: did not answer in time",
        "manual: cannot be asked",
    ]


@pytest.fixture(scope="module")
def request_of_somebody(house: House) -> tuple[str, Any]:
    person = house.person("own_database", "microsoft", "intercom")
    return house.reference(house.command(f"open {person.email} erasure")), person


def test_an_agent_reads_counts_and_no_values_and_nothing_is_changed(
    house: House, request_of_somebody: tuple[str, Any]
) -> None:
    reference, person = request_of_somebody
    before = {name: house.state(name) | {"requests": []} for name in ("microsoft", "intercom")}
    answer = house.command(f"plan {reference.lower()}")
    assert "nothing was changed" in answer
    lines = dict(line.removeprefix("• ").split(": ", 1) for line in answer.split("\n") if line.startswith("• "))
    assert set(lines) == set(house.app.extensions["connections"].processors)
    assert "blobs" in lines["microsoft"], "found by the account id, which the own database told"
    assert "contacts" in lines["intercom"]
    for value in (person.email, person.name, person.account_id):
        assert value not in answer
    assert {name: house.state(name) | {"requests": []} for name in before} == before


def test_a_vendor_that_is_down_is_named_and_the_others_answer(
    house: House, request_of_somebody: tuple[str, Any]
) -> None:
    reference, _ = request_of_somebody
    house.twins["intercom"].faults.extend(["403"] * 3)
    try:
        answer = house.command(f"plan {reference}")
    finally:
        house.twins["intercom"].faults.clear()
    assert "intercom: did not answer: " in answer
    assert "blobs" in answer


def test_a_plan_of_nothing_says_how_to_ask(house: House) -> None:
    assert "Not done" in house.command("plan")
    assert "Not done" in house.command("plan PR-222222")


def test_the_command_line_tells_the_same(house: House, request_of_somebody: tuple[str, Any]) -> None:
    reference, _ = request_of_somebody
    run = house.app.test_cli_runner()
    told = json.loads(run.invoke(args=["dsr", "show", reference, "--plan", "--json"]).output)["plan"]
    assert next(t for t in told if t["processor"] == "microsoft")["counts"]["blobs"]
    assert "microsoft: " in run.invoke(args=["dsr", "show", reference, "--plan"]).output
