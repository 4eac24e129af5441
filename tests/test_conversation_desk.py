"""What a message wishes beside what is open or awaited, over the real desk: the requests that it leaves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from dsr import inbox, turns
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import Right
from dsr.store import tables
from tests.pages_desk import MARIA, World, make_world

ARTICLE_15 = "Under Article 15 GDPR I request access to all personal data you hold about me."


Write = Callable[[str], None]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def write(world: World) -> Write:
    """Maria writes in one chat, and the desk takes its turn."""
    ids, chat = itertools.count(), ConversationRef("intercom", "c1", "p1")

    def write(text: str) -> None:
        sent = InboundMessage(f"e{next(ids)}", chat, text, world.clock(), MARIA, Evidence.CLAIM)
        inbox.store(world.desk, "intercom", [sent])
        with world.desk.db.write() as conn:
            conversation, _ = inbox.conversation_of(world.desk, conn, chat, chat.person)
        turns.take_turns(world.desk, conversation, lambda message: message)

    return write


def stand(world: World) -> dict[str, str]:
    """The status of each right's newest request."""
    with world.desk.db.read() as conn:
        rows = conn.execute(sa.select(tables.requests).order_by(tables.requests.c.received_at)).all()
    return {row.right: row.status for row in rows}


@pytest.mark.parametrize("text", ["Nu mai vreau să primesc newsletterul.", "Please also stop this newsletter."])
def test_who_also_leaves_the_newsletter_is_still_erased(world: World, write: Write, text: str) -> None:
    write("Please delete my account.")
    write(world.code())
    write(text)
    assert stand(world) == {"erasure": "cooling_off", "unsubscribe": "in_progress"}
    write("cancel")
    assert stand(world)["erasure"] == "withdrawn"


def test_an_old_reference_swallows_no_new_request(world: World, write: Write) -> None:
    write("Please unsubscribe me from the newsletter.")
    write("Please delete my account, do not keep my data.")
    assert stand(world)["erasure"] == "identity_pending"
    write(world.code())
    assert stand(world)["erasure"] == "cooling_off"


def test_a_code_with_two_more_wishes_proves_and_opens_them(world: World, write: Write) -> None:
    write("Please delete my account.")
    write(f"My code is {world.code()}. Please also unsubscribe me from the newsletter and send me a copy of my data.")
    assert stand(world) == {"erasure": "cooling_off", "unsubscribe": "in_progress", "export": "identity_pending"}
    write(world.code())
    assert stand(world)["export"] == "in_progress"


def test_order_numbers_void_no_code(world: World, write: Write) -> None:
    write("Please delete my account.")
    code = world.code()
    for _ in range(6):
        write("My order was 2026-4455.")
    write(code)
    assert stand(world)["erasure"] == "cooling_off"


def test_a_change_of_mind_beside_the_code_proves_nothing(world: World, write: Write) -> None:
    write("Please delete my account.")
    write(f"I changed my mind, do not delete my account! The code was {world.code()}")
    assert stand(world) == {"erasure": "withdrawn"}


def test_access_is_asked_for_and_proved_as_access(world: World, write: Write) -> None:
    write(ARTICLE_15 + " Then delete my account.")
    write(world.code())
    assert stand(world) == {"erasure": "cooling_off", "access": "in_progress"}
    with world.desk.db.read() as conn:
        r = tables.requests.c
        access = conn.execute(sa.select(r.reference).where(r.right == "access")).scalar()
        assert conn.execute(sa.select(r.after_reference).where(r.right == "erasure")).scalar() == access


def test_a_copy_asked_for_in_another_chat_joins_the_access_that_is_open(world: World, write: Write) -> None:
    world.verified(Right.ACCESS)
    write("Please send me a copy of my data.")
    write(world.code())
    assert stand(world) == {"access": "in_progress", "export": "withdrawn"}
