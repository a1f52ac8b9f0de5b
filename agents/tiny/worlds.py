"""Worlds: families of problems that a small model is made for, and how it is asked for them.

All of them have one form: a calculation, a division that is hard to do and easy to check, and what
follows from the quotient. So the same skills and habits are taught in each (`agents.tiny.skills`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.models.paths import TINY, TINY_PROGRAMS
from agents.recipes.process.solvers import Division
from srenv.domains import find_domain
from srenv.episode import Problem
from srenv.problems import load_problems
from srenv.problems.source import ProblemSource
from srenv.protocol import PROTOCOLS, Protocol


@dataclass(frozen=True)
class World:
    """What a small model knows.

    Attributes:
        families: Sources of the problems.
        sources: Their training splits.
        protocols: The protocols by name, in the words of the problems' domain.
        domain: Name of that domain.
        task: Reads a problem.
        words: Texts of problems and answers that are one token each.
        model: The bundled model that knows it.
        start: Model whose weights training starts from; None starts from nothing.
    """

    families: tuple[str, ...]
    sources: tuple[ProblemSource, ...]
    protocols: Mapping[str, Protocol]
    domain: str
    task: Callable[[Problem], Division]
    words: tuple[str, ...]
    model: str
    start: str | None = None

    @classmethod
    def make(cls, families: tuple[str, ...], domain: str, **fields: Any) -> World:
        """Returns the world of some families of problems, all of one domain."""
        sources = tuple(load_problems(name, "train") for name in families)
        wording = find_domain(domain)
        protocols = {name: protocol.worded(wording) for name, protocol in PROTOCOLS.items()}
        return cls(families, sources, protocols, domain, **fields)

    def draw(self, rng: random.Random) -> Division:
        """A problem for training; every third time one of the shapes that are rare.

        Without these the model computes badly if the added number has one digit or the other is
        negative, and then rejects right answers.
        """
        source = rng.choice(self.sources)
        rare = rng.random() < 1 / 3
        while True:
            task = self.task(source.problem(rng.getrandbits(40)))
            if not rare or task.dividend[-2] in "+-" or task.dividend[0] == "-":
                return task


@dataclass(frozen=True)
class InferredProgram(Division):
    """A program of two steps whose first number follows from its example.

    ``f(7) = 518`` and "add some number, then multiply by 7": 518/7=74, 74-7=67. For "multiply by
    some number, then add 13" it is the sum that comes before the division.

    Attributes:
        before: The program before the number.
        after: The program after it.
    """

    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, problem: Problem) -> InferredProgram:
        """Reads a problem of ``synthetic:programs?kind=inferred&steps=2``."""
        head, first, second, last = problem.answer.split("\n")
        call, result = problem.data["examples"][0]
        x, y = int(call[2:-1]), int(result)
        operator, number = second.split()[-2:]
        before, after = f"{head}\n{first.rpartition(' ')[0]} ", f"\n{second}\n{last}"
        if operator == "*":
            return cls(problem, str(y), y, int(number), -x, before, after)
        sign = 1 if operator == "-" else -1
        change = sign * int(number)
        return cls(problem, f"{y}{change:+d}", y + change, x, None, before, after)

    def begin(self) -> list[str]:
        """The step before the quotient, if there is one."""
        return [] if self.dividend == str(self.target) else super().begin()

    def finish(self, quotient: int) -> list[str]:
        """What is added to the quotient, and the program."""
        *added, _ = super().finish(quotient)
        number = quotient + (self.added or 0)
        return [*added, f"```python\n{self.before}{number}{self.after}\n```"]


_PROGRAM = "```python\ndef f(x):\n    x = x "
WORLDS = {
    "math": World.make(
        families=("synthetic:linear", "synthetic:arithmetic"),
        domain="math",
        task=Division.of,
        words=("Solve ", " for x.", "Compute ", "\\boxed{"),
        model=TINY,
    ),
    "programs": World.make(
        families=("synthetic:programs?kind=inferred&steps=2",),
        domain="code",
        task=InferredProgram.of,
        words=(
            "Write a function f(x) of an integer: add some number, then multiply by ",
            "Write a function f(x) of an integer: multiply by some number, then add ",
            "Write a function f(x) of an integer: multiply by some number, then subtract ",
            ".\nf(", "\nf(", ") = ",
            f"{_PROGRAM}* ", f"{_PROGRAM}+ ",
            "\n    x = x * ", "\n    x = x + ", "\n    x = x - ", "\n    return x\n```",
        ),
        model=TINY_PROGRAMS,
        start=TINY,
    ),
}  # fmt: skip
"""Worlds by name."""
