"""A conversation at the desk, message for message: asking again, "this was not me", what stands in a subject."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dsr import commands, inbox, subject_line, turns
from dsr.errors import TransitionNotAllowed
from dsr.letters import catalogue
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import RequestStatus, Right
from dsr.store import tables
from tests.pages_desk import CODE, MARIA, World, make_world

DELETE = "Please delete my account and all my personal data."
COPY = "Please send me a copy of all personal data you hold about me."
NOT_ME = re.compile(r"https?://\S+/not-me/\w+")


@dataclass
class Talk:
    """One author in one conversation."""

    world: World
    name: str = "a"
    channel: str = "intercom"
    said: int = field(default=0, init=False)

    def say(self, text: str, *, subject: str = "") -> str:
        """The customer writes; returns what the desk answers, "" if it is silent."""
        desk, self.said = self.world.desk, self.said + 1
        ref = ConversationRef(self.channel, self.name, MARIA if self.channel == "mailgun" else f"person-{self.name}")
        event = f"{self.name}-{self.said}"
        message = InboundMessage(event, ref, text, desk.now(), MARIA, Evidence.CLAIM, subject=subject)
        assert inbox.store(desk, self.channel, [message]) == 1
        with desk.db.write() as conn:
            conversation, _ = inbox.conversation_of(desk, conn, ref, ref.person)
        before = len(self.went_out())
        turns.take_turns(desk, conversation, lambda m: m)
        new = self.went_out()[before:]
        kinds = ("mail",) if self.channel == "mailgun" else ("reply",)
        return "\n".join(body["text"] for kind, body in new if kind in kinds and body.get("to", MARIA) == MARIA)

    def went_out(self) -> list[tuple[str, dict[str, Any]]]:
        desk, o = self.world.desk, tables.outgoing
        with desk.db.read() as conn:
            rows = conn.execute(sa.select(o).order_by(o.c.id)).all()
            return [(row.kind, desk.vault.open(conn, row.key_id, row.body_enc)) for row in rows]

    def notes(self) -> list[str]:
        return [body["text"] for kind, body in self.went_out() if kind == "note"]

    def codes(self) -> int:
        with self.world.desk.db.read() as conn:
            return int(conn.execute(sa.select(sa.func.count()).select_from(tables.challenges)).scalar_one())

    def requests(self) -> list[tuple[str, str, bool]]:
        """(right, status, proved) of every request, oldest first."""
        q = tables.requests
        with self.world.desk.db.read() as conn:
            rows = conn.execute(sa.select(q).order_by(q.c.received_at, q.c.reference)).all()
        return [(row.right, row.status, row.verified_at is not None) for row in rows]

    def press_not_me(self) -> None:
        link = [found for mail in self.world.mails() for found in NOT_ME.findall(mail["text"])][-1]
        assert self.world.client.post(self.world.path(link)).status_code == 200


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def by_mail(world: World) -> Talk:
    object.__setattr__(world.desk, "by_mail", frozenset({"mailgun"}))
    return Talk(world, channel="mailgun")


@pytest.fixture
def talk(world: World) -> Talk:
    return Talk(world)


# ---- asked again -----------------------------------------------------------------------------------------------------


def test_who_asks_again_during_the_cooling_off_time_is_told_that_it_is_open_and_can_still_cancel(talk: Talk) -> None:
    talk.say(DELETE)
    talk.say(talk.world.code())
    talk.say(DELETE)
    assert "already asked" in talk.say(talk.world.code())
    assert talk.requests() == [("erasure", "cooling_off", True)]
    assert "withdrawn" in talk.say("cancel")
    assert talk.requests() == [("erasure", "withdrawn", True)]


@pytest.mark.parametrize("status", [RequestStatus.IN_PROGRESS, RequestStatus.WAITING_FOR_AGENT])
def test_a_code_for_an_erasure_that_has_begun_changes_nothing(talk: Talk, status: RequestStatus) -> None:
    talk.say(DELETE)
    talk.say(talk.world.code())
    with talk.world.desk.db.read() as conn:
        reference = conn.execute(sa.select(tables.requests.c.reference)).scalar_one()
    talk.world.move(reference, status)
    talk.say(DELETE)
    assert "already asked" in talk.say(talk.world.code())
    assert talk.requests() == [("erasure", str(status), True)]


def test_a_copy_asked_for_twice_is_collected_once(talk: Talk) -> None:
    talk.say(COPY)
    talk.say(talk.world.code())
    mails = len(talk.world.mails())
    talk.say(COPY)
    assert "already asked" in talk.say(talk.world.code())
    assert len(talk.world.mails()) == mails + 1, "the code, and no second confirmation"
    assert talk.requests() == [("export", "in_progress", True)]


def test_an_erasure_that_cools_off_waits_for_a_copy_that_is_asked_for_with_it(talk: Talk) -> None:
    talk.say(DELETE)
    talk.say(talk.world.code())
    talk.say("Please send me a copy of all my data first, and then delete my account.")
    assert "only when your copy" in talk.say(talk.world.code())
    q = tables.requests.c
    with talk.world.desk.db.read() as conn:
        copy = conn.execute(sa.select(q.reference).where(q.right == "export")).scalar_one()
        erasure = conn.execute(sa.select(tables.requests).where(q.right == "erasure")).one()
    assert (erasure.status, erasure.start_at, erasure.after_reference) == ("cooling_off", None, copy)


def test_an_erasure_waits_for_a_copy_that_is_on_its_way_already(talk: Talk) -> None:
    talk.say(COPY)
    talk.say(talk.world.code())
    talk.say("Please send me a copy of all my data first, and then delete my account.")
    assert "only when your copy" in talk.say(talk.world.code())
    assert sorted(talk.requests()) == [("erasure", "cooling_off", True), ("export", "in_progress", True)]


def test_a_refused_move_gives_the_message_to_a_person_and_the_next_one_is_read(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TransitionNotAllowed("a request cannot go from a to b")

    talk.say(DELETE)
    with monkeypatch.context() as patched:
        patched.setattr(commands, "verified", refuse)
        assert "A person on our team takes over" in talk.say(talk.world.code())
    assert any("cannot go from a to b" in note for note in talk.notes())
    assert talk.requests() == [("erasure", "identity_pending", False)]
    assert "The deletion begins on" in talk.say(talk.world.code()), (
        "the refused turn left no trace, not even a used code"
    )


# ---- "this was not me" -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Please send me the code again.", DELETE, COPY])
def test_after_this_was_not_me_no_code_is_made_and_a_person_looks(talk: Talk, text: str) -> None:
    talk.say(DELETE)
    talk.press_not_me()
    mails = len(talk.world.mails())
    answer = talk.say(text)
    assert "is stopped" in answer
    assert "code" not in answer
    assert (talk.codes(), len(talk.world.mails())) == (1, mails)
    assert any("this was not me" in note for note in talk.notes())
    assert talk.requests() == [("erasure", "frozen", False)]


def test_a_frozen_request_is_not_proved(world: World) -> None:
    reference = world.request(Right.EXPORT)
    world.move(reference, RequestStatus.FROZEN)
    with pytest.raises(TransitionNotAllowed, match="this was not me"), world.desk.db.write() as conn:
        commands.verified(world.desk, conn, reference, by="code")
    assert world.row(reference).verified_at is None


def test_the_owner_of_the_address_asks_elsewhere_and_is_not_swallowed_by_what_they_froze(talk: Talk) -> None:
    talk.say(DELETE)
    talk.say(talk.world.code())  # the owner read it out to the impostor
    talk.press_not_me()
    own = Talk(talk.world, "own")
    own.say(DELETE)
    assert "The deletion begins on" in own.say(own.world.code())
    assert sorted(own.requests()) == [("erasure", "cooling_off", True), ("erasure", "frozen", True)]


def test_advertising_still_stops_at_once_after_this_was_not_me(talk: Talk) -> None:
    talk.say(DELETE)
    talk.press_not_me()
    assert "no more promotional mail" in talk.say("Please unsubscribe me from your newsletter.")
    assert ("unsubscribe", "in_progress", False) in talk.requests()


# ---- the subject -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "See subject.", "Please do this as soon as possible.\n\nMaria"])
def test_a_wish_in_the_subject_of_a_first_mail_is_heard(by_mail: Talk, text: str) -> None:
    assert CODE.search(by_mail.say(text, subject="Delete my account and all my data"))
    assert by_mail.requests() == [("erasure", "identity_pending", False)]


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Delete my account and all my data",
        "AW: [Extern] Bitte löschen Sie mein Konto und alle meine Daten",
        "[EXTERN] Fwd: Delete my account and all my data",
        "Odp: Delete my account and all my data",
        "Your request PR-ABC234: deletion of your data",
        "Certificat pour votre demande PR-ABC234",
    ],
)
def test_the_subject_of_an_answer_or_of_ours_is_not_read(by_mail: Talk, subject: str) -> None:
    assert by_mail.say("Thank you very much for your kind help.", subject=subject) == ""
    assert by_mail.requests() == []


def test_the_subject_of_a_later_message_is_not_read(by_mail: Talk) -> None:
    assert by_mail.say("How do I import my contacts from a CSV file?") == ""
    assert by_mail.say("Thank you very much.", subject="Delete my account and all my data") == ""
    assert by_mail.requests() == []


def test_an_ordinary_subject_changes_nothing(by_mail: Talk) -> None:
    assert by_mail.say("How do I import my contacts from a CSV file?", subject="A question about my account") == ""
    assert by_mail.requests() == []


def test_an_address_in_the_subject_is_one_of_those_that_are_meant(talk: Talk) -> None:
    answer = talk.say("Thanks.", subject="Please delete the account someone.else@example.com and all its data")
    assert "one single e-mail address" in answer
    assert talk.codes() == 0


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_none_of_our_own_subjects_is_read(language: str) -> None:
    for key, text in catalogue.texts(language).items():
        if key.startswith("mail.") and key.endswith("_subject"):
            ours = catalogue.PLACEHOLDER.sub("PR-ABC234", text)
            assert subject_line.read(ours, "") == "", ours
            assert subject_line.read(f"Re: {ours}", "") == "", ours


def test_a_subject_that_the_channel_made_of_the_first_words_adds_nothing() -> None:
    assert subject_line.read("Please delete my…", "Please delete my  account.") == ""
    assert subject_line.read("Regarding my account", "Please delete it.") == "Regarding my account"
