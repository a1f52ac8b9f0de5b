"""What self-rewarding correction teaches the bundled model, over several seeds.

    python benchmarks/self_rewarding.py

Each seed is a whole run of the recipe with its own training problems, samples and evaluation
problems (greedy, never trained on). Rows are pooled over the seeds; differences between rows are
paired by problem. A killed benchmark resumes where it was. The result is written to
benchmarks/results/self_rewarding.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from agents.recipes.self_rewarding.recipe import (
    BASE,
    MAJORITY,
    REVISED,
    ROWS,
    TRAINED,
    WARM,
    SelfRewardingConfig,
    train,
)
from agents.rollouts.evaluation import vote_groups
from agents.runs.figures import plot_summary
from srenv.episode import read_episodes
from srenv.metrics import Metrics, Outcomes, difference, measure
from srenv.metrics.tables import interval, markdown_table

FILES = {BASE: "base", REVISED: "intrinsic", WARM: "warmup", TRAINED: "policy_gradient"}


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """One whole run each."""
    eval_n: int = 1000
    """Evaluation problems per seed and row."""
    runs: Path = Path("runs/benchmark_self_rewarding")
    """Folder of the runs."""
    output: Path = Path("benchmarks/results")
    """Folder of the result."""
    recipe: SelfRewardingConfig = field(
        default_factory=lambda: SelfRewardingConfig(report_to="none")
    )
    """The recipe's own options."""


def load(run: Path) -> dict[str, Outcomes]:
    """The rows of one finished run, from its episodes."""
    rows = {
        row: Outcomes.of(read_episodes(run / f"episodes_{name}.jsonl"))
        for row, name in FILES.items()
    }
    votes = json.loads((run / "evaluate_majority" / "done.json").read_text())["votes"]
    rows[MAJORITY] = vote_groups(list(read_episodes(run / "episodes_majority.jsonl")), votes)
    return {row: rows[row] for row in ROWS}


def claims(rows: Mapping[str, Outcomes], pooled: Mapping[str, Metrics]) -> list[str]:
    """What the recipe is expected to show, each line with its number and whether it holds."""
    base, warm, trained = pooled[BASE], pooled[WARM], pooled[TRAINED]
    learned = difference(rows[TRAINED], rows[WARM])
    over_votes = difference(rows[TRAINED], rows[MAJORITY])["accuracy_final"]
    gain = trained["accuracy_final"].value - base["accuracy_t1"].value
    first = trained["accuracy_t1"].value - warm["accuracy_t1"].value
    checks = [
        ("final accuracy minus the base's first attempt", 100 * gain, ">= 20", gain >= 0.2),
        ("delta(t1, final)", 100 * trained["delta"].value, ">= 10", trained["delta"].value >= 0.1),
        (
            "delta c->i",
            100 * trained["delta_ci"].value,
            "<= 0.5",
            trained["delta_ci"].value <= 0.005,
        ),
        (
            "verdict TPR",
            100 * trained["verdict_tpr"].value,
            ">= 90",
            trained["verdict_tpr"].value >= 0.9,
        ),
        (
            "verdict TNR",
            100 * trained["verdict_tnr"].value,
            ">= 90",
            trained["verdict_tnr"].value >= 0.9,
        ),
        ("first attempt, against warm-up", 100 * first, ">= -1", first >= -0.01),
    ]
    lines = [
        f"| {name} | {value:.1f} | {target} | {'yes' if holds else 'NO'} |"
        for name, value, target, holds in checks
    ]
    for name, estimate, factor, target, holds in (
        (
            "final accuracy, against warm-up",
            learned["accuracy_final"],
            100,
            "> 0",
            learned["accuracy_final"].low > 0,
        ),
        (
            "Brier (token), against warm-up",
            learned["brier_token"],
            1,
            "< 0",
            learned["brier_token"].high < 0,
        ),
        ("final accuracy, against maj@k", over_votes, 100, "> 0", over_votes.low > 0),
    ):
        lines.append(
            f"| {name} | {interval(estimate, factor)} | {target} | {'yes' if holds else 'NO'} |"
        )
    return ["| claim | measured | target | holds |", "|---|---|---|---|", *lines]


def main(config: Config) -> None:
    """Runs what is missing and writes the result."""
    parts = []
    for seed in config.seeds:
        run = config.runs / f"seed{seed}"
        train(replace(config.recipe, seed=seed, output=run, eval_n=config.eval_n, resume=True))
        parts.append(load(run))
    rows = {row: Outcomes.pooled([part[row] for part in parts]) for row in ROWS}
    pooled = {row: measure(data) for row, data in rows.items()}
    text = [
        "# Self-rewarding correction on the bundled model",
        "",
        f"`python benchmarks/self_rewarding.py`: seeds {', '.join(map(str, config.seeds))}, "
        f"{config.eval_n} unseen problems each, greedy, pooled; 95% intervals in brackets. "
        "In the column maj@k, Turns is k.",
        "",
        markdown_table(pooled),
        *claims(rows, pooled),
        "",
        "Per seed: final accuracy (%) of "
        + "; ".join(
            f"{row}: {', '.join(f'{100 * p[row].final.mean():.1f}' for p in parts)}" for row in ROWS
        )
        + ".",
        "",
    ]
    config.output.mkdir(parents=True, exist_ok=True)
    path = config.output / "self_rewarding.md"
    path.write_text("\n".join(text), encoding="utf-8")
    plot_summary(
        config.output / "self_rewarding.png", {row: rows[row] for row in (BASE, WARM, TRAINED)}
    )
    print("\n".join(text))


if __name__ == "__main__":
    main(tyro.cli(Config))
