"""Methods of self-correction side by side: one base model, one budget, the same problems.

    python benchmarks/methods.py
    python benchmarks/methods.py --methods score score_no_stage1 score_no_bonus
    PYTHONPATH=examples python benchmarks/methods.py --methods score custom_recipe:train

Every method spends about the same number of tokens on training, generated and trained on together,
and every seed gives all of them the same evaluation problems (greedy, never trained on). Seeds are
pooled; differences are paired by problem. A killed benchmark goes on where it was. The table, a CSV
file and the figure are rewritten after every run, so that they exist early and grow.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from methods_figure import plot
from methods_findings import PROCESS, claims

from agents.recipes import find_recipe
from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.self_rewarding.rejection import RejectionConfig
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.commands.readings import find_reading
from srenv.metrics import Metrics, Outcomes, Reading, measure


@dataclass(frozen=True)
class Method:
    """A recipe, and the options that give it the common budget."""

    title: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)


def rl(steps: int, **changes: Any) -> PolicyGradientConfig:
    """Policy gradient on attempts without a verdict: 512 conversations per step, as in SCoRe."""
    return PolicyGradientConfig(
        steps=steps,
        problems_per_step=64,
        micro_batch=128,
        learning_rate=2e-4,  # more of it raises sampled accuracy at the cost of greedy accuracy
        kl=0.01,
        scale_roles=False,
        **changes,
    )


STAR = {"sampled": 3400, "samples": 9}
RISE = {"sampled": 4000}
SELF_REWARDING = {"pg": PolicyGradientConfig(steps=25)}
FINAL_BONUS = "final_bonus=1,answer_format=0.5,verdict_format=1"
EXTERNAL = {"rejection": RejectionConfig(problems=2700)}
CORE = {
    "star": Method("STaR", "star", STAR),
    "direct_rl": Method("direct multi-turn RL", "plain_rl", {"pg": rl(75)}),
    "self_rewarding": Method("self-rewarding", "self_rewarding", SELF_REWARDING),
    "score": Method("SCoRe", "score", {"stage1": rl(25, first_kl=0.1), "stage2": rl(50)}),
    "rise": Method("RISE, m1@t5", "rise", RISE),
    "process": Method(PROCESS, "process"),
}
METHODS = CORE | {
    "prompting": Method("Self-Refine", "prompting"),
    "star_plus": Method("STaR+", "star", {**STAR, "keep_right": True}),
    "pair_sft": Method("Pair-SFT", "pair_sft", {"sampled": 8000, "samples": 16}),
    "single_turn_rl": Method("single-turn RL", "plain_rl", {"pg": rl(150), "max_attempts": 1}),
    "score_no_stage1": Method("SCoRe, no stage I", "score", {"stage1": rl(0), "stage2": rl(75)}),
    "score_no_bonus": Method(
        "SCoRe, no bonus",
        "score",
        {"stage1": rl(25, first_kl=0.1), "stage2": rl(50), "alpha": 0.0},
    ),
    "rise_success": Method("RISE, right turns alone", "rise", {**RISE, "keep": "success"}),
    "external_verifier": Method("external verifier", "external_verifier", EXTERNAL),
    "external_check": Method(
        "external verifier, its check in view",
        "external_verifier",
        {**EXTERNAL, "show_check": True},
    ),
    "final_bonus": Method(
        "self-rewarding, final bonus, episode credit",
        "self_rewarding",
        {
            **SELF_REWARDING,
            "reward": FINAL_BONUS,
            "pg": PolicyGradientConfig(steps=25, turn_discount=1.0),
        },
    ),
    "final_bonus_local": Method(
        "self-rewarding, final bonus, turn-local credit",
        "self_rewarding",
        {**SELF_REWARDING, "reward": FINAL_BONUS},
    ),
}
"""Methods by name; those beyond `CORE` are ablations and further baselines."""


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    methods: tuple[str, ...] = tuple(CORE)
    """Names in METHODS, or module:function, a recipe of your own with its own defaults."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run of every method each; all methods run a seed before the next seed starts."""
    eval_n: int = 1000
    """Evaluation problems per seed and row."""
    model: str = "tiny"
    """Base model of all methods."""
    problems: str = "synthetic:linear"
    """Problems of all methods."""
    runs: Path = Path("runs/benchmark_methods")
    """Folder of the runs."""
    output: Path = Path("benchmarks/results")
    """Where the result is written."""


def main(config: Config) -> None:
    """Runs what is missing, and writes the result after every run."""
    runs: dict[str, list[Path]] = {}
    for seed in config.seeds:
        for name in config.methods:
            method = METHODS.get(name) or Method(name, name)
            run = config.runs / name.replace(":", ".") / f"seed{seed}"
            train, options = find_recipe(method.recipe)
            common = {
                "model": config.model,
                "problems": config.problems,
                "eval_n": config.eval_n,
                "seed": seed,
                "output": run,
                "resume": True,
                "report_to": "none",
            }
            finished = (run / "summary.json").exists()
            train(options(**{**method.options, **common}))
            runs.setdefault(method.title, []).append(run)
            if not finished:
                write(config, runs)
    if finished:  # the last run; after any other end it has just been written
        write(config, runs)


def write(config: Config, started: Mapping[str, Sequence[Path]]) -> None:
    """Writes methods.md, methods.csv and methods.png from the seeds that all methods have run."""
    whole = min(map(len, started.values()))
    runs = {title: folders[:whole] for title, folders in started.items()}
    files = collect(runs)
    data = {
        title: Outcomes.pooled([row.outcomes() for row in rows]) for title, rows in files.items()
    }
    metrics = {title: measure(outcomes) for title, outcomes in data.items()}
    seeds = config.seeds[: len(files[BASE])]
    text = [
        "# Methods of self-correction side by side",
        "",
        f"`python benchmarks/methods.py`: the model `{config.model}` on `{config.problems}`, "
        f"{config.eval_n} unseen problems per seed, greedy; seeds {', '.join(map(str, seeds))} "
        "pooled, 95 % intervals in brackets. Accuracies and changes are % of all problems. Tokens: "
        "generated per problem in the evaluation. Generated, trained: thousands of tokens sampled "
        "for training, and read in training (context included), mean over seeds. Minutes: of the "
        "training stages, on a machine that others used too. Second model: memory that the weights "
        "of a second model take in the evaluation; its tokens count among "
        f"those of the row. The row {MAJORITY} votes over as many attempts of the base as cost the "
        "tokens of the longest answers.",
        "",
        *table(metrics, files, runs),
        "",
        *claims(data, metrics, runs),
        "",
    ]
    config.output.mkdir(parents=True, exist_ok=True)
    (config.output / "methods.md").write_text("\n".join(text), encoding="utf-8")
    write_csv(config.output / "methods.csv", seeds, files, metrics)
    plot(config.output / "methods.png", data, metrics, files)
    print("\n".join(text))


def collect(runs: Mapping[str, Sequence[Path]]) -> dict[str, list[Reading]]:
    """The rows of the table, one file of episodes per seed: those of the base, then the results."""
    some = next(iter(runs.values()))
    longest = max(runs.values(), key=lambda folders: votes(folders[0]))
    rows = {
        title: [find_reading(f"{folder}:{title}") for folder in some] for title in (BASE, REVISED)
    }
    rows[MAJORITY] = [find_reading(f"{folder}:{MAJORITY}") for folder in longest]
    return rows | {
        title: [find_reading(str(f)) for f in folders] for title, folders in runs.items()
    }


def votes(run: Path) -> int:
    """How many attempts the run's majority row votes over."""
    return int(json.loads((run / "evaluate_majority" / "done.json").read_text())["votes"])


def second_model(run: Path) -> float:
    """Megabytes of weights that the result needs in addition to its model."""
    summary = json.loads((run / "summary.json").read_text())
    cost = summary.get("second_models", {}).get(summary["result"], {})
    return float(cost.get("bytes", 0)) / 1e6


def spent(run: Path) -> tuple[float, float, float]:
    """Thousands of tokens generated for training and trained on, and minutes, of one run."""
    used = json.loads((run / "summary.json").read_text())["spent"]
    stages = (path for path in run.glob("*/done.json") if "evaluate" not in path.parent.name)
    seconds = sum(json.loads(path.read_text())["seconds"] for path in stages)
    return used["generated"] / 1000, used["trained"] / 1000, seconds / 60


COLUMNS = ("accuracy_t1", "accuracy_final", "delta", "delta_ic", "delta_ci")


def table(
    metrics: Mapping[str, Metrics],
    files: Mapping[str, Sequence[Reading]],
    runs: Mapping[str, Sequence[Path]],
) -> list[str]:
    """One line per method."""
    headings = "method | Acc@t1 | final acc | Δ(t1,final) | Δ i→c | Δ c→i | tokens | per seed"
    lines = [f"| {headings} | generated | trained | min | second model |", "|---" * 12 + "|"]
    for title, values in metrics.items():
        cells = [percent(values, name) for name in COLUMNS]
        cells.append(f"{values['tokens'].value:.1f}")
        finals = [100 * row.outcomes().final.mean() for row in files[title]]
        cells.append(", ".join(f"{final:.1f}" for final in finals))
        if title in runs:
            used = np.mean([spent(run) for run in runs[title]], axis=0)
            cells += [f"{used[0]:.0f}", f"{used[1]:.0f}", f"{used[2]:.1f}"]
            second = second_model(runs[title][0])
            cells.append(f"{second:.1f} MB" if second else "–")
        else:
            cells += ["–"] * 4
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def percent(values: Metrics, name: str) -> str:
    """A share in percent, with its interval."""
    value, low, high = (100 * x for x in (values[name].value, values[name].low, values[name].high))
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def write_csv(
    path: Path,
    seeds: Sequence[int],
    files: Mapping[str, Sequence[Reading]],
    metrics: Mapping[str, Metrics],
) -> None:
    """One line per method, seed (or all of them together) and metric."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("method", "seed", "metric", "value", "low", "high"))
        for title, rows in files.items():
            parts = zip(map(str, seeds), (measure(row.outcomes()) for row in rows), strict=True)
            for seed, values in (*parts, ("pooled", metrics[title])):
                for name, e in values.items():
                    if np.isfinite(e.value):
                        numbers = (f"{x:.5g}" for x in (e.value, e.low, e.high))
                        writer.writerow((title, seed, name, *numbers))


if __name__ == "__main__":
    main(tyro.cli(Config))
