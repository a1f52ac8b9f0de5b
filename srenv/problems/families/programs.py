"""Small programs: steps in words that become lines of Python.

``synthetic:programs``: a function of a number, a function of a list, or a program that reads and
prints, in one to three steps. The prompt shows two examples; ten other inputs are the hidden
tests. The options ``?steps=2`` or ``?steps=1-4`` and ``?kind=number`` (or ``list``, ``print``)
choose the difficulty. ``?kind=inferred`` leaves a number out ("multiply by some number, then add
13"), and the examples say which. A task is its steps: the inputs follow from them, so the splits
share none.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from srenv.problems.seeding import hashed_rng
from srenv.problems.source import Drawn, EndlessSource, SourceSpec
from srenv.registry import unknown

KINDS = ("number", "list", "print")
"""Kinds of tasks that are drawn unless the options name one."""
INFERRED = "inferred"
"""A further kind: a function of a number that multiplies and adds in turns. The number of its first
step is left out of the words, and follows from each example."""
EXAMPLES, TESTS = 2, 10
"""Number of examples that the prompt shows, and of hidden tests."""
MAX_STEPS = 9


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program.

    Attributes:
        words: What is done, in the imperative.
        code: A statement on ``x``, of one line or more.
        apply: The same as a function.
    """

    words: str
    code: str
    apply: Callable[[Any], Any]


def programs_source(spec: SourceSpec) -> EndlessSource:
    """Returns the source ``synthetic:programs``.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    options = spec.read_options("steps", "kind")
    least, most = spec.read_steps(MAX_STEPS)
    kind = options.get("kind", "")
    if kind not in ("", *KINDS, INFERRED):
        raise ValueError(f"source {spec.text!r}: {unknown('kind', kind, (*KINDS, INFERRED))}")
    if kind == INFERRED:
        draw = functools.partial(_draw_inferred, least=least, most=most)
    else:
        draw = functools.partial(_draw, kinds=(kind,) if kind else KINDS, least=least, most=most)
    return EndlessSource(spec.text, spec.split, "programs", draw)


def _draw(seed: int, kinds: tuple[str, ...], least: int, most: int) -> Drawn:
    rng = random.Random(seed)
    kind = rng.choice(kinds)
    lists = kind == "list" or (kind == "print" and rng.random() < 0.5)
    count = rng.randint(least, most)
    while True:
        steps = [(list_step if lists else number_step)(rng) for _ in range(count)]
        task = make_task(steps, lists, prints=kind == "print")
        if task is not None:
            return task


def make_task(steps: list[Step], lists: bool, prints: bool) -> Drawn | None:
    """Returns the task of these steps; None if one of them changes nothing on the hidden tests.

    Args:
        steps: The steps.
        lists: Whether ``x`` is a list of integers rather than an integer.
        prints: Whether the program reads and prints rather than defining a function.
    """
    words = _joined([step.words for step in steps])
    rng = hashed_rng("programs", words, str(lists))
    values = _lists(rng) if lists else rng.sample(range(-30, 61), EXAMPLES + TESTS)
    results = [_run(steps, value) for value in values]
    hidden = range(EXAMPLES, EXAMPLES + TESTS)
    for place in range(len(steps)):
        rest = steps[:place] + steps[place + 1 :]
        if all(_run(rest, values[n]) == results[n] for n in hidden):
            return None
    if len({str(results[n]) for n in hidden}) < 3:
        return None
    if prints:
        return _printing(steps, words, values, results, lists)
    return _function(steps, words, values, results, lists)


def _draw_inferred(seed: int, least: int, most: int) -> Drawn:
    rng = random.Random(seed)
    count = rng.randint(least, most)
    while True:
        task = make_inferred(inferred_steps(rng, count))
        if task is not None:
            return task


def inferred_steps(rng: random.Random, count: int) -> list[Step]:
    """Draws steps that multiply and add in turns; the words of the first do not tell its number."""
    multiplies = rng.random() < 0.5
    number = rng.randint(10, 99)
    first = _times(number) if multiplies else _plus(number)
    steps = [replace(first, words=first.words.replace(str(number), "some number"))]
    for _ in range(count - 1):
        multiplies = not multiplies
        if multiplies:
            steps.append(_times(rng.randint(2, 9)))
        else:
            steps.append(rng.choice((_plus, _minus))(rng.randint(2, 50)))
    return steps


def make_inferred(steps: list[Step]) -> Drawn | None:
    """Returns the task of these steps; None if an example's result is not positive."""
    rng = hashed_rng("programs", INFERRED, *(step.code for step in steps))
    values = rng.sample(range(2, 10), EXAMPLES) + rng.sample(range(10, 61), TESTS)
    results = [_run(steps, value) for value in values]
    if min(results[:EXAMPLES]) <= 0:
        return None
    return _function(steps, _joined([step.words for step in steps]), values, results, lists=False)


def number_step(rng: random.Random) -> Step:
    """Draws a step from an integer to an integer."""
    n = rng.randint(2, 20)
    return rng.choice(
        (
            _plus(n),
            _minus(n),
            _times(n),
            Step(f"divide by {n} and round down", f"x = x // {n}", lambda x: x // n),
            Step(f"take the remainder after division by {n}", f"x = x % {n}", lambda x: x % n),
            Step(f"take it or {n}, the larger one", f"x = max(x, {n})", lambda x: max(x, n)),
            Step(f"take it or {n}, the smaller one", f"x = min(x, {n})", lambda x: min(x, n)),
            Step("square it", "x = x * x", lambda x: x * x),
            Step("take its absolute value", "x = abs(x)", abs),
            Step(
                f"if it is even, add {n}",
                f"if x % 2 == 0:\n    x = x + {n}",
                lambda x: x + n if x % 2 == 0 else x,
            ),
            Step(
                f"if it is negative, multiply by {n}",
                f"if x < 0:\n    x = x * {n}",
                lambda x: x * n if x < 0 else x,
            ),
        )
    )


def _plus(n: int) -> Step:
    return Step(f"add {n}", f"x = x + {n}", lambda x: x + n)


def _minus(n: int) -> Step:
    return Step(f"subtract {n}", f"x = x - {n}", lambda x: x - n)


def _times(n: int) -> Step:
    return Step(f"multiply by {n}", f"x = x * {n}", lambda x: x * n)


def list_step(rng: random.Random) -> Step:
    """Draws a step from a list of integers to a list of integers."""
    n = rng.randint(2, 9)
    return rng.choice(
        (
            Step(f"add {n} to each", f"x = [n + {n} for n in x]", lambda x: [m + n for m in x]),
            Step(
                f"multiply each by {n}", f"x = [n * {n} for n in x]", lambda x: [m * n for m in x]
            ),
            Step(
                f"keep those above {n}",
                f"x = [n for n in x if n > {n}]",
                lambda x: [m for m in x if m > n],
            ),
            Step(
                f"drop those divisible by {n}",
                f"x = [n for n in x if n % {n} != 0]",
                lambda x: [m for m in x if m % n != 0],
            ),
            Step(f"keep the first {n}", f"x = x[:{n}]", lambda x: x[:n]),
            Step("drop the first one", "x = x[1:]", lambda x: x[1:]),
            Step("reverse the order", "x = x[::-1]", lambda x: x[::-1]),
            Step("sort them", "x = sorted(x)", sorted),
            Step(f"append {n}", f"x = x + [{n}]", lambda x: [*x, n]),
        )
    )


def _function(
    steps: list[Step], words: str, values: list[Any], results: list[Any], lists: bool
) -> Drawn:
    """Returns a task for the function ``f``."""
    calls = [f"f({value})" for value in values]
    examples = [[calls[n], str(results[n])] for n in range(EXAMPLES)]
    shown = "\n".join(f"{call} = {result}" for call, result in examples)
    kind = "a list of integers" if lists else "an integer"
    prompt = f"Write a function f(x) of {kind}: {words}.\n{shown}"
    lines = [f"    {line}" for step in steps for line in step.code.split("\n")]
    answer = "\n".join(["def f(x):", *lines, "    return x"])
    asserts = [
        f"    assert candidate({value}) == {result}"
        for value, result in zip(values[EXAMPLES:], results[EXAMPLES:], strict=True)
    ]
    tests = "\n".join(["def check(candidate):", *asserts, ""])
    data = {"entry_point": "f", "signature": "def f(x):", "tests": tests, "examples": examples}
    return Drawn(prompt, answer, None, data, "code")


def _printing(
    steps: list[Step], words: str, values: list[Any], results: list[Any], lists: bool
) -> Drawn:
    """Returns a task for a program that reads a line and prints one."""
    written = [_written(value) for value in values]
    cases = [
        [f"{value}\n", f"{_written(result)}\n"]
        for value, result in zip(written, results, strict=True)
    ]
    shown = "\n".join(f"Input {case[0].strip()} prints {case[1].strip()}" for case in cases[:2])
    kind = "integers from one line" if lists else "an integer"
    verb = "prints them on one line" if lists else "prints the result"
    prompt = f"Write a program that reads {kind} and {verb} after these steps: {words}.\n{shown}"
    read = "x = [int(word) for word in input().split()]" if lists else "x = int(input())"
    code = [step.code for step in steps]
    answer = "\n".join([read, *code, "print(*x)" if lists else "print(x)"])
    data = {"cases": cases[EXAMPLES:], "examples": cases[:EXAMPLES]}
    return Drawn(prompt, answer, None, data, "code")


def _run(steps: list[Step], value: Any) -> Any:
    for step in steps:
        value = step.apply(value)
    return value


def _lists(rng: random.Random) -> list[Any]:
    """Returns distinct lists of two to seven integers, and an empty one among the hidden tests."""
    lists: list[list[int]] = []
    while len(lists) < EXAMPLES + TESTS - 1:
        values = [rng.randint(-9, 20) for _ in range(rng.randint(2, 7))]
        if values not in lists:
            lists.append(values)
    return [*lists, []]


def _written(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _joined(words: list[str]) -> str:
    """Returns steps as one phrase: ``add 2, square it, then subtract 3``."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])}, then {words[-1]}"
