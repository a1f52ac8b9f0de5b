"""Which problems a recipe trains on, chooses checkpoints by, and reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from agents.training.policy_gradient import PolicyGradientConfig
from srenv.episode import Problem
from srenv.problems import ProblemSource, load_problems
from srenv.problems.seeding import hashed_seed


def evaluation_problems(config: Any) -> list[Problem]:
    """Returns the problems of every row of a recipe's table.

    Raises:
        ValueError: There are no such problems, or an endless source has too few distinct ones.
        FileNotFoundError: There is no such file of problems.
    """
    source = load_problems(config.eval_problems or config.problems, "eval")
    n = config.eval_n if source.size is None else min(config.eval_n, source.size)
    return source.take(n, seed=config.seed)


def transfer_problems(config: Any) -> list[Problem]:
    """Returns the problems of the rows on `transfer`; without one there are none.

    Raises:
        ValueError: There are no such problems, or an endless source has too few distinct ones.
        FileNotFoundError: There is no such file of problems.
    """
    if not config.transfer:
        return []
    return evaluation_problems(replace(config, eval_problems=config.transfer))


def held_out_problems(config: Any) -> list[Problem]:
    """Returns the problems of evaluations during training, as many as the stages want at most.

    They are of the training split. Neither training nor the recipe's table uses them.

    Raises:
        ValueError: The source has too few problems, or none for the table.
        FileNotFoundError: There is no such file of problems.
    """
    stages = [getattr(config, field.name) for field in fields(config)]
    counts = [
        stage.eval_problems
        for stage in stages
        if isinstance(stage, PolicyGradientConfig) and stage.eval_every and stage.steps
    ]
    if not counts:
        return []
    source, count = load_problems(config.problems, "train"), max(counts)
    table = {p.prompt for p in [*evaluation_problems(config), *transfer_problems(config)]}
    seed = hashed_seed("held out", config.seed)
    candidates = source.take_passes(count + len(table) + 1, seed)
    distinct = {p.prompt: p for p in candidates if p.prompt not in table}
    if len(distinct) <= count:
        raise ValueError(
            f"{source.name} has too few problems to hold out {count}, to train on others and to "
            "leave out those of the table: name another source with --eval-problems, or lower "
            "--eval-n or the stage's eval_problems"
        )
    return list(distinct.values())[:count]


def unseen_problems(config: Any) -> list[Problem]:
    """Returns the problems that are not trained on: those of the table, and held-out ones.

    Raises:
        ValueError: There are no such problems, or too few.
        FileNotFoundError: There is no such file of problems.
    """
    return [*evaluation_problems(config), *transfer_problems(config), *held_out_problems(config)]


def take_without(
    source: ProblemSource, n: int, seed: int, excluded: Iterable[Problem]
) -> list[Problem]:
    """Returns `n` problems as `take_passes` does, but none with the prompt of an excluded one.

    Raises:
        ValueError: The source has no others.
    """
    prompts = {problem.prompt for problem in excluded}
    size = n
    while True:
        problems = [p for p in source.take_passes(size, seed) if p.prompt not in prompts]
        if len(problems) >= n:
            return problems[:n]
        if not problems and size >= (source.size or len(prompts) + 1):
            raise ValueError(
                f"{source.name} has no problems to train on besides those of the table: name "
                "another source with --eval-problems, or lower --eval-n"
            )
        size *= 2
