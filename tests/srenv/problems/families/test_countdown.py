"""Countdown: which expressions are right, and hostile text."""

from __future__ import annotations

import time

import pytest

from srenv.episode import Problem
from srenv.problems import grade
from srenv.problems.families.countdown import NotAnExpression, evaluate

COUNTDOWN = Problem(
    "c/1", "", "3*7+2", "test", "countdown", {"numbers": [2, 3, 7, 7], "target": 23}
)


@pytest.mark.parametrize(
    "answer",
    ["3*7+2", "2 + 7*3", "(3*7)+2", r"3 \times 7 + 2", r"$3\cdot 7+2$", "3*7+2 = 23",
     r"\left(3×7\right)+2", "2-(-3*7)", "-(-7*3-2)"],
)  # fmt: skip
def test_right_expression(answer: str) -> None:
    assert grade(COUNTDOWN, answer).correct is True


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("23", "numbers"),
        ("3*7+1+1", "numbers"),
        ("3*7+2+2-2", "numbers"),
        ("3*7", "value"),
        ("3*7-2", "value"),
        ("3*7+2 = 22", "syntax"),
        ("", "syntax"),
        ("3*7+", "syntax"),
        ("(3*7+2", "syntax"),
        ("3*7+2)", "syntax"),
        ("3(7)+2", "syntax"),
        ("3**7", "syntax"),
        ("3^7", "syntax"),
        ("46/2", "syntax"),
        ("٣*7+2", "syntax"),
        ("３*7+2", "syntax"),
        ("x+2", "syntax"),
        ("9999999", "syntax"),
        ("__import__('os').system('true')", "syntax"),
    ],
)
def test_wrong_expression_is_refused_with_a_reason(answer: str, reason: str) -> None:
    graded = grade(COUNTDOWN, answer)
    assert (graded.correct, graded.reason) == (False, f"countdown_{reason}")


@pytest.mark.parametrize(
    "answer",
    ["(" * 10**6 + "1" + ")" * 10**6, "(" * 99 + "2" + ")" * 99, "9**" * 10**5 + "9",
     "9" * 10**6, "-" * 10**6, "7*" * 99 + "7", " " * 10**7, "=23" * 10**6, "\\left" * 10**6],
)  # fmt: skip
def test_hostile_text_is_refused_quickly(answer: str) -> None:
    start = time.perf_counter()
    assert grade(COUNTDOWN, answer).correct is False
    assert time.perf_counter() - start < 0.5


def test_operator_precedence() -> None:
    assert evaluate("2+3*4-(5-6)*2")[0] == 16
    assert evaluate("10-3-2")[0] == 5
    assert evaluate("10-(3-2)")[0] == 9
    with pytest.raises(NotAnExpression):
        evaluate("1--2")
