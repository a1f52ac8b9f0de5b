"""Grades by checkers and domains."""

from __future__ import annotations

import pytest

from srenv.episode import Problem
from srenv.problems import grade, register_checker
from srenv.verifier.grade import Grade


def accept_even(problem: Problem, answer: str) -> Grade:
    return Grade(int(answer) % 2 == 0, "even")


def test_registered_checker_grades() -> None:
    register_checker("even", accept_even)
    problem = Problem("1", "Name an even number.", "2", "test", "even")
    assert grade(problem, "4").correct is True
    assert grade(problem, "5").correct is False
    assert grade(problem, None) == Grade(False, "no_answer")


def test_checker_that_raises_leaves_the_answer_undecided() -> None:
    register_checker("even", accept_even)
    graded = grade(Problem("1", "Name an even number.", "2", "test", "even"), "four")
    assert (graded.correct, graded.reason) == (None, "checker_error")


def test_unknown_checker_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"unknown checker 'countdwn'\. Did you mean 'countdow"):
        grade(Problem("1", "", "2", "test", "countdwn"), "2")
