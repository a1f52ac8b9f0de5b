"""Measures what a small model can do and what its habits are, each asked for by a prompt.

python -m agents.tiny.measure
python -m agents.tiny.measure --world programs
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import tyro
from rich.table import Table

import srenv
from agents.engines import Engine, Sampling, TransformersEngine
from agents.recipes.baselines.prompting import self_refine
from agents.recipes.process.search import judge
from agents.recipes.process.solvers import SOLVERS
from agents.recipes.self_rewarding.rejection import PieceSampler, RejectionConfig
from agents.rollouts.evaluation import play_problems
from agents.runs.progress import console
from agents.tiny.skills import preference
from agents.tiny.tokenizer import CUE
from agents.tiny.worlds import WORLDS, World
from srenv.conversation import Rules
from srenv.episode import Episode, Problem
from srenv.metrics import wilson
from srenv.protocol import Protocol
from srenv.rewards import make_reward

MAX_NEW_TOKENS = 96
Rows = list[tuple[str, Iterable[bool]]]


def main(
    world: Literal["math", "programs"] = "math", model: str | None = None, n: int = 1000
) -> None:
    """Print one table: a row per skill or habit, a column per family, on unseen problems.

    Args:
        world: What the model was made for.
        model: Folder or hub id; the bundled model of that world by default.
        n: Number of problems of each family.
    """
    known = WORLDS[world]
    engine = TransformersEngine.load(model or known.model)
    table = Table("", *known.families)
    columns = [
        measured(engine, known, srenv.load_problems(name, "eval").take(n))
        for name in known.families
    ]
    for rows in zip(*columns, strict=True):
        table.add_row(rows[0][0], *(share(list(successes)) for _, successes in rows))
    console.print(table)


def measured(engine: Engine, world: World, problems: Sequence[Problem]) -> Rows:
    """The rows of one family; every row is a title and a success or failure per case."""
    greedy = Sampling(temperature=0.0, max_new_tokens=MAX_NEW_TOKENS)

    def played(sampling: Sampling) -> list[Episode]:
        return play_problems(
            engine, problems, sampling, "revisions", max_attempts=2, protocol="intrinsic"
        )

    likely, sampled = played(greedy), played(Sampling(1.0, 1.0, MAX_NEW_TOKENS))
    right, wrong = checks(engine, problems, 0.0)
    drawn_right, drawn_wrong = checks(engine, problems, 1.0)
    rules = Rules(Protocol(), 2, make_reward())
    refined = self_refine(engine, problems, greedy, rules, "Self-Refine")
    rows: Rows = [
        ("right at first, greedy", (e.turns[0].correct is True for e in likely)),
        ("right at first, sampled at temperature 1", (e.turns[0].correct is True for e in sampled)),
        ("told to revise, greedy: right", (e.final.correct is True for e in likely)),
        ("… the same answer", (e.turns[0].answer == e.turns[1].answer for e in likely)),
        ("… sampled: wrong made right", repaired(sampled)),
        (
            "asked to check, greedy: right accepted (TPR)",
            (verdict == "correct" for verdict in map(verdict_of, right)),
        ),
        ("… wrong rejected (TNR)", (verdict == "wrong" for verdict in map(verdict_of, wrong))),
        ("… sampled: a check in steps", (CUE in text for text in (*drawn_right, *drawn_wrong))),
        (
            "… sampled: wrong rejected",
            (verdict == "wrong" for verdict in map(verdict_of, drawn_wrong)),
        ),
        ("Self-Refine, greedy: right", (e.final.correct is True for e in refined)),
    ]
    if all(problem.source in SOLVERS for problem in problems):
        pairs = [preference(random.Random(p.id), world.task(p)) for p in problems]
        named = judge(engine, [question for question, _ in pairs], MAX_NEW_TOKENS)
        right_named = (said is first for said, (_, first) in zip(named, pairs, strict=True))
        rows.append(("names the better of two next steps", right_named))
    return rows


def repaired(episodes: Sequence[Episode]) -> list[bool]:
    """Whether the second attempt is right, where the first is wrong."""
    return [e.final.correct is True for e in episodes if e.turns[0].correct is False]


def checks(
    engine: Engine, problems: Sequence[Problem], temperature: float
) -> tuple[list[str], list[str]]:
    """What the model says of its own attempts when asked to check them: right ones, wrong ones."""
    config = RejectionConfig(
        attempts=1, evaluations=1, temperature=temperature, max_new_tokens=MAX_NEW_TOKENS
    )
    sampler = PieceSampler(engine, config)
    pieces = sampler.attempts(problems)
    sampler.evaluations(pieces)
    said = [(p.correct, p.right_evaluation or p.wrong_evaluation or "") for p in pieces]
    return [text for ok, text in said if ok], [text for ok, text in said if not ok]


def verdict_of(text: str) -> str:
    """The verdict at the end of a check, which `PieceSampler` has read already."""
    return text.strip().rpartition(" ")[2]


def share(successes: Sequence[bool]) -> str:
    """A share in percent with its 95% interval."""
    value = float(np.mean(successes))
    low, high = (100 * x for x in wilson(value, len(successes)))
    return f"{100 * value:.1f}% [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    tyro.cli(main)
