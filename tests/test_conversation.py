"""One turn of a conversation: decisions without a database."""

from __future__ import annotations

from datetime import date

import pytest

from dsr.change_of_mind import takes_back
from dsr.codes import find_codes, new_code, normalise, wants_code_again
from dsr.conversation import (
    AddChildAddress,
    CheckCode,
    CodeChecked,
    Open,
    Proved,
    Said,
    Say,
    SendCode,
    State,
    Turn,
    Withdraw,
)
from dsr.conversation import turn as turn_by
from dsr.model import Right
from dsr.proof import load
from intents import Detection

AT = "2026-03-05T10:00:00+00:00"
MARIA = "maria.pop@example.com"
LADDER = load(on=date(2026, 11, 23))


def turn(state: State, event: Said | CodeChecked) -> Turn:
    return turn_by(state, event, LADDER)


def said(
    text: str = "…", *intents: str, address: str = MARIA, of_self: bool = False, unsure: tuple[str, ...] = ()
) -> Said:
    return Said(text, Detection(intents, unsure, dict.fromkeys(intents, 1.0), "en"), address, AT, of_self)


def keys(steps: object) -> list[str]:
    return [step.key for step in steps if isinstance(step, Say)]  # type: ignore[attr-defined]


def test_an_erasure_sends_a_code_to_the_claimed_address_and_opens_nothing() -> None:
    state, steps = turn(State(), said("delete me", "delete"))
    assert steps[0] == SendCode((Right.ERASURE,), MARIA, AT)
    assert keys(steps) == ["understood_erasure", "code_sent"]
    assert (state.stage, state.address) == ("code", MARIA)


@pytest.mark.parametrize(
    ("sure", "rights"), [(0.999, (Right.EXPORT, Right.RECTIFICATION)), (0.94, (Right.RECTIFICATION,))]
)
def test_a_wish_for_a_copy_is_not_lost_to_a_name_that_sounds_like_a_correction(
    sure: float, rights: tuple[Right, ...]
) -> None:
    heard = Detection(("export",), (), {"export": sure}, "en", frozenset({"rectification"}))
    _, steps = turn(State(), Said("…", heard, MARIA, AT))
    assert steps[0] == SendCode(rights, MARIA, AT)


def test_what_is_said_and_mailed_depends_on_nothing_but_the_message() -> None:
    known, unknown = (turn(State(), said("delete me", "delete", address=a))[1] for a in (MARIA, "x@example.net"))
    assert keys(known) == keys(unknown)


def test_an_unsubscribe_is_opened_at_once_without_a_code() -> None:
    _, steps = turn(State(), said("stop", "unsubscribe"))
    assert [type(s) for s in steps] == [Open]


def test_an_objection_stops_at_once_and_asks_for_proof_of_the_rest() -> None:
    _, steps = turn(State(), said("I object", "object"))
    assert [type(s) for s in steps[:2]] == [Open, SendCode]


def test_several_addresses_are_never_all_served() -> None:
    state, steps = turn(State(), said("delete mine, victim@example.com", "delete"))
    assert keys(steps) == ["ask_one_address"]
    assert state.stage == "address"
    _, steps = turn(state, said("victim@example.com", address=MARIA))
    assert steps[0] == SendCode((Right.ERASURE,), "victim@example.com", AT)


def test_without_an_address_it_is_asked_for_and_the_clock_keeps_the_first_message() -> None:
    state, steps = turn(State(), said("delete me", "delete", address=""))
    assert keys(steps) == ["ask_address"]
    _, steps = turn(state, Said(MARIA, Detection((), (), {}, "en"), "", "2026-03-07T10:00:00+00:00"))
    assert steps[0] == SendCode((Right.ERASURE,), MARIA, AT)


def test_the_typed_code_is_the_confirmation() -> None:
    waiting = State(stage="code", rights=("erasure",), address=MARIA, received=AT)
    code = new_code()
    assert turn(waiting, said(f"here: {code.lower()}"))[1] == [CheckCode((normalise(code),))]
    state, steps = turn(waiting, CodeChecked("right"))
    assert steps == [Proved((Right.ERASURE,), MARIA)]
    assert state.stage == "idle"


def test_a_wrong_code_opens_nothing() -> None:
    waiting = State(stage="code", rights=("erasure",), address=MARIA, received=AT)
    state, steps = turn(waiting, CodeChecked("wrong", 3))
    assert keys(steps) == ["code_wrong"]
    assert state == waiting


@pytest.mark.parametrize("text", ["Actually, no", "please keep my account", "nein", "renunț", "annulez", "jednak nie"])
def test_a_change_of_mind_withdraws(text: str) -> None:
    state = State(stage="code", rights=("erasure",), address=MARIA, references=("PR-AAAAAA",))
    assert any(isinstance(s, Withdraw) for s in turn(state, said(text))[1])


@pytest.mark.parametrize("text", ["also stop the newsletter", "thanks!", "How do I cancel my plan?", "send it again"])
def test_other_words_do_not_withdraw(text: str) -> None:
    assert not takes_back(text)


def test_ordinary_talk_is_left_alone() -> None:
    assert turn(State(), said("How do I export my contacts?")) == (State(), [])


def test_an_age_report_about_somebody_else_never_tags_the_reporter() -> None:
    state, steps = turn(State(), said("my son is 12", "age_report"))
    assert isinstance(steps[0], Open)
    assert steps[0].address == ""
    state = State(stage="child_address", references=("PR-AAAAAA",))
    assert isinstance(turn(state, said("luca@example.com"))[1][0], AddChildAddress)


def test_a_child_that_reports_itself_is_tagged_by_its_own_address() -> None:
    _, steps = turn(State(), said("i am 12", "age_report", of_self=True))
    assert isinstance(steps[0], Open)
    assert steps[0].address == MARIA


def test_a_parent_who_asks_for_removal_too_opens_no_erasure_in_the_parents_name() -> None:
    _, steps = turn(State(), said("my son is 12, delete it", "delete", "age_report"))
    assert not any(isinstance(s, SendCode) for s in steps)


def test_do_not_delete_opens_no_erasure_beside_another_right() -> None:
    _, steps = turn(State(), said("Send me a copy. Do not delete my account.", "export", "delete"))
    assert steps[0] == SendCode((Right.EXPORT,), MARIA, AT)


def test_do_not_delete_read_as_deletion_is_asked_about() -> None:
    state, steps = turn(State(), said("Please do not delete my account", "delete"))
    assert keys(steps) == ["ask_delete"]
    assert turn(state, said("yes", "delete"))[1][0] == SendCode((Right.ERASURE,), MARIA, AT)


def test_a_threat_in_case_we_do_not_delete_is_no_contradiction() -> None:
    _, steps = turn(State(), said("Delete me. If you don't delete my data I complain.", "delete"))
    assert steps[0] == SendCode((Right.ERASURE,), MARIA, AT)


def test_an_unsure_message_gets_one_short_question() -> None:
    state, steps = turn(State(), said("hm, data", unsure=("delete",)))
    assert keys(steps) == ["ask_delete"]
    assert state.asked == ("delete",)


@pytest.mark.parametrize("typed", ["K7QF-2M9X", "k7qf 2m9x", "k7qf2m9x", "my code is K7QF-2M9X.", "K7QF—2M9X"])
def test_codes_are_found_however_they_are_typed(typed: str) -> None:
    assert "K7QF2M9X" in find_codes(typed)


def test_look_alikes_are_resolved() -> None:
    assert find_codes("o7Ql-2M9x") == ["07Q12M9X"]


def test_ordinary_words_are_never_taken_for_a_code() -> None:
    assert find_codes("this code then help mail sent") == []
    assert all(len(find_codes(new_code())) == 1 for _ in range(500))


@pytest.mark.parametrize(
    "text", ["send again", "trimite din nou codul", "bitte nochmal senden", "renvoyez le code", "reenviar"]
)
def test_send_again_is_understood(text: str) -> None:
    assert wants_code_again(text)
