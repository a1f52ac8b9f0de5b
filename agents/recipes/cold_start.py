"""Cold start: worked solutions that a base model is fine-tuned on before a recipe begins.

A model that hardly ever answers, checks or revises in the form that is asked for gives a recipe
nothing to select from. A small set of examples teaches it the form and the first skills
(DeepSeek-AI 2025, arXiv 2501.12948, section 2.3.1, calls this a cold start). An exact solver writes
whole conversations (`agents.recipes.worked`); a file has attempts only.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from agents.recipes.process.search import written
from agents.recipes.process.solvers import find_solver
from agents.training.sft import Demonstration, whole_turns
from srenv.domains import find_domain
from srenv.episode import Episode, Problem
from srenv.problems.seeding import hashed_rng


def check_cold_start(config: Any, excluded: Collection[str]) -> None:
    """Validates the options of the cold start.

    Args:
        config: The options of a recipe.
        excluded: Prompts of problems that are not learned from.

    Raises:
        ValueError: The number is out of range, no exact solver is known for the problems, or the
            file holds too few solutions.
        FileNotFoundError: There is no such file.
    """
    if config.cold_start < 0 or (config.cold_start_file and not config.cold_start):
        raise ValueError(
            f"--cold-start is {config.cold_start}: it is the number of problems whose solutions "
            "are learned, of the file if --cold-start-file names one"
        )
    if config.cold_start_file:
        read_solutions(config.cold_start_file, config.cold_start, config.seed, excluded)
    elif config.cold_start:
        find_solver(config.problems)


def read_solutions(
    path: Path, count: int, seed: int, excluded: Collection[str] = ()
) -> list[Demonstration]:
    r"""Returns worked solutions of a file, in a seeded order.

    Args:
        path: JSON Lines with ``problem`` and ``solution``. The answer is what the solution has
            after ``####``, as in GSM8K, or else in its last ``\boxed{}``, as in MATH.
        count: How many.
        seed: Seeds the choice.
        excluded: Prompts of problems to leave out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not such a row, or there are fewer than `count`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--cold-start-file {path}: there is no such file")
    episodes = [episode for episode in read_rows(path) if episode.problem.prompt not in excluded]
    if len(episodes) < count:
        raise ValueError(
            f"{path} has {len(episodes)} worked solutions of problems that no row is measured on; "
            f"{count} were asked for: lower --cold-start, or --eval-n"
        )
    rng: random.Random = hashed_rng("cold start", seed)
    return [Demonstration(e, whole_turns(0), "attempt") for e in rng.sample(episodes, count)]


def read_rows(path: Path) -> Iterator[Episode]:
    """Yields every row of a file as an episode of one attempt.

    Raises:
        ValueError: A line is not a row with a solution that ends in an answer.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                problem = Problem(
                    f"{path.stem}/{number}", str(row["problem"]), "", f"jsonl:{path.name}"
                )
                yield worked_episode(problem, str(row["solution"]))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                message = "it needs the keys 'problem' and 'solution'"
                reason = message if isinstance(error, KeyError | TypeError) else error
                raise ValueError(f"{path}, line {number}: {reason}") from error


def worked_episode(problem: Problem, solution: str) -> Episode:
    r"""Returns the episode of a solution, whose answer is put into the domain's form.

    Annotations of GSM8K, ``<<2*3=6>>``, are taken out.

    Raises:
        ValueError: The solution has no answer.
    """
    domain = find_domain(problem.domain)
    text, mark, _ = solution.rpartition("####")
    if mark:
        text = re.sub(r"<<[^<>]*>>", "", text).rstrip()
        text += f"\nThe answer is {domain.write(domain.reduce(solution))}."
    else:
        text = solution.strip()
    answer = domain.extract(text)
    if answer.source != "form" or answer.answer is None:
        raise ValueError(f"the solution gives no answer {domain.answer_form}, nor after ####")
    graded = Problem(problem.id, problem.prompt, answer.answer, problem.source)
    return written(graded, [text])
