"""The checker `alternatives`: any of several gold answers is right."""

import pytest

from srenv.episode import Problem
from srenv.problems import grade


def graded(golds: object, answer: str) -> bool | None:
    problem = Problem("p", "?", "1", "test", checker="alternatives", data={"answers": golds})
    return grade(problem, answer).correct


@pytest.mark.parametrize(("answer", "correct"), [("1/2", True), ("0.25", True), ("3", False)])
def test_one_alternative_that_accepts_is_enough(answer: str, correct: bool) -> None:
    assert graded(["\\frac12", "\\frac14"], answer) is correct


@pytest.mark.parametrize("golds", [None, 5, [], [None], "12"])
def test_data_that_is_not_a_list_of_answers_right_is_never_right(golds: object) -> None:
    assert graded(golds, "7") is not True


def test_an_alternative_that_cannot_be_decided_leaves_the_answer_undecided() -> None:
    undecided = Problem("p", "?", "??? ???", "test")
    assert grade(undecided, "7").correct is None
    assert graded(["1", "??? ???"], "7") is None
    assert graded(["7", "??? ???"], "7") is True
