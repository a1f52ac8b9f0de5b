"""Judging an answer to a problem: by the verifier, or by the problem's own checker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from srenv.episode import Problem
from srenv.problems.countdown import check_countdown
from srenv.problems.reasoning_gym import check_reasoning_gym
from srenv.registry import lookup_or_import
from srenv.verifier import Grade, verify_batch

Checker = Callable[[Problem, str], Grade]
"""Judges an answer to a problem with many right answers. The text is hostile: bound the work."""

_CHECKERS: dict[str, Checker] = {
    "countdown": check_countdown,
    "reasoning_gym": check_reasoning_gym,
}


def register_checker(name: str, fn: Checker) -> None:
    """Make `fn` available as `Problem(checker=name)`; a later one of the same name wins."""
    _CHECKERS[name] = fn


def grade(problem: Problem, answer: str | None) -> Grade:
    """Judge an answer to a problem.

    A checker that raises leaves the answer undecided: its fault is not the model's.

    Args:
        problem: The problem; its `checker` is a registered name or `module:attribute`, and
            None compares the answer with the gold one by `srenv.verify`.
        answer: The answer as extracted from the attempt; None if there was none.

    Raises:
        ValueError: If the problem names a checker that does not exist.
    """
    return grade_batch([problem], [answer])[0]


def grade_batch(problems: Sequence[Problem], answers: Sequence[str | None]) -> list[Grade]:
    """Judge many answers at once, each as `check` would.

    Pairs of a gold answer and an answer that occur more than once are judged once, and all pairs
    go to the verifier in one call.

    Args:
        problems: One per answer; repeated for a group.
        answers: What was extracted from the attempts; None where there was nothing.

    Returns:
        One grade per answer, in order.

    Raises:
        ValueError: If a problem names a checker that does not exist.
    """
    grades: list[Grade] = []
    waiting: dict[tuple[str, str], list[int]] = {}
    for place, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            graded = _NO_ANSWER
        elif problem.checker is not None:
            graded = _by_checker(problem, problem.checker, answer)
        else:
            waiting.setdefault((problem.answer, answer), []).append(place)
            graded = _NO_ANSWER  # to be replaced
        grades.append(graded)
    if waiting:
        for places, graded in zip(waiting.values(), verify_batch(list(waiting)), strict=True):
            for place in places:
                grades[place] = graded
    return grades


_NO_ANSWER = Grade(False, "no_answer")


def _by_checker(problem: Problem, name: str, answer: str) -> Grade:
    checker: Checker = lookup_or_import("checker", name, _CHECKERS)
    start = time.perf_counter()
    try:
        graded = checker(problem, answer)
    except Exception:
        graded = Grade(None, "checker_error")
    return replace(graded, seconds=time.perf_counter() - start)
