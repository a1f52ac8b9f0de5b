"""Synthetic families: endless problems whose answers are easier to check than to find."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from srenv.episode import Problem
from srenv.problems.countdown import build
from srenv.problems.seeding import Split, hashed_rng
from srenv.problems.source import Drawn, EndlessSource, ProblemSource, SourceSpec
from srenv.registry import unknown

Draw = tuple[str, str, dict[str, Any]]
"""What a family draws: the prompt, the gold answer, and data about the problem."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The inclusive ranges that the families draw from.

    They leave `factor` the fewest prompts, 11 600 for training and 1700 for evaluation, and
    `modinv` 66 000 and 9000; the other families have hundreds of thousands.
    """

    linear_a: tuple[int, int] = (2, 9)
    linear_b: tuple[int, int] = (1, 99)
    linear_x: tuple[int, int] = (10, 99)
    system_coefficient: tuple[int, int] = (2, 9)
    system_unknown: tuple[int, int] = (-20, 20)
    factor_prime: tuple[int, int] = (11, 997)
    root_number: tuple[int, int] = (100, 999_999)
    modinv_prime: tuple[int, int] = (11, 997)
    countdown_number: tuple[int, int] = (2, 25)
    countdown_count: int = 4
    countdown_target: tuple[int, int] = (30, 999)


RANGES = Ranges()


def linear(rng: random.Random) -> Draw:
    """`Solve 7x+43=365 for x.`: found by two inverse operations, checked by substitution."""
    a = rng.randint(*RANGES.linear_a)
    b = _signed(rng, RANGES.linear_b)
    x = rng.randint(*RANGES.linear_x)
    c = a * x + b
    return f"Solve {a}x{b:+d}={c} for x.", str(x), {"a": a, "b": b, "c": c}


def system(rng: random.Random) -> Draw:
    """Two linear equations in two unknowns: found by elimination, checked by substitution."""
    x, y = (rng.randint(*RANGES.system_unknown) for _ in range(2))
    a, b, c, d = (_signed(rng, RANGES.system_coefficient) for _ in range(4))
    while a * d == b * c:  # parallel lines have no single answer
        c, d = (_signed(rng, RANGES.system_coefficient) for _ in range(2))
    first, second = f"{a}x{b:+d}y={a * x + b * y}", f"{c}x{d:+d}y={c * x + d * y}"
    prompt = f"Solve {first} and {second}. Answer with the pair (x, y)."
    return prompt, f"({x}, {y})", {}


def factor(rng: random.Random) -> Draw:
    """The smaller prime factor of a semiprime: found by trial, checked by one division."""
    p, q = sorted(rng.sample(_primes(*RANGES.factor_prime), 2))
    return f"Find the smaller prime factor of {p * q}.", str(p), {}


def root(rng: random.Random) -> Draw:
    """An integer square or cube root: found by search, checked by multiplying out."""
    n = rng.randint(*RANGES.root_number)
    if rng.random() < 0.5:
        return f"Find the largest integer r with r^2 <= {n}.", str(math.isqrt(n)), {}
    r = round(n ** (1 / 3))
    r -= r**3 > n
    return f"Find the largest integer r with r^3 <= {n}.", str(r), {}


def modinv(rng: random.Random) -> Draw:
    """An inverse modulo a prime: found by Euclid's algorithm, checked by one product."""
    p = rng.choice(_primes(*RANGES.modinv_prime))
    a = rng.randint(2, p - 1)
    prompt = f"Find the integer x from 1 to {p - 1} with {a}x = 1 modulo {p}."
    return prompt, str(pow(a, -1, p)), {}


def countdown(rng: random.Random) -> Draw:
    """Reach a target from given numbers: found by search, checked by evaluating."""
    smallest, largest = RANGES.countdown_number
    low, high = RANGES.countdown_target
    target = low - 1
    while not low <= target <= high:
        numbers = rng.sample(range(smallest, largest + 1), RANGES.countdown_count)
        answer, target = build(rng, numbers)
    listed = ", ".join(map(str, numbers))
    prompt = f"Use each of {listed} at most once with + - * and parentheses to make {target}."
    return prompt, answer, {"numbers": numbers, "target": target}


def _signed(rng: random.Random, span: tuple[int, int]) -> int:
    return rng.choice((-1, 1)) * rng.randint(*span)


@functools.cache
def _primes(low: int, high: int) -> tuple[int, ...]:
    numbers = range(low, high + 1)
    return tuple(n for n in numbers if all(n % d for d in range(2, math.isqrt(n) + 1)))


@dataclass(frozen=True, slots=True)
class Family:
    """One family of problems.

    Attributes:
        draw: Draws a problem from a generator.
        checker: The checker of its problems; None where there is one right answer.
    """

    draw: Callable[[random.Random], Draw]
    checker: str | None = None


FAMILIES: dict[str, Family] = {
    "linear": Family(linear),
    "system": Family(system),
    "factor": Family(factor),
    "root": Family(root),
    "modinv": Family(modinv),
    "countdown": Family(countdown, checker="countdown"),
}


class MixedSource(ProblemSource):
    """All families in equal parts; its problems keep the id and source of their family."""

    def __init__(self, name: str, split: Split) -> None:
        super().__init__(name, split, None)
        self._sources = {family: family_source(family, split) for family in FAMILIES}

    def problem(self, index: int) -> Problem:
        """Draw problem number `index` of the family that a hash of the index picks."""
        index = self._check_index(index)
        family = hashed_rng("mixed", self.split, index).choice(list(self._sources))
        return self._sources[family].problem(index)

    def find(self, problem_id: str) -> Problem:
        """Draw the problem that the id describes, of any family."""
        family = problem_id.partition("/")[0]
        if family not in self._sources:
            raise KeyError(f"{self.name}: {unknown('family', family, FAMILIES)}")
        return self._sources[family].find(problem_id)


def family_source(family: str, split: Split) -> EndlessSource:
    """Return the endless source of one family."""
    return EndlessSource(
        f"synthetic:{family}", split, family, functools.partial(_draw_from, family)
    )


def _draw_from(family: str, seed: int) -> Drawn:
    entry = FAMILIES[family]
    prompt, answer, data = entry.draw(random.Random(seed))
    return Drawn(prompt, answer, entry.checker, data)


def synthetic_source(spec: SourceSpec) -> ProblemSource:
    """Return the source of `synthetic:FAMILY` or `synthetic:mixed`.

    Raises:
        ValueError: If there is no such family.
    """
    spec.read_options()
    if spec.target == "mixed":
        return MixedSource(spec.text, spec.split)
    if spec.target not in FAMILIES:
        raise ValueError(unknown("synthetic family", spec.target, [*FAMILIES, "mixed"]))
    return family_source(spec.target, spec.split)
