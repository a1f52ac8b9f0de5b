"""Which problems a recipe trains on, chooses checkpoints by, and reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
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


def held_out_problems(config: Any) -> list[Problem]:
    """Returns the problems of evaluations during training, as many as the stages want at most.

    They are of the training split. Neither training nor the recipe's table uses them.

    Raises:
        ValueError: The source has too few problems, or none for the table.
        FileNotFoundError: There is no such file of problems.
    """
    table = {problem.prompt for problem in evaluation_problems(config)}
    stages = [getattr(config, field.name) for field in fields(config)]
    counts = [
        stage.eval_problems
        for stage in stages
        if isinstance(stage, PolicyGradientConfig) and stage.eval_every and stage.steps
    ]
    if not counts:
        return []
    source, count = load_problems(config.problems, "train"), max(counts)
    seed = hashed_seed("held out", config.seed)
    candidates = source.take_passes(count + len(table) + 1, seed)
    distinct = {p.prompt: p for p in candidates if p.prompt not in table}
    if len(distinct) <= count:
        raise ValueError(
            f"{source.name} has too few problems to hold out {count}, to train on others and to "
            "leave out those of the table: lower eval_problems"
        )
    return list(distinct.values())[:count]


def take_without(
    source: ProblemSource, n: int, seed: int, excluded: Iterable[Problem]
) -> list[Problem]:
    """Returns `n` problems as `take_passes` does, but none with the prompt of an excluded one.

    The source must have others.
    """
    prompts = {problem.prompt for problem in excluded}
    size = n
    while True:
        problems = [p for p in source.take_passes(size, seed) if p.prompt not in prompts]
        if len(problems) >= n:
            return problems[:n]
        size += n - len(problems)
