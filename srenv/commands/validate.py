"""``srenv validate SOURCE``: proof that a source of problems is graded as it should be.

Every gold answer must be accepted, as it is and as the attempt that states it, and answers that
are a little wrong must be refused: what they are is up to the domain (`Domain.perturb`). Gold
answers whose grading runs something are graded several times (`Domain.trials`), and a task that
accepts its own only sometimes is flaky: leave it out of training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from srenv.domains import find_domain
from srenv.episode import Problem
from srenv.problems import grade, grade_batch, load_problems
from srenv.problems.seeding import Split

ENDLESS_COUNT = 200
"""Number of problems that are drawn from an endless source."""
ACCEPTED = ("gold", "attempt")
"""The kinds of answers that must be accepted; all others must be refused."""
SHOWN_CHARS = 200
"""Characters of an answer that are printed."""
FLAKY = "flaky"
"""The reason of a gold answer that is accepted in some trials and not in others."""


@dataclass(frozen=True, slots=True)
class ValidateConfig:
    """Checks that a problem source accepts its gold answers and refuses perturbed ones."""

    source: Annotated[str, tyro.conf.Positional]
    """The source, such as ``synthetic:linear`` or ``jsonl:problems.jsonl``."""
    split: Split = "train"
    """Split of the source."""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """Number of problems; by default all of a finite source and 200 of an endless one."""
    seed: int = 0
    """Seed of the choice of problems."""
    show: int = 30
    """Number of failures to print."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer with a grade that it should not have.

    Attributes:
        problem: The problem.
        kind: ``gold``, ``attempt``, or the name of a perturbation.
        answer: The answer that was tried.
        reason: The rule that decided its grade, or `FLAKY`.
    """

    problem: Problem
    kind: str
    answer: str
    reason: str


@dataclass(slots=True)
class Validation:
    """Counts and failures of a validation.

    Attributes:
        problems: Number of problems that were tried.
        tried: Number of answers by kind.
        failures: Gold answers that were not accepted, and perturbed ones that were.
    """

    problems: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def validate_problems(problems: Sequence[Problem], result: Validation) -> Iterator[Problem]:
    """Grades answers to each problem, yields it, and adds the failures to `result`."""
    for number, problem in enumerate(problems):
        domain = find_domain(problem.domain)
        result.problems += 1
        _try_gold(result, problem, domain.trials)
        attempt = f"This is how I solve it.\n{domain.write(problem.answer)}\n"
        _try(result, problem, "attempt", domain.extract(attempt).answer or "")
        neighbors = range(number + 1, number + 6)
        others = [problems[n % len(problems)].answer for n in neighbors]
        # Two problems may have the same answer in different words.
        others = [other for other in others if grade(problem, other).correct is False]
        for kind, wrong in domain.perturb(problem, others):
            _try(result, problem, kind, wrong)
        yield problem


def _try_gold(result: Validation, problem: Problem, trials: int) -> None:
    """Grades the gold answer of a problem; it must be accepted in every trial."""
    grades = grade_batch([problem] * trials, [problem.answer] * trials)
    result.tried["gold"] += 1
    refusals = [graded.reason for graded in grades if graded.correct is not True]
    if refusals:
        reason = refusals[0] if len(refusals) == trials else FLAKY
        result.failures.append(Failure(problem, "gold", problem.answer, reason))


def _try(result: Validation, problem: Problem, kind: str, answer: str) -> None:
    graded = grade(problem, answer)
    result.tried[kind] += 1
    if (graded.correct is True) != (kind in ACCEPTED):
        result.failures.append(Failure(problem, kind, answer, graded.reason))


def validate(config: ValidateConfig) -> Validation:
    """Validates a source and prints the result.

    Raises:
        ValueError: There is no such source, or it has too few problems.
        SystemExit: A gold answer was refused or a perturbed one accepted; the status is 1.
    """
    source = load_problems(config.source, config.split)
    problems = source.take(config.n or source.size or ENDLESS_COUNT, seed=config.seed)
    for name in {problem.domain for problem in problems}:
        find_domain(name).prepare()
    console = Console()
    result = Validation()
    steps = validate_problems(problems, result)
    quiet = not console.is_terminal
    for _ in track(steps, "validating", total=len(problems), console=console, disable=quiet):
        pass
    _report(result, config, console)
    if result.failures:
        raise SystemExit(1)
    return result


def _report(result: Validation, config: ValidateConfig, console: Console) -> None:
    failed = Counter(failure.kind for failure in result.failures)
    summary = Table("answer", "should be", "tried", "failed", title=config.source)
    for kind, tried in result.tried.items():
        expected = "accepted" if kind in ACCEPTED else "refused"
        summary.add_row(kind, expected, str(tried), str(failed[kind]))
    console.print(summary)
    for failure in result.failures[: config.show]:
        answer, gold = _shortened(failure.answer), _shortened(failure.problem.answer)
        line = f"{failure.problem.id}: {failure.kind} {answer} (gold {gold}, {failure.reason})"
        console.print(Text(line))
    if len(result.failures) > config.show:
        console.print(f"and {len(result.failures) - config.show} more; raise --show to see them")
    outcome = "holds" if not result.failures else f"{len(result.failures)} failures"
    console.print(f"{result.problems} problems: {outcome}")


def _shortened(answer: str) -> str:
    """Returns an answer as printed; of a program the beginning."""
    return repr(answer if len(answer) <= SHOWN_CHARS else f"{answer[:SHOWN_CHARS]}...")
