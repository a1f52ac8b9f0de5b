"""Findings of the papers next to what `methods.py` measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.recipes.base import MAJORITY, REVISED
from agents.recipes.self_rewarding.recipe import WARM
from srenv.commands.readings import find_reading
from srenv.metrics import Estimate, Metrics, Outcomes, difference
from srenv.metrics.tables import interval

PROCESS = "process-based, last model"
HACKED = "self-rewarding, final bonus"
NAMES = {"delta": "Δ", "accuracy_t1": "Acc@t1", "accuracy_final": "final accuracy"}
FINDINGS: dict[str, tuple[str, str, Callable[[Estimate], bool]]] = {
    REVISED: ("intrinsic prompting does not help: Δ <= 0", "delta", lambda e: e.high <= 0),
    "STaR": ("STaR repairs little: Δ < 2", "delta", lambda e: e.value < 0.02),
    "direct multi-turn RL": (
        "direct RL stops correcting: Δ within 2 of 0",
        "delta",
        lambda e: abs(e.value) < 0.02,
    ),
    "SCoRe": ("SCoRe corrects: Δ > 0", "delta", lambda e: e.low > 0),
    "RISE, m1@t5": (
        "RISE: a vote over five turns beats the first: Δ > 0",
        "delta",
        lambda e: e.low > 0,
    ),
    "self-rewarding": (
        "self-rewarding stops when right: Δ c→i < 2",
        "delta_ci",
        lambda e: e.value < 0.02,
    ),
}
"""What the papers report of a row: in words, the metric, and what it should be."""
BETTER = (
    ("SCoRe", "direct multi-turn RL", "delta"),
    ("SCoRe", "SCoRe, no stage I", "delta"),
    ("SCoRe", "SCoRe, no bonus", "delta"),
    ("STaR+", "STaR", "delta"),
    ("self-rewarding", "external verifier", "accuracy_final"),
    (f"{HACKED}, turn-local credit", f"{HACKED}, episode credit", "accuracy_t1"),
)
"""Pairs of which the papers report more of a metric for the first."""
FIRST_ATTEMPTS: dict[str, tuple[str, Callable[[Estimate], bool]]] = {
    f"{HACKED}, episode credit": (
        "the final bonus is hacked under episode credit (first attempts fail on purpose): < 0",
        lambda e: e.high < 0,
    ),
    f"{HACKED}, turn-local credit": (
        "the final bonus is not hacked under turn-local credit: > -2",
        lambda e: e.value > -0.02,
    ),
}
"""What becomes of Acc@t1 in policy gradient, against the warm-up of the same run."""


def claims(
    data: Mapping[str, Outcomes], metrics: Mapping[str, Metrics], runs: Mapping[str, Sequence[Path]]
) -> list[str]:
    """What the papers found, each with what was measured here, in points, and whether it holds."""
    found: list[tuple[str, Estimate, bool]] = []
    for title, (text, name, holds) in FINDINGS.items():
        if title in metrics:
            found.append((text, metrics[title][name], holds(metrics[title][name])))
    for better, worse, name in BETTER:
        if better in data and worse in data:
            gap = difference(data[better], data[worse])[name]
            text = f"{NAMES[name]} of {better} over {NAMES[name]} of {worse}: > 0"
            found.append((text, gap, gap.low > 0))
    for title, (text, holds) in FIRST_ATTEMPTS.items():
        if title in data:
            warm = Outcomes.pooled(
                [find_reading(f"{folder}:{WARM}").outcomes() for folder in runs[title]]
            )
            gap = difference(data[title], warm)["accuracy_t1"]
            found.append((f"{text}, Acc@t1 since its warm-up", gap, holds(gap)))
    found += step_findings(data, runs)
    for title, folders in runs.items():
        voted = Outcomes.pooled(
            [find_reading(f"{folder}:{MAJORITY}").outcomes() for folder in folders]
        )
        gap = difference(data[title], voted)["accuracy_final"]
        text = f"final accuracy of {title} over maj@k of the base at its tokens: > 0"
        found.append((text, gap, gap.low > 0))
    lines = [
        f"| {text} | {interval(estimate, 100)} | {'yes' if holds else 'NO'} |"
        for text, estimate, holds in found
    ]
    return ["| published finding | measured here | holds |", "|---|---|---|", *lines]


def step_findings(
    data: Mapping[str, Outcomes], runs: Mapping[str, Sequence[Path]]
) -> list[tuple[str, Estimate, bool]]:
    """What step-wise DPO does to the model that learns from it, and teaching to its judge."""
    if PROCESS not in data:
        return []
    folders = runs[PROCESS]
    taught = Outcomes.pooled([find_reading(f"{folder}:M1").outcomes() for folder in folders])
    gap = difference(data[PROCESS], taught)["accuracy_final"]
    judge = judged(folders, "m1", "base")
    return [
        (
            "the judge of steps is better once it was taught (M1 over the base): > 0",
            judge,
            judge.low > 0,
        ),
        (f"final accuracy of {PROCESS} over its M1: > 0", gap, gap.low > 0),
    ]


def judged(folders: Sequence[Path], after: str, before: str) -> Estimate:
    """How much more of the held-out pairs one model judges rightly than another did."""

    def shares(who: str) -> NDArray[np.float64]:
        files = [folder / f"evaluate_{who}_judge" / "done.json" for folder in folders]
        right = [count for file in files for count in json.loads(file.read_text())["right"]]
        return np.array(right) / 2  # of both orders

    gains = shares(after) - shares(before)
    reach = 1.96 * gains.std(ddof=1) / np.sqrt(len(gains))
    return Estimate(gains.mean(), gains.mean() - reach, gains.mean() + reach)
