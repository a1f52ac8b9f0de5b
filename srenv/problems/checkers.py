"""Judging an answer to a problem: by the verifier, or by the problem's own checker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from srenv.episode import Problem
from srenv.lookup import lookup_or_import
from srenv.problems.countdown import check_countdown
from srenv.problems.reasoning import check_reasoning_gym
from srenv.verifier.judgement import Judgement

Checker = Callable[[Problem, str], Judgement]
"""Judges an answer to a problem with many right answers. The text is hostile: bound the work."""

_CHECKERS: dict[str, Checker] = {
    "countdown": check_countdown,
    "reasoning_gym": check_reasoning_gym,
}


def register_checker(name: str, fn: Checker) -> None:
    """Make `fn` available as `Problem(checker=name)`; a later one of the same name wins."""
    _CHECKERS[name] = fn


def check(problem: Problem, answer: str | None) -> Judgement:
    """Judge an answer to a problem.

    A checker that raises leaves the answer undecided: its fault is not the model's.

    Args:
        problem: The problem; its `checker` is a registered name or `module:attribute`, and
            None compares the answer with the gold one by `srenv.verify`.
        answer: The answer as extracted from the attempt; None if there was none.

    Raises:
        ValueError: If the problem names a checker that does not exist.
    """
    if answer is None:
        return Judgement(False, "no_answer")
    if problem.checker is None:
        from srenv.verifier import verify  # SymPy is slow to import

        return verify(problem.answer, answer)
    checker: Checker = lookup_or_import("checker", problem.checker, _CHECKERS)
    start = time.perf_counter()
    try:
        judgement = checker(problem, answer)
    except Exception:
        judgement = Judgement(None, "checker_error")
    return replace(judgement, seconds=time.perf_counter() - start)
