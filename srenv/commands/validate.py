r"""Prove that a source of problems grades as it should.

``srenv validate SOURCE`` checks that every gold answer is accepted, as it stands and from a boxed
solution, and that answers which are a little wrong are refused: a changed digit, the other sign, a
second guess beside the right answer, the answer of another problem, no answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from srenv.episode import Problem
from srenv.problems import grade, load_problems
from srenv.problems.seeding import Split
from srenv.protocol import Protocol

ENDLESS_COUNT = 200
"""Problems that are drawn from an endless source."""


@dataclass(frozen=True, slots=True)
class ValidateConfig:
    """Prove that a problem source accepts its own gold answers and refuses perturbed ones.

    Attributes:
        source: The source, such as ``synthetic:linear`` or ``jsonl:problems.jsonl``.
        split: Which split.
        count: How many problems; all of a finite source and 200 of an endless one by default.
        seed: Which problems, when not all.
        show: How many failures to print.
    """

    source: Annotated[str, tyro.conf.Positional]
    split: Split = "train"
    count: int | None = None
    seed: int = 0
    show: int = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """A grade that should have been another one.

    Attributes:
        problem: The problem.
        kind: What was tried: ``gold``, ``boxed``, or the name of a perturbation.
        answer: The answer that was tried.
        reason: The rule by which the verifier decided.
    """

    problem: Problem
    kind: str
    answer: str
    reason: str


@dataclass(slots=True)
class Validation:
    """The outcome.

    Attributes:
        problems: How many problems were tried.
        tried: How many answers of each kind.
        failures: Gold answers that were not accepted, and perturbed ones that were.
    """

    problems: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def perturb(problem: Problem, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield wrong answers to a problem, each with the name of what was done.

    Args:
        problem: The problem.
        others: Gold answers of other problems.
    """
    gold = problem.answer
    digits = [m.start() for m in re.finditer("[0-9]", gold)]
    for name, at in (("first digit", digits[:1]), ("last digit", digits[-1:])):
        for position in at:
            digit = "1" if gold[position] == "0" else str(int(gold[position]) % 9 + 1)
            yield name, gold[:position] + digit + gold[position + 1 :]
    if re.match(r"\$?[1-9]", gold):
        yield "sign", "$-" + gold[1:] if gold[0] == "$" else "-" + gold
    yield "no answer", ""
    if problem.checker is None:
        other = next((o for o in others if o.strip() != gold.strip()), None)
        if other is not None:
            yield "two guesses", f"{gold} or {other}"
            yield "another answer", other


def validate_problems(problems: Sequence[Problem], result: Validation) -> Iterator[Problem]:
    """Try answers to each problem, yield it, and collect the failures in `result`."""
    protocol = Protocol()
    for number, problem in enumerate(problems):
        result.problems += 1
        _try(result, problem, "gold", problem.answer, wanted=True)
        solution = rf"We think about it, and find \boxed{{{problem.answer}}}."
        parsed = protocol.parse(solution + "\n[VERIFY] correct").answer or ""
        _try(result, problem, "boxed", parsed, wanted=True)
        near = range(number + 1, number + 6)
        others = [problems[n % len(problems)].answer for n in near]
        # Two problems may have the same answer in different words.
        others = [o for o in others if grade(problem, o).correct is False]
        for kind, answer in perturb(problem, others):
            _try(result, problem, kind, answer, wanted=False)
        yield problem


def _try(result: Validation, problem: Problem, kind: str, answer: str, wanted: bool) -> None:
    graded = grade(problem, answer)
    result.tried[kind] += 1
    if (graded.correct is True) != wanted:
        result.failures.append(Failure(problem, kind, answer, graded.reason))


def validate(config: ValidateConfig) -> Validation:
    """Validate a source and print the outcome.

    Raises:
        ValueError: If there is no such source, or it has too few problems.
        SystemExit: With status 1, if a gold answer was refused or a perturbed one accepted.
    """
    from rich.console import Console
    from rich.progress import track

    source = load_problems(config.source, config.split)
    count = config.count or source.size or ENDLESS_COUNT
    problems = source.take(count, seed=config.seed)
    console = Console()
    result = Validation()
    tried = validate_problems(problems, result)
    for _ in track(
        tried, "validating", total=len(problems), console=console, disable=not console.is_terminal
    ):
        pass
    _report(result, config, console)
    if result.failures:
        raise SystemExit(1)
    return result


def _report(result: Validation, config: ValidateConfig, console: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    failed = Counter(failure.kind for failure in result.failures)
    summary = Table("answer", "should be", "tried", "failed", title=config.source)
    for kind, tried in result.tried.items():
        wanted = "accepted" if kind in ("gold", "boxed") else "refused"
        summary.add_row(kind, wanted, str(tried), str(failed[kind]))
    console.print(summary)
    for failure in result.failures[: config.show]:
        line = f"{failure.problem.id}: {failure.kind} {failure.answer!r} "
        console.print(Text(f"{line}(gold {failure.problem.answer!r}, {failure.reason})"))
    if len(result.failures) > config.show:
        console.print(f"and {len(result.failures) - config.show} more; raise --show to see them")
    verdict = "holds" if not result.failures else f"{len(result.failures)} failures"
    console.print(f"{result.problems} problems: {verdict}")
