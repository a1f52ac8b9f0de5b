"""Grading of answers: by the problem's own checker, or by its domain."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from srenv.domains import find_domain
from srenv.episode import Problem
from srenv.registry import resolve
from srenv.verifier import Grade

Checker = Callable[[Problem, str], Grade]
"""Grades an answer to a problem with many right answers. The text is hostile: bound the work."""

CHECKERS: dict[str, Checker | str] = {
    "countdown": "srenv.problems.families.countdown:check_countdown",
    "alternatives": "srenv.problems.alternatives:check_alternatives",
    "reasoning_gym": "srenv.problems.reasoning_gym:check_reasoning_gym",
}
"""Checkers by name; a ``module:attribute`` is imported when a problem first names it."""

_NO_ANSWER = Grade(False, "no_answer")


def register_checker(name: str, checker: Checker) -> None:
    """Registers a checker for ``Problem(checker=name)``; a later one of the same name wins.

    A problem names a registered checker and nothing else: names come from data, and data must not
    say what to import.
    """
    CHECKERS[name] = checker


def grade(problem: Problem, answer: str | None) -> Grade:
    """Grades an answer to a problem.

    A checker that raises leaves the answer undecided: its fault is not the model's.

    Args:
        problem: The problem; without a `checker`, its `domain` compares with the gold answer.
        answer: The answer as extracted from the attempt; None if there was none.

    Raises:
        ValueError: The problem names a checker or a domain that is not registered.
    """
    return grade_batch([problem], [answer])[0]


def grade_batch(problems: Sequence[Problem], answers: Sequence[str | None]) -> list[Grade]:
    """Grades many answers at once, each as `grade` would; a domain gets all of its own together.

    Args:
        problems: One per answer; repeated for a group.
        answers: The answers as extracted from the attempts; None if there was none.

    Returns:
        One grade per answer, in order.

    Raises:
        ValueError: A problem names a checker or a domain that is not registered.
    """
    grades = [_NO_ANSWER] * len(problems)
    batches: dict[str, tuple[list[int], list[Problem], list[str]]] = {}
    for place, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            continue
        if problem.checker is not None:
            grades[place] = _grade_by_checker(problem, problem.checker, answer)
        else:
            if problem.domain not in batches:
                batches[problem.domain] = [], [], []
            places, asked, written = batches[problem.domain]
            places.append(place)
            asked.append(problem)
            written.append(answer)
    for name, (places, asked, written) in batches.items():
        results = find_domain(name).grade_batch(asked, written)
        for place, result in zip(places, results, strict=True):
            grades[place] = result
    return grades


def refuses_wrong(problem: Problem) -> bool:
    """Returns whether a wrong answer to a problem can be graded, as its gold answer can be read."""
    wrong = next(find_domain(problem.domain).perturb(problem, []), None)
    return wrong is None or grade(problem, wrong[1]).correct is not None


def _grade_by_checker(problem: Problem, name: str, answer: str) -> Grade:
    checker = resolve("checker", name, CHECKERS)
    start = time.perf_counter()
    try:
        graded = checker(problem, answer)
    except Exception:
        graded = Grade(None, "checker_error")
    return replace(graded, seconds=time.perf_counter() - start)
