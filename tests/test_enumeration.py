"""Before proof nobody learns whether anything is held: same words, same answers, same mails, same time.

The pairs are two people who ask the same thing in the same way at the same moment; one stands in the company's own
database (and asked before), the other nowhere.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from functools import cache
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from dsr import inbox, turns
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import Right
from dsr.store import tables
from tests.house import CODE, REFERENCE, House
from tests.pages_desk import World, make_world

ASK = {
    "erasure": "Please delete my account and all my personal data.",
    "export": "Please send me a copy of all personal data you hold about me.",
    "unsubscribe": "Please unsubscribe me from your newsletter, I want no more marketing mail.",
    "objection": "I object to the processing of my personal data, please stop using it for profiling.",
}
SECONDS, AT_LEAST = 12.0, 60  # of pairs in every run; with `--full` it is PAIRS
PAIRS = 2000
BOUND = 0.05  # how far the area under the curve may be from 0.5 (issue: 0.45-0.55)
REPORT = "The account {child} belongs to a girl of my class. She is only 12 years old."
ADDRESS = re.compile(r"\S+@\S+")
LINK = re.compile(r"https?://\S+/(?:verify|status|download|not-me|unsubscribe)/\w+")


def masked(text: str) -> str:
    """Without what is new each time: codes, references, tokens."""
    return LINK.sub("LINK", CODE.sub("CODE", REFERENCE.sub("REF", text)))


def area_under_the_curve(first: list[float], second: list[float]) -> float:
    """Probability that a value of `first` exceeds one of `second` (Mann and Whitney's U); 0.5: no difference."""
    return sum((a > b) + (a == b) / 2 for a in first for b in second) / (len(first) * len(second))


# ---- at the desk, many pairs -----------------------------------------------------------------------------------------


def ask(world: World, address: str, text: str, name: str) -> tuple[float, str]:
    """One message, handled here and now: seconds that its turn took, and the conversation's id."""
    desk = world.desk
    ref = ConversationRef("intercom", name, f"person-{name}")
    message = InboundMessage(f"event-{name}", ref, text, desk.now(), address, Evidence.CLAIM)
    assert inbox.store(desk, "intercom", [message]) == 1
    with desk.db.write() as conn:
        conversation, _ = inbox.conversation_of(desk, conn, ref, ref.person)
    began = time.perf_counter()
    turns.take_turns(desk, conversation, lambda m: m)
    return time.perf_counter() - began, conversation


def written(world: World, conversation: str, address: str) -> list[tuple[str, str]]:
    """Everything that was written to the conversation and to the address, since the clock last moved."""
    desk, o = world.desk, tables.outgoing.c
    with desk.db.read() as conn:
        rows = conn.execute(sa.select(tables.outgoing).where(o.created_at == desk.now()).order_by(o.id)).all()
        found = []
        for row in rows:
            body = desk.vault.open(conn, row.key_id, row.body_enc)
            if row.lane == f"conversation:{conversation}" or body.get("to") == address:
                found.append((row.kind, masked(body["text"])))
    return found


def uncertainty(pairs: int) -> float:
    """One standard error of the area, if there is no difference (Mann and Whitney): 0.009 for 2,000 pairs."""
    return math.sqrt((2 * pairs + 1) / (12 * pairs * pairs))


@pytest.mark.timeout(1800)
def test_known_and_unknown_are_told_the_same_and_in_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """With `--full` 2,000 pairs and the bound itself; else as many as fit, and the bound as far as so many can tell."""
    full = bool(request.config.getoption("--full"))
    world = make_world(tmp_path)
    # Understanding a text takes most of a turn and knows nothing but the text: left out, the rest shows more clearly.
    understood = cache(turns.detect)
    monkeypatch.setattr(turns, "detect", lambda text, context: understood(ADDRESS.sub("it", text), context=context))
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    rights = itertools.cycle([*ASK, "age_report"])
    began = time.monotonic()
    for n in range(PAIRS):
        if not full and n >= AT_LEAST and time.monotonic() - began > SECONDS:
            break
        right = next(rights)
        known, unknown = f"known.{n}@example.com", f"nobody.{n}@example.com"
        world.clock.pass_(days=2)  # beyond every limit of codes
        world.verified(Right.OBJECTION, address=known)  # there is a key, a history, a suppression to come
        world.clock.pass_(days=2)
        got = {}
        # Who comes first changes, so that neither always finds a warm cache.
        for kind in ("known", "unknown") if n % 2 else ("unknown", "known"):
            address = known if kind == "known" else unknown
            # A child is reported by a stranger; all others write of themselves.
            author, text = (
                (f"teacher.{n}@{kind}.example.net", REPORT) if right == "age_report" else (address, ASK[right])
            )
            taken, conversation = ask(world, author, text.format(child=address), f"{kind}-{n}")
            seconds[kind].append(taken)
            got[kind] = written(world, conversation, address)
        assert got["known"] == got["unknown"], right
        assert got["known"], right
        mails = sum(kind == "mail" for kind, _ in got["known"])
        assert mails == (0 if right in ("unsubscribe", "age_report") else 1)
    known_times, unknown_times = seconds["known"][8:], seconds["unknown"][8:]
    area = area_under_the_curve(known_times, unknown_times)
    print(f"{len(known_times)} pairs, area under the curve {area:.3f}")
    allowed = BOUND if full else BOUND + 3 * uncertainty(len(known_times))
    assert abs(area - 0.5) <= allowed, f"the time tells them apart: {area:.3f} of {len(known_times)} pairs"


def test_the_limit_of_codes_tells_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.verified(Right.EXPORT, address="known@example.com")
    world.clock.pass_(days=2)
    told = {}
    for address in ("known@example.com", "nobody@example.com"):
        for n in range(5):
            _, conversation = ask(world, address, ASK["erasure"], f"{address}-{n}")
            told.setdefault(address, []).append(written(world, conversation, "-"))
    assert told["known@example.com"] == told["nobody@example.com"]


def test_the_rank_statistic_can_tell() -> None:
    assert area_under_the_curve([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert area_under_the_curve([1.0, 2.0], [1.0, 2.0]) == 0.5


# ---- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", ASK)
def test_over_http_the_answers_and_the_status_page_are_the_same(house: House, right: str) -> None:
    """Also what the page behind the status link says, once the processors were told."""
    known, unknown = house.person("own_database", "mailchimp").email, f"nobody.{right}@example.com"
    told, pages = {}, {}
    for address in (known, unknown):
        conversation = house.say("zendesk-messaging", ASK[right], address)
        told[address] = house.hear("zendesk-messaging", conversation)
        if right in ("erasure", "export", "objection"):
            house.code(address)
        if link := LINK.search(told[address]):
            pages[address] = settled_page(house, link.group())
    assert masked(told[known]) == masked(told[unknown])
    assert [masked(m["text"]) for m in house.mails(known)] == [masked(m["text"]) for m in house.mails(unknown)]
    assert bool(pages) is (right in ("unsubscribe", "objection"))
    assert pages.get(known) == pages.get(unknown)


def settled_page(house: House, link: str) -> str:
    """The status page, once no step is at work any more."""
    seen = [""]

    def calm() -> bool:
        with house.desk.db.read() as conn:
            reference = conn.execute(
                sa.select(tables.links.c.reference).where(
                    tables.links.c.token_hash == house.desk.vault.hash("link", link.rpartition("/")[2])
                )
            ).scalar()
            r = tables.receipts.c
            open_ = conn.execute(
                sa.select(sa.func.count()).where(
                    r.reference == reference,
                    r.status.in_(("pending", "in_progress")),
                    r.outcome.is_distinct_from("manual"),
                )
            ).scalar()
            planned = conn.execute(sa.select(sa.func.count()).where(r.reference == reference)).scalar()
        if not planned or open_:
            return False
        page = re.sub(r"\d\d:\d\d", "TIME", masked(requests.get(link, timeout=20).text))
        page = page.replace(link.rpartition("/")[2], "TOKEN")
        still, seen[0] = page == seen[0], page
        return still

    house.wait(calm, "the status page to settle", 40)
    return seen[0]
