"""Measures what the bundled model can do, part by part, each asked for by its own prompt.

python -m agents.tiny.measure
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
from dataclasses import replace

import tyro

import srenv
from agents.engines import TransformersEngine
from agents.models.paths import TINY
from agents.recipes.process.search import judge
from agents.recipes.self_rewarding.rejection import PieceSampler, RejectionConfig
from agents.tiny.skills import preference
from srenv.metrics import wilson


def main(model: str = TINY, n: int = 1000) -> None:
    """Print the share of successes at each skill, greedy, on unseen problems.

    Args:
        model: Folder or hub id; the bundled model by default.
        n: Number of problems.
    """
    greedy = RejectionConfig(
        attempts=1, evaluations=1, corrections=1, confirmations=1, temperature=0.0
    )
    problems = srenv.load_problems("synthetic:linear", "eval").take(n)
    engine = TransformersEngine.load(model)
    sampled = PieceSampler(engine, replace(greedy, temperature=1.0)).attempts(problems)
    sampler = PieceSampler(engine, greedy)
    pieces = sampler.attempts(problems)
    sampler.evaluations(pieces)
    sampler.revisions(pieces)
    right = [p for p in pieces if p.correct]
    wrong = [p for p in pieces if not p.correct]
    found = [p for p in wrong if p.right_evaluation]
    show("answer at sight, greedy", len(right), n)
    show("answer at sight, sampled at temperature 1", sum(p.correct for p in sampled), n)
    show("accept a right answer", sum(p.right_evaluation is not None for p in right), len(right))
    show("refuse a wrong answer", len(found), len(wrong))
    show("repair it after the check", sum(p.revision is not None for p in found), len(found))
    pairs = [preference(random.Random(p.id), p) for p in problems]
    told = judge(engine, [question for question, _ in pairs], max_new_tokens=64)
    named = sum(said is first for said, (_, first) in zip(told, pairs, strict=True))
    show("name the better of two next steps", named, n)


def show(skill: str, successes: int, trials: int) -> None:
    """Prints one line with a 95 % interval."""
    low, high = (100 * x for x in wilson(successes / trials, trials))
    print(f"{skill:<44} {100 * successes / trials:5.1f} % [{low:.1f}, {high:.1f}] of {trials}")


if __name__ == "__main__":
    tyro.cli(main)
