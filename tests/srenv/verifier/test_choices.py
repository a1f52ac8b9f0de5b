r"""Letters of choices, with their options and several at a time."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("B", "\\textbf{(B)}\\ \\frac{3}{4}"),
    ("C", "C) 15"),
    ("D", "D. none of the others"),
    ("A", "\\text{Choice A}"),
    ("B, D", "BD"),
    ("ABD", "A, B \\text{ and } D"),
    ("ACD", "A、C、D"),
    ("\\text{(C)}", "C: a horizontal plane"),
    ("\\textbf{(C)}\\ 17", "C"),
    ("\\textbf{(C)}\\ 17", "17"),
    ("17", "(C) 17"),
    ("E", "\\text{Option E}"),
    ("B", "B\\text{（6）}"),
]
WRONG = [
    ("A", "(B) 5"),
    ("A", "A \\text{ or } B"),
    ("A", "A, C"),
    ("A, C", "AD"),
    ("AC", "ABC"),
    ("C", "C \\text{ or } D"),
    ("D", "D?"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_choice_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_other_choice_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form
