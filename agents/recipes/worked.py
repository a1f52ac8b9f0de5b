"""Worked conversations: attempts, checks and revisions as an exact solver would write them.

They ask in the words of sequential rejection sampling (`agents.recipes.self_rewarding.rejection`),
so that a model that has learned them gives it something to keep. No message holds an attempt and
its own verdict: putting them together is what the warm-up teaches.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from agents.recipes.process.search import written
from agents.recipes.process.solvers import Solver, find_solver, finished
from agents.training.sft import Demonstration, whole_turns
from srenv.conversation import make_turn
from srenv.domains import find_domain
from srenv.episode import Episode, Problem
from srenv.problems import grade
from srenv.problems.families.words import OPERATORS
from srenv.problems.seeding import hashed_rng
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol

ASKED, WITH_VERDICT = PROTOCOLS["intrinsic"], PROTOCOLS["default"]
OTHER_OPERATION = 0.5
"""How often a slip is another operation, and not a wrong result of the right one."""


def worked_conversations(
    source: str, problems: Sequence[Problem], seed: int
) -> list[Demonstration]:
    """Returns three conversations about each problem, of which wrong attempts are context only.

    1. ``accepted``: the solution, and the check that accepts it.
    2. ``corrected``: a wrong attempt as it might be made, the check that finds the slip, the
       solution as its revision, and the check of that.
    3. ``attempt``: the solution where a verdict is asked for too. What comes after its answer is
       not learned.

    Args:
        source: Where the problems come from; one with an exact solver.
        problems: The problems.
        seed: Seeds the slips.
    """
    solver, demonstrations = find_solver(source), []
    for problem in problems:
        right = solver.solution(problem)
        wrong = slip(solver, problem, hashed_rng("slip", seed, problem.id))
        attempt, accepted = "\n".join(right), check(solver, problem, right)
        found = ["\n".join(wrong), check(solver, problem, wrong), attempt, accepted]
        demonstrations += [
            Demonstration(
                conversation(problem, ASKED, [attempt, accepted]), whole_turns(0, 1), "accepted"
            ),
            Demonstration(conversation(problem, ASKED, found), whole_turns(1, 2, 3), "corrected"),
            Demonstration(
                conversation(problem, WITH_VERDICT, [attempt]), frozenset({(0, "attempt")}),
                "attempt",
            ),
        ]  # fmt: skip
    return demonstrations


def conversation(problem: Problem, protocol: Protocol, texts: Sequence[str]) -> Episode:
    """Returns attempts and their checks in turn, each asked for.

    Args:
        problem: The problem.
        protocol: How the first attempt is asked for.
        texts: An attempt, its check, a revision, its check, and so on.
    """
    requests = (WITH_VERDICT.worded(find_domain(problem.domain)).reveal, EVALUATE)
    episode = Episode(problem, protocol.opening(problem))
    for place, text in enumerate(texts):
        if place:
            episode.messages.append({"role": "user", "content": requests[place % 2]})
        episode.messages.append({"role": "assistant", "content": text})
        parsed = WITH_VERDICT.parse(text, problem)
        episode.turns.append(make_turn(text, parsed, grade(problem, parsed.answer)))
    return episode


def check(solver: Solver, problem: Problem, steps: Sequence[str]) -> str:
    r"""Returns a check of an attempt: its calculations up to the first wrong one, and a verdict.

    The verdict is true if the answer repeats the last result, as those of solvers do.

    Raises:
        ValueError: The steps are not of the form of the solver's.

    Example:
        >>> problem = Problem("p", "", "7", "", data={"steps": [["{}", 3, "*", 4]]})
        >>> check(find_solver("synthetic:words"), problem, ["3 * 4 = 14", "\\boxed{14}"])
        '3 * 4 = 12: 14 is not 12\n[VERIFY] wrong'
    """
    lines, verdict = [], "correct"
    for place, step in enumerate(steps[:-1]):
        checked = solver.check(problem, steps[:place], step)
        if checked is None:
            raise ValueError(f"the solver cannot check the step {step!r}")
        right = checked.found == checked.due
        calculation = find_calculation(checked.line)[0]
        lines.append(f"{calculation}: {checked.found} {'is' if right else 'is not'} {checked.due}")
        if not right:
            verdict = "wrong"
            break
    return "\n".join([*lines, f"[VERIFY] {verdict}"])


def slip(solver: Solver, problem: Problem, rng: random.Random) -> list[str]:
    """Returns an attempt with a slip in one calculation, all that follows from it, a wrong answer.

    A slip is a result that is off by at most 10, or another operation.
    """
    right = solver.solution(problem)
    while True:
        place = rng.randrange(len(right) - 1)
        steps = solver.solution(problem, [*right[:place], changed(right[place], rng)])
        if finished(steps) and written(problem, steps).final.correct is False:
            return steps


def changed(step: str, rng: random.Random) -> str:
    """Returns a step with a slip in its calculation; see `slip`."""
    match = find_calculation(step)
    sign, result = match["sign"], int(match["result"])
    other = rng.choice([operation for operation in OPERATORS if operation != sign])
    outcome = OPERATORS[other](int(match["left"]), int(match["right"]))
    if outcome is not None and rng.random() < OTHER_OPERATION:
        sign, result = other, outcome
    else:
        result += rng.choice((-1, 1)) * rng.randint(1, 10)
    before, between = step[: match.start("sign")], step[match.end("sign") : match.start("result")]
    return f"{before}{sign}{between}{result}{step[match.end('result') :]}"


_CALCULATION = re.compile(
    r"(?P<left>-?\d{1,9}) ?(?P<sign>[-+*/]) ?(?P<right>-?\d{1,9}) ?= ?(?P<result>-?\d{1,9})"
)


def find_calculation(step: str) -> re.Match[str]:
    """Returns the first calculation of a step: ``left``, ``sign``, ``right`` and ``result``.

    Raises:
        ValueError: There is none.
    """
    match = _CALCULATION.search(step)
    if match is None:
        raise ValueError(f"there is no calculation in the step {step!r}")
    return match
