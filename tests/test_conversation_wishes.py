"""What a message wishes beside what is open or awaited: nothing is lost, and nothing is taken back by chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dsr.change_of_mind import clearly_takes_back, takes_back
from dsr.codes import find_codes, new_code, normalise
from dsr.conversation import (
    AddChildAddress,
    CheckCode,
    CodeChecked,
    HandOver,
    Open,
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

EARLIER, AT = "2026-03-01T10:00:00+00:00", "2026-03-05T10:00:00+00:00"
MARIA, KID = "maria.pop@example.com", "kid@example.com"
CODE = "K7QF-2M9X"
LADDER = load(on=date(2026, 11, 23))
ERASURE_BEGINS = State(references=("PR-AAAAAA",))  # proved, in its cooling-off time
CODE_AWAITED = State(stage="code", rights=("erasure",), address=MARIA, references=("PR-AAAAAA",), received=EARLIER)
ADDRESS_AWAITED = State(stage="address", rights=("erasure",), received=EARLIER)


def turn(state: State, event: Said | CodeChecked) -> Turn:
    return turn_by(state, event, LADDER)


def said(text: str, *intents: str, unsure: tuple[str, ...] = (), signals: tuple[str, ...] = (), **more: Any) -> Said:
    heard = Detection(intents, unsure, dict.fromkeys(intents, 1.0), "en", frozenset(signals))
    return Said(text, heard, **{"address": MARIA, "at": AT, **more})


def while_erasure_begins(text: str, *intents: str, **more: Any) -> Said:
    return said(text, *intents, open=frozenset({Right.ERASURE}), **more)


def keys(turned: Turn) -> list[str]:
    return [step.key for step in turned[1] if isinstance(step, Say)]


def kinds(turned: Turn) -> list[type[object]]:
    return [type(step) for step in turned[1] if not isinstance(step, Say)]


# ---- taking back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "intents"),
    [
        ("Nu mai vreau să primesc newsletterul.", ["unsubscribe"]),
        ("Please also stop this newsletter.", ["unsubscribe"]),
        ("I withdraw my consent to marketing.", ["unsubscribe", "object"]),
    ],
)
def test_another_wish_takes_no_erasure_back(text: str, intents: list[str]) -> None:
    _, steps = turn(ERASURE_BEGINS, while_erasure_begins(text, *intents))
    assert isinstance(steps[0], Open)
    assert not any(isinstance(step, Withdraw) for step in steps)


@pytest.mark.parametrize(
    "text",
    [
        "Please delete my account, do not keep my data.",
        "Zrušte prosím můj účet a smažte všechny údaje.",
        "Supprimez mon compte, ne gardez rien",
        "Nu vreau să mai aștept, ștergeți contul",
        "Löschen Sie alles, Sie dürfen nichts behalten",
        "I withdraw my consent, please delete all my data.",
    ],
)
def test_a_first_wish_for_erasure_is_heard_in_a_conversation_with_ended_requests(text: str) -> None:
    assert SendCode((Right.ERASURE,), MARIA, AT) in turn(ERASURE_BEGINS, said(text, "delete"))[1]


@pytest.mark.parametrize(
    "text",
    [
        "I changed my mind, keep my account",
        "please cancel my account deletion",
        "I no longer want my account deleted",
        "renunț la ștergerea contului",
        "nu mai vreau să îmi ștergeți contul",
        "Bitte brechen Sie die Löschung meines Kontos ab",
        "Ich möchte mein Konto behalten",
        "annulez la suppression de mon compte",
        "cancelar la eliminación de mi cuenta",
        "annullate la cancellazione del mio account",
        "cancelem a eliminação da minha conta",
        "annuleer de verwijdering van mijn account",
        "zrušte smazání účtu",
        "nemažte můj účet",
        "avbryt raderingen av mitt konto",
        "annuller sletningen af min konto",
    ],
)
def test_words_that_name_the_deletion_and_stop_it_take_it_back_though_they_read_as_a_wish_for_it(text: str) -> None:
    assert turn(ERASURE_BEGINS, while_erasure_begins(text, "delete"))[1] == [Withdraw(("PR-AAAAAA",), False)]


@pytest.mark.parametrize(
    "text",
    [
        "Please don't forget my deletion request",
        "do not cancel my request",
        "If you don't delete my account by Friday I will complain",
        "Dacă nu ștergeți contul, depun plângere",
        "stop the newsletter and confirm the deletion",
    ],
)
def test_reminders_and_threats_take_nothing_back(text: str) -> None:
    assert not takes_back(text)


def test_where_a_message_may_repeat_the_wish_or_take_it_back_one_question_decides() -> None:
    state, steps = turn(ERASURE_BEGINS, while_erasure_begins("Supprimez mon compte, ne gardez rien", "delete"))
    assert steps == [Say("ask_delete")]
    assert turn(state, while_erasure_begins("Non", signals=("deny",)))[1] == [Withdraw(("PR-AAAAAA",), False)]


def test_a_wish_beside_taking_back_is_carried_out() -> None:
    heard = while_erasure_begins("Cancel the deletion and send me a copy of my data", "delete", "export")
    _, steps = turn(ERASURE_BEGINS, heard)
    assert steps[:2] == [Withdraw(("PR-AAAAAA",), False), SendCode((Right.EXPORT,), MARIA, AT)]


def test_do_not_delete_takes_no_copy_back() -> None:
    waiting = replace(CODE_AWAITED, rights=("export",))
    assert kinds(turn(waiting, said("My copy, please. Do not delete anything.", "export"))) == [SendCode]


def test_what_has_ended_cannot_be_taken_back() -> None:
    assert turn(ERASURE_BEGINS, said("never mind", signals=("withdraw",)))[1] == []


# ---- our own question --------------------------------------------------------------------------------------------


def test_no_to_our_own_question_takes_no_erasure_back() -> None:
    state, steps = turn(ERASURE_BEGINS, while_erasure_begins("As soon as possible.", unsure=("unsubscribe",)))
    assert steps == [Say("ask_unsubscribe")]
    assert turn(state, while_erasure_begins("No", signals=("deny",)))[1] == [Say("nothing_done")]


def test_cancel_takes_the_erasure_back_even_where_a_question_stands_before_it() -> None:
    state = replace(ERASURE_BEGINS, stage="choose", asked=("unsubscribe",))
    assert kinds(turn(state, while_erasure_begins("cancel", signals=("deny",)))) == [Withdraw]


def test_a_question_of_ours_loses_no_awaited_code() -> None:
    asked, _ = turn(CODE_AWAITED, said("hm, my data", unsure=("export",)))
    assert turn(asked, said(CODE))[1] == [CheckCode((normalise(CODE),))]
    answered, steps = turn(asked, said("no", signals=("deny",)))
    assert (answered, steps) == (CODE_AWAITED, [Say("nothing_done")])


def test_no_question_is_asked_about_what_already_waits_for_its_code() -> None:
    assert turn(CODE_AWAITED, said("as soon as possible", unsure=("delete",))) == (CODE_AWAITED, [Say("code_awaited")])


def test_a_yes_counts_from_the_message_that_was_asked_about() -> None:
    state = State(stage="choose", asked=("delete",), received=EARLIER)
    assert turn(state, said("yes", "delete", signals=("affirm",)))[1][0] == SendCode((Right.ERASURE,), MARIA, EARLIER)


# ---- a second wish -----------------------------------------------------------------------------------------------


def test_a_report_of_a_child_loses_no_awaited_code() -> None:
    state, steps = turn(CODE_AWAITED, said("My neighbour's son is 9 and has an account", "age_report"))
    assert kinds((state, steps)) == [Open]
    assert turn(state, said(CODE))[1] == [CheckCode((normalise(CODE),))]
    proved, _ = turn(state, CodeChecked("right"))
    assert isinstance(turn(proved, said(KID))[1][0], AddChildAddress)
    told, _ = turn(state, said(KID))
    assert told == CODE_AWAITED


def test_a_second_wish_in_an_anonymous_chat_joins_the_one_whose_code_is_awaited() -> None:
    state, steps = turn(CODE_AWAITED, said("Also send me a copy", "export", address=""))
    assert steps[0] == SendCode((Right.ERASURE, Right.EXPORT), MARIA, AT)
    assert (state.stage, state.address) == ("code", MARIA)


def test_an_unsubscribe_beside_the_address_loses_no_waiting_erasure() -> None:
    _, steps = turn(ADDRESS_AWAITED, said(f"{MARIA}, and stop the newsletter too", "unsubscribe", address=""))
    assert SendCode((Right.ERASURE,), MARIA, EARLIER) in steps
    assert isinstance(steps[0], Open)


def test_a_wish_repeated_with_its_address_counts_from_the_first_message() -> None:
    _, steps = turn(ADDRESS_AWAITED, said(f"please delete {MARIA}", "delete", address=""))
    assert steps[0] == SendCode((Right.ERASURE,), MARIA, EARLIER)
    state, _ = turn(ADDRESS_AWAITED, said("please delete my account", "delete", address=""))
    assert state.received == EARLIER


# ---- a child's account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attached", ["", MARIA])
def test_the_answer_to_which_account_opens_no_erasure_in_the_reporters_name(attached: str) -> None:
    state = State(stage="child_address", references=("PR-AAAAAA",))
    heard = said(f"The account is {KID}, please delete it", "delete", address=attached)
    assert turn(state, heard)[1] == [AddChildAddress(KID, ("PR-AAAAAA",)), Say("thanks_child_address")]


def test_a_reporters_own_wish_beside_the_childs_address_is_about_the_reporter() -> None:
    state = State(stage="child_address", references=("PR-AAAAAA",))
    _, steps = turn(state, said(f"It is {KID}. And unsubscribe me.", "unsubscribe"))
    assert steps[2] == Open(Right.UNSUBSCRIBE, MARIA, AT, "opened_unsubscribe")
    _, steps = turn(State(), said(f"My son is 12, his account is {KID}. Unsubscribe me", "unsubscribe", "age_report"))
    assert [step.address for step in steps if isinstance(step, Open)] == [KID, MARIA]


# ---- codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signals", [(), ("withdraw",)])
def test_a_change_of_mind_counts_for_more_than_the_code_beside_it(signals: tuple[str, ...]) -> None:
    heard = said(f"I changed my mind, do not delete my account! The code was {CODE}", signals=signals)
    assert turn(CODE_AWAITED, heard)[1] == [Withdraw(("PR-AAAAAA",), True)]


def test_a_wish_beside_the_code_is_heard_after_it() -> None:
    heard = said(f"My code is {CODE}. Unsubscribe me, and a copy first", "unsubscribe", "delete", "export")
    _, steps = turn(CODE_AWAITED, heard)
    assert isinstance(steps[0], CheckCode)
    assert steps[0].then is not None
    proved, _ = turn(CODE_AWAITED, CodeChecked("right"))
    _, more = turn(proved, steps[0].then)
    assert isinstance(more[0], Open)
    assert more[1] == SendCode((Right.EXPORT,), MARIA, AT)
    _, more = turn(CODE_AWAITED, replace(steps[0].then, address=MARIA))
    assert not any(isinstance(step, CheckCode) for step in more)


def test_what_may_be_a_correction_goes_to_a_person_and_voids_no_code() -> None:
    state, steps = turn(CODE_AWAITED, said("You can call me at 0722 4567", signals=("rectification",)))
    assert state == CODE_AWAITED
    assert kinds((state, steps)) == [HandOver]


def test_numbers_in_a_sentence_cost_no_try_of_a_code() -> None:
    assert find_codes("My phone is 0722 4567 and order 2026-4455, please hurry") == []
    assert find_codes("2345-6789") == ["23456789"]
    assert all(find_codes(f"my code is {new_code().lower()}") for _ in range(500))


# ---- more beside a right -----------------------------------------------------------------------------------------


def test_a_correction_beside_another_right_is_asked_for_too() -> None:
    _, steps = turn(State(), said("Correct my name and unsubscribe me", "unsubscribe", signals=("rectification",)))
    assert kinds((State(), steps)) == [Open, SendCode]
    assert steps[1] == SendCode((Right.RECTIFICATION,), MARIA, AT)


def test_who_asks_for_a_person_beside_a_right_gets_both() -> None:
    assert kinds(turn(State(), said("Delete me. I want a person.", "delete", signals=("human",)))) == [
        SendCode,
        HandOver,
    ]


# ---- access, or a copy -------------------------------------------------------------------------------------------

ARTICLE_15 = "Under Article 15 GDPR I request access to all personal data you hold about me."


def heard_access(text: str, **more: Any) -> Said:
    return said(text, "export", signals=("access",), **more)


@pytest.mark.parametrize(
    "text",
    [
        ARTICLE_15,
        "Solicit, în baza dreptului de acces (art. 15), informații despre datele mele.",
        "Ich bitte um Auskunft über meine Daten nach Art. 15 DSGVO.",
        "Je souhaite exercer mon droit d'accès à mes données.",
        "Quiero ejercer mi derecho de acceso a mis datos.",
    ],
)
def test_who_names_the_right_of_access_gets_it(text: str) -> None:
    assert turn(State(), heard_access(text))[1][:2] == [
        SendCode((Right.ACCESS,), MARIA, AT),
        Say("understood_access"),
    ]


@pytest.mark.parametrize("text", ["Please send me a copy of all my data.", "My order is 15-2026. Send me my data."])
def test_a_plain_wish_for_a_copy_stays_one(text: str) -> None:
    assert turn(State(), heard_access(text))[1][0] == SendCode((Right.EXPORT,), MARIA, AT)


def test_access_and_then_erasure_are_done_in_that_order() -> None:
    both = said(ARTICLE_15 + " Then delete everything.", "delete", "export", signals=("access",))
    assert turn(State(), both)[1] == [
        SendCode((Right.ERASURE, Right.ACCESS), MARIA, AT),
        Say("understood_export_erasure"),
        Say("code_sent"),
    ]


def test_a_copy_asked_for_after_access_is_the_same_and_access_after_a_copy_takes_its_place() -> None:
    state, _ = turn(State(), heard_access(ARTICLE_15))
    assert SendCode((Right.ACCESS,), MARIA, AT) in turn(state, said("send me my data", "export"))[1]
    open_already = said("send me my data", "export", access_open=True)
    assert turn(ERASURE_BEGINS, open_already)[1][0] == SendCode((Right.ACCESS,), MARIA, AT)
    state, _ = turn(State(), said("send me my data", "export"))
    assert turn(state, heard_access(ARTICLE_15))[1][0] == SendCode((Right.ACCESS,), MARIA, AT)


def test_clear_words_are_few_and_rough_ones_many() -> None:
    assert takes_back("stop that mail, never mind the rest")
    assert not clearly_takes_back("stop that mail, never mind the rest")
