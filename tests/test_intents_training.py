"""Training gives the same bytes each time, and the committed model is as good as the card says."""

from __future__ import annotations

from pathlib import Path

import pytest

from intents.evaluate import judge, measure
from intents.lines import apart_lines, development_lines, fold_of, training_lines
from intents.train import save, train

EVERY = 25  # to stay quick; for the same reason floors are checked on every third of many lines


def test_the_same_lines_give_the_same_bytes(tmp_path: Path) -> None:
    lines = training_lines()[::EVERY]
    files = [tmp_path / "first.npz", tmp_path / "second.npz"]
    for file in files:
        save(train(lines), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_lines_of_one_meaning_stay_in_one_fold() -> None:
    folds: dict[str, set[int]] = {}
    for line in training_lines():
        if line.group:
            folds.setdefault(f"{line.source}:{line.group}", set()).add(fold_of(line, 5))
    assert all(len(found) == 1 for found in folds.values())


def test_no_development_line_is_a_training_line() -> None:
    trained = {line.text for line in training_lines()}
    assert not [line.text for line in (*development_lines(), *apart_lines()) if line.text in trained]


@pytest.mark.parametrize(("batch", "macro_f1", "exact"), [("faro", 0.88, 0.85)])
def test_the_committed_model_keeps_the_floors_on_the_development_set(batch: str, macro_f1: float, exact: float) -> None:
    found = measure(judge([line for line in development_lines() if line.source == batch][::3]))
    assert found.count > 100
    assert found.macro_f1 >= macro_f1
    assert found.exact >= exact
    assert found.per_intent["age_report"][1] >= 0.97
    assert found.false_per_1000 <= 30


def test_chatter_of_other_desks_is_not_taken_for_a_request() -> None:
    found = measure(judge([line for line in apart_lines() if "letter" not in line.note][::3]))
    assert found.count > 250
    assert found.false_per_1000 <= 10


def test_letters_of_third_parties_are_recognised_with_the_right_intent() -> None:
    found = measure(judge([line for line in apart_lines() if "letter" in line.note]))
    assert found.count > 70
    assert found.exact >= 0.98
