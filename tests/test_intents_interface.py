"""The interface that the conversation relies on."""

from __future__ import annotations

from intents import INTENTS, SIGNALS, detect


def test_the_names_of_intents_and_signals_are_stable() -> None:
    assert INTENTS == ("unsubscribe", "delete", "export", "age_report", "object")
    assert set(SIGNALS) >= {"rectification", "withdraw", "status", "human", "affirm", "deny"}


def test_a_greeting_asks_for_nothing() -> None:
    found = detect("Hello there")
    assert found.intents == ()
    assert set(found.scores) == set(INTENTS)
