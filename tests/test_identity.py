"""Codes on a real SQLite and a real PostgreSQL: tries and mails are counted in the database, over all processes."""

from __future__ import annotations

import hmac
import math
import multiprocessing
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from dsr import codes, identity
from dsr.desk import Desk, make_desk
from dsr.policy import load
from dsr.settings import Settings
from dsr.store.tables import challenges, metadata
from tests.postgres import postgres

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADDRESS = "a" * 64  # keyed hashes of addresses
OTHER = "b" * 64
ROOT = Path(__file__).resolve().parent.parent


class Clock:
    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


def desk_on(url: str, clock: Callable[[], datetime]) -> Desk:
    secret = {name: name[0] * 40 for name in ("SECRET_KEY", "HASH_KEY", "AUDIT_KEY")}
    settings = Settings.from_env(
        {
            **secret,
            "DATA_KEYS": Fernet.generate_key().decode(),
            "BASE_URL": "https://privacy.example.com",
            "DATABASE_URL": url,
        }
    )
    return make_desk(settings, load(ROOT / "policy.toml"), {}, clock)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('identity') / 'desk.sqlite'}"
        return
    with postgres() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(database: str, clock: Clock) -> Iterator[Desk]:
    made = desk_on(database, clock)
    metadata.drop_all(made.db.engine)
    metadata.create_all(made.db.engine)
    yield made
    made.db.engine.dispose()


def issue(desk: Desk, purpose: str = "erasure", *, address: str = ADDRESS, **where: Any) -> identity.Issued | None:
    with desk.db.write() as conn:
        return identity.issue(desk, conn, address, [purpose], **(where or {"conversation_id": "c1"}))


def code(desk: Desk, *more: Any, **where: Any) -> str:
    issued = issue(desk, *more, **where)
    assert issued
    return issued.code


def check(desk: Desk, typed: str, purpose: str = "erasure", *, address: str = ADDRESS, **where: str) -> str:
    with desk.db.write() as conn:
        return identity.check(desk, conn, [typed], [purpose], address, **(where or {"conversation_id": "c1"})).result


def wrong(code: str) -> str:
    return next(c for c in ("2345-6789", "9876-5432") if c != code)


# ---- parallel guesses ------------------------------------------------------------------------------------------------


def _guess(url: str, guesses: list[str], start: float) -> tuple[int, list[str]]:
    """In one process: how often a code is truly compared, and what comes of each guess."""
    desk = desk_on(url, Clock())
    compared, compare = 0, hmac.compare_digest

    def counted(a: str, b: str) -> bool:
        nonlocal compared
        compared += 1
        return compare(a, b)

    time.sleep(max(0.0, start - time.time()))
    with patch.object(hmac, "compare_digest", counted):
        results = [check(desk, guess) for guess in guesses]
    desk.db.engine.dispose()
    return compared, results


def _ask(url: str, times: int, start: float) -> int:
    """In one process: how many codes are given for one address."""
    desk = desk_on(url, Clock())
    time.sleep(max(0.0, start - time.time()))
    given = sum(issue(desk, conversation_id=secrets.token_hex(8)) is not None for _ in range(times))
    desk.db.engine.dispose()
    return given


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Four processes of their own, warmed up; forked from one that has this module loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(4, context) as pool:
        list(pool.map(time.sleep, [0.3] * 4))
        yield pool


def guess_in_parallel(pool: ProcessPoolExecutor, url: str, guesses: list[str]) -> tuple[int, Counter[str]]:
    start = time.time() + 0.5
    told = list(pool.map(_guess, [url] * 4, [guesses[n::4] for n in range(4)], [start] * 4))
    return sum(compared for compared, _ in told), Counter(result for _, results in told for result in results)


def test_64_parallel_guesses_in_4_processes_compare_exactly_5(
    desk: Desk, database: str, processes: ProcessPoolExecutor
) -> None:
    mailed = code(desk)
    compared, results = guess_in_parallel(processes, database, [wrong(mailed)] * 64)
    assert compared == identity.TRIES == 5
    assert results == {"wrong": 4, "void": 60}
    assert check(desk, mailed) == "void"


def test_the_right_code_typed_64_times_at_once_proves_once(
    desk: Desk, database: str, processes: ProcessPoolExecutor
) -> None:
    compared, results = guess_in_parallel(processes, database, [code(desk)] * 64)
    assert compared == 1
    assert results == {"right": 1, "void": 63}


def test_parallel_requests_mail_at_most_three_codes_an_hour(
    desk: Desk, database: str, processes: ProcessPoolExecutor
) -> None:
    given = processes.map(_ask, [database] * 4, [6] * 4, [time.time() + 0.5] * 4)
    assert sum(given) == identity.PER_HOUR == 3


# ---- what a code is bound to -----------------------------------------------------------------------------------------


def test_the_code_proves_where_it_was_asked_for_and_only_once(desk: Desk) -> None:
    mailed = code(desk)
    assert check(desk, mailed.lower().replace("-", " ")) == "right"
    assert check(desk, mailed) == "void"


def test_a_code_of_one_conversation_is_nothing_in_another(desk: Desk) -> None:
    mailed = code(desk)
    assert check(desk, mailed, conversation_id="c2") == "void"
    code(desk, address=OTHER, conversation_id="c2")
    assert check(desk, mailed, conversation_id="c2", address=OTHER) == "wrong"
    assert check(desk, mailed, reference="PR-AAAAAA") == "void"
    assert check(desk, mailed) == "right"


def test_a_code_of_a_page_is_nothing_in_a_conversation(desk: Desk) -> None:
    mailed = code(desk, reference="PR-AAAAAA")
    assert check(desk, mailed) == "void"
    assert check(desk, mailed, reference="PR-BBBBBB") == "void"
    assert check(desk, mailed, reference="PR-AAAAAA") == "right"


@pytest.mark.parametrize(("purpose", "address"), [("export", ADDRESS), ("erasure", OTHER), ("erasure,export", ADDRESS)])
def test_a_code_proves_no_other_right_and_no_other_address(desk: Desk, purpose: str, address: str) -> None:
    mailed = code(desk)
    assert check(desk, mailed, purpose, address=address) == "wrong"


def test_a_new_code_voids_the_earlier_one(desk: Desk) -> None:
    first, second = code(desk), code(desk)
    assert check(desk, first) == "wrong"
    assert check(desk, second) == "right"


def test_a_code_expires_after_ten_minutes(desk: Desk, clock: Clock) -> None:
    mailed = code(desk)
    clock.pass_(minutes=9, seconds=59)
    assert check(desk, wrong(mailed)) == "wrong"
    clock.pass_(seconds=1)
    assert check(desk, mailed) == "expired"


def test_a_voided_code_proves_nothing(desk: Desk) -> None:
    mailed = code(desk)
    with desk.db.write() as conn:
        identity.void(desk, conn, conversation_id="c1")
    assert check(desk, mailed) == "void"


def test_several_codes_in_one_message_are_as_many_tries(desk: Desk) -> None:
    mailed = code(desk)
    with desk.db.write() as conn:
        typed = [wrong(mailed)] * 9
        assert identity.check(desk, conn, typed, ["erasure"], ADDRESS, conversation_id="c1").result == "void"
    assert check(desk, mailed) == "void"


def test_only_a_hash_of_the_code_is_kept(desk: Desk) -> None:
    mailed = code(desk)
    with desk.db.read() as conn:
        kept = repr(conn.execute(sa.select(challenges)).all())
    assert mailed not in kept
    assert codes.normalise(mailed) not in kept


# ---- how many --------------------------------------------------------------------------------------------------------


def test_three_codes_an_hour_and_ten_a_day_whatever_the_conversation(desk: Desk, clock: Clock) -> None:
    mailed = 0
    for hour in range(24):
        mailed += sum(issue(desk, conversation_id=f"c{hour}-{n}") is not None for n in range(5))
        assert mailed == min(3 * (hour + 1), identity.PER_DAY)
        clock.pass_(minutes=59, seconds=59)
        if hour < 3:
            assert issue(desk) is None, "the hour is not over"
        clock.pass_(seconds=1)
    assert mailed == identity.PER_DAY == 10
    assert issue(desk, address=OTHER), "another address has its own count"


def test_a_refused_code_leaves_the_earlier_one_alive(desk: Desk) -> None:
    mailed = [code(desk) for _ in range(3)][-1]
    assert issue(desk) is None
    assert check(desk, mailed) == "right"


# ---- a year of guessing ----------------------------------------------------------------------------------------------


def possible_codes() -> int:
    """Codes of 8 of 32 characters of which at least two are among the 8 sure digits."""
    size, sure, length = len(codes.ALPHABET), len(codes._SURE_DIGITS), codes.LENGTH
    return sum(math.comb(length, k) * sure**k * (size - sure) ** (length - k) for k in range(2, length + 1))


def guesses_a_day() -> int:
    """Comparisons within 24 hours for one address, over all conversations, pages and processes.

    The codes that anybody can ask for and the reserved ones are counted apart, hence twice.
    """
    return 2 * identity.PER_DAY * identity.TRIES


def year_of_guessing(addresses: int = 1) -> float:
    """Upper bound of the probability that any of all the guesses of a year is right (by adding them up)."""
    return addresses * 366 * guesses_a_day() / possible_codes()


def test_a_year_of_guessing_at_one_address_succeeds_less_than_once_in_a_million() -> None:
    assert possible_codes() > 2**39
    assert year_of_guessing() < 1e-6


def test_over_many_addresses_the_bound_grows_with_their_number() -> None:
    """Whoever attacks ten addresses all year stays below one in a million; at a thousand it is 6 in 100,000, which
    takes 36 million guesses and, for each thousand addresses, 20,000 code mails a day that their owners see."""
    assert year_of_guessing(10) < 1e-6
    assert 1e-6 < year_of_guessing(1000) < 1e-4


def test_a_day_of_attack_from_everywhere_compares_no_more_than_the_bound_says(desk: Desk, clock: Clock) -> None:
    """The most that an attacker can do who opens conversations and pages at will, and types guesses in all of them."""
    compared, compare = 0, hmac.compare_digest

    def counted(a: str, b: str) -> bool:
        nonlocal compared
        compared += 1
        return compare(a, b)

    with patch.object(hmac, "compare_digest", counted):
        for half_hour in range(48):
            for n in range(4):
                for where in ({"conversation_id": f"c{half_hour}-{n}"}, {"reference": f"PR-{half_hour:03}{n}AA"}):
                    for reserved in (False, True):
                        issue(desk, reserved=reserved, **where)
                        for _ in range(identity.TRIES + 1):
                            check(desk, "2345-6789", **where)
            clock.pass_(minutes=29, seconds=59)
    assert compared <= guesses_a_day()
    assert compared > guesses_a_day() / 4, "the attack was none"


def test_codes_that_strangers_use_up_leave_the_reserved_ones(desk: Desk) -> None:
    while issue(desk, conversation_id=secrets.token_hex(8)):
        pass
    assert sum(issue(desk, reserved=True) is not None for _ in range(9)) == identity.PER_HOUR
    assert issue(desk) is None


def test_codes_are_drawn_from_the_whole_space() -> None:
    drawn = [codes.normalise(codes.new_code()) for _ in range(4000)]
    assert len(set(drawn)) == len(drawn)
    counts = Counter("".join(drawn))
    assert set(counts) == set(codes.ALPHABET)
    rare = min(counts[c] for c in codes.ALPHABET) / len(drawn) / codes.LENGTH
    assert rare > 0.6 / len(codes.ALPHABET)  # sure digits are somewhat likelier, no character is left out
