"""Exact solvers, step by step, one per synthetic family.

They replace the outside teachers of process-based self-rewarding (Zhang et al. 2025,
arXiv 2503.03746, section 3.2): they know the right next step, and judge which of two is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from srenv.domains.maths import MATHS
from srenv.episode import Problem
from srenv.problems.families.words import read_result, result_of, solve, write_step

NextStep = Callable[[Problem, Sequence[str]], str | None]
"""(problem, steps so far) -> the right next step; None if nothing right can follow."""


class Check(NamedTuple):
    """A check of one step: what was computed for it, what that gives, and what it should give."""

    line: str
    found: int
    due: int


@dataclass(frozen=True)
class Solver:
    """Knows the right steps of one family of problems.

    Attributes:
        next_step: Says the right next step.
        check: Checks a next step; None if it does not have the form of one.
    """

    next_step: NextStep
    check: Callable[[Problem, Sequence[str], str], Check | None]

    def solution(self, problem: Problem, begun: Sequence[str] = ()) -> list[str]:
        """The whole right solution, or the steps `begun` with all that can rightly follow."""
        steps = list(begun)
        while not finished(steps) and (step := self.next_step(problem, steps)) is not None:
            steps.append(step)
        return steps

    def judgement(self, problem: Problem, steps: Sequence[str], first: str, right: str) -> str:
        """What a judge should write of a right next step and a wrong one, of which `first` is A.

        A check of A, how far it is off, and the letter of the better step. To check is easier than
        to find: a judge that had to write the right step first would be no surer than a solver.
        """
        letter = f"[[{'A' if first == right else 'B'}]]"
        check = self.check(problem, steps, first)
        if check is None or (check.found == check.due) != (first == right):
            return f"{right}\n{letter}"
        return f"[A] {check.line}\n{check.found}-{check.due}={check.found - check.due}\n{letter}"


def finished(steps: Sequence[str]) -> bool:
    """Whether the last step gives the answer, in its form."""
    if not steps:
        return False
    answer, _, source = MATHS.extract(steps[-1])
    return answer is not None and source == "form"


def linear_step(problem: Problem, steps: Sequence[str]) -> str | None:
    """The next step of ``ax+b=c``: what ax is, which x makes it so, the answer.

    The steps before are taken at their word, right or wrong.
    """
    a, b, c = (problem.data[name] for name in "abc")
    if not steps:
        return f"{c}{-b:+d}={c - b}"
    if len(steps) == 1:
        product = linear_result(steps[0])
        return None if product is None or product % a else f"{a}*{product // a}={product}"
    x = linear_result(steps[1]) if len(steps) == 2 else None
    return None if x is None else f"\\boxed{{{x}}}"


_FOUND = re.compile(
    r"\\boxed\{(-?\d{1,9})\}|-?\d{1,9}(?:\*(-?\d{1,9})=-?\d{1,9}|[+-]\d{1,9}=(-?\d{1,9}))"
)


def linear_result(step: str) -> int | None:
    """What a step of `linear_step` finds: a sum, the factor x, or the answer."""
    match = _FOUND.fullmatch(step)
    return int(next(filter(None, match.groups()))) if match else None


def linear_check(problem: Problem, steps: Sequence[str], step: str) -> Check | None:
    """Checks a step: the sum, the product of the factor, or the answer against the factor."""
    a, b, c = (problem.data[name] for name in "abc")
    result = linear_result(step)
    if result is None or len(steps) > 2:
        return None
    if not steps:
        return Check(f"{c}{-b:+d}={c - b}", result, c - b)
    due = linear_result(steps[-1])
    if due is None:
        return None
    if len(steps) == 1:
        return Check(f"{a}*{result}={a * result}", a * result, due)
    return Check(f"\\boxed{{{due}}}", result, due)


def words_step(problem: Problem, steps: Sequence[str]) -> str | None:
    """The next step of a word problem: a calculation in a sentence, or the answer."""
    return solve(problem.data["steps"], steps)


_BOXED = re.compile(r"\\boxed\{(-?\d{1,9})\}")


def words_check(problem: Problem, steps: Sequence[str], step: str) -> Check | None:
    """Checks a step: its calculation against the right one, or the answer against the last."""
    plan, results = problem.data["steps"], [read_result(line) for line in steps]
    if len(results) < len(plan):
        due, line = result_of(plan[len(results)], results), write_step(plan[len(results)], results)
        result = read_result(step)
    else:
        due, line, match = results[-1], solve(plan, steps), _BOXED.search(step)
        result = int(match[1]) if match else None
    return None if result is None or due is None or line is None else Check(line, result, due)


SOLVERS = {
    "synthetic:linear": Solver(linear_step, linear_check),
    "synthetic:words": Solver(words_step, words_check),
}
"""Solvers by source of the problems."""
