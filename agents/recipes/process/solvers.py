"""Exact solvers, step by step, one per synthetic family.

They replace the outside teachers of process-based self-rewarding (Zhang et al. 2025,
arXiv 2503.03746, section 3.2): they know the right next step, and judge which of two is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from srenv.domains.math import MATH
from srenv.episode import Problem
from srenv.problems.families.words import read_result, result_of, solve, write_step
from srenv.registry import lookup

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

    def judgment(self, problem: Problem, steps: Sequence[str], first: str, right: str) -> str:
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
    answer, _, source = MATH.extract(steps[-1])
    return answer is not None and source == "form"


@dataclass(frozen=True)
class Division:
    """A problem whose answer is a sum divided by a number, to which another may be added.

    Both families of the bundled model have this form: ``ax+b=c`` is ``(c-b)/a``.

    Attributes:
        problem: The problem.
        dividend: The sum, as it is written: ``743-77``.
        target: What it is.
        divisor: What divides it.
        added: What is added to the quotient; None if the quotient is the answer.
    """

    problem: Problem
    dividend: str
    target: int
    divisor: int
    added: int | None = None

    @classmethod
    def of(cls, problem: Problem) -> Division:
        """Reads the numbers of a problem of ``synthetic:linear`` or ``synthetic:arithmetic``."""
        data = problem.data
        if "a" in data:
            return cls(problem, *_sum(data["c"], -data["b"]), data["a"])
        return cls(problem, *_sum(data["p"], data["q"]), data["d"], data["r"])

    @property
    def quotient(self) -> int:
        """The right quotient."""
        return self.target // self.divisor

    def begin(self) -> list[str]:
        """The step before the quotient: the sum."""
        return [f"{self.dividend}={self.target}"]

    def finish(self, quotient: int) -> list[str]:
        """The steps after a quotient: what is added, and the answer."""
        if self.added is None:
            return [f"\\boxed{{{quotient}}}"]
        answer = quotient + self.added
        return [f"{quotient}{self.added:+d}={answer}", f"\\boxed{{{answer}}}"]

    def steps(self, quotient: int | None = None) -> list[str]:
        """The solution, or that with a given quotient."""
        found = self.quotient if quotient is None else quotient
        return [*self.begin(), f"{self.target}/{self.divisor}={found}", *self.finish(found)]

    def solution(self, quotient: int | None = None) -> str:
        """The same as one text."""
        return "\n".join(self.steps(quotient))


def _sum(first: int, second: int) -> tuple[str, int]:
    return f"{first}{second:+d}", first + second


def division_step(problem: Problem, steps: Sequence[str]) -> str | None:
    """The next step; earlier steps are taken as correct, even if they are wrong."""
    task = Division.of(problem)
    results = [division_result(step) for step in steps]
    if not steps:
        return task.steps()[0]
    if results[-1] is None or len(steps) >= len(task.steps()):
        return None
    if len(steps) == 1:
        target, divisor = results[0], task.divisor
        return (
            None
            if target is None or target % divisor
            else f"{target}/{divisor}={target // divisor}"
        )
    if len(steps) == 2 and task.added is not None:
        return "{}={}".format(*_sum(results[-1], task.added))
    return f"\\boxed{{{results[-1]}}}"


_FOUND = re.compile(r"\\boxed\{(-?\d{1,9})\}|-?\d{1,9}[-+/]\d{1,9}=(-?\d{1,9})")


def division_result(step: str) -> int | None:
    """What a step of `division_step` finds: a sum, a quotient, or the answer."""
    match = _FOUND.fullmatch(step)
    return int(match[1] or match[2]) if match else None


def division_check(problem: Problem, steps: Sequence[str], step: str) -> Check | None:
    """Checks a step: a sum by itself, a quotient by its product, the answer by the last step."""
    task = Division.of(problem)
    result, last = division_result(step), division_result(steps[-1]) if steps else task.target
    if result is None or last is None or len(steps) >= len(task.steps()):
        return None
    if not steps:
        return Check(task.steps()[0], result, last)
    if len(steps) == 1:
        product = task.divisor * result
        return Check(f"{task.divisor}*{result}={product}", product, last)
    if len(steps) == 2 and task.added is not None:
        line, due = _sum(last, task.added)
        return Check(f"{line}={due}", result, due)
    return Check(f"\\boxed{{{last}}}", result, last)


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
    "synthetic:linear": Solver(division_step, division_check),
    "synthetic:arithmetic": Solver(division_step, division_check),
    "synthetic:words": Solver(words_step, words_check),
}
"""Solvers by source of the problems, without its options."""


def find_solver(source: str) -> Solver:
    """Returns the exact solver of a source, whatever its options.

    Raises:
        ValueError: There is none.
    """
    return lookup("exact solver of", source.partition("?")[0], SOLVERS)
