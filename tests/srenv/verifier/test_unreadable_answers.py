r"""Answers that cannot be read: undecided if they may be right, else wrong."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

UNDECIDED = [
    ("7", "\\sim 7"),
    ("7", "7 \\pmod{10}"),
    ("\\sqrt{2}", "\\frobnicate{x} \\sqrt{2}"),
]
WRONG = [
    ("7", "\\sim 8"),
    ("\\sqrt{2}", "\\frobnicate{2}"),
    ("7", "\\text{not } 7"),
    ("7", "\\ge 7"),
    ("7", ""),
]


@pytest.mark.parametrize(("gold", "answer"), UNDECIDED)
def test_unreadable_answer_that_holds_the_gold_answer_is_undecided(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is None


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_other_unreadable_answer_is_wrong(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is False
