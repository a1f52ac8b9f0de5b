"""Methods of self-correction compared: one base model, the same problems.

    python benchmarks/methods.py
    python benchmarks/methods.py --methods score score_no_stage1 score_no_bonus
    PYTHONPATH=examples python benchmarks/methods.py --methods score custom_recipe:train

Budgets differ, and the table shows what every method spent: tokens generated, tokens trained on,
and minutes. Every seed gives all methods the same evaluation problems (greedy, never trained on).
Seeds are pooled; differences are paired by problem. Stages that two methods share run once, and
count for both. A killed benchmark resumes where it was. The table, a CSV file and the figure are
rewritten after every run, so they exist early and grow.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from methods_figure import plot
from methods_findings import claims
from stages import link_stage

from agents.recipes import find_recipe
from agents.recipes.base import BASE, MAJORITY, REVISED, TRANSFER
from agents.training.dpo import PreferenceConfig
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.commands.readings import find_reading
from srenv.episode import read_episodes
from srenv.metrics import Metrics, Outcomes, Reading, difference, measure


@dataclass(frozen=True)
class Method:
    """A recipe and its options.

    Attributes:
        title: Name of its row.
        recipe: Name of the recipe.
        options: Options that differ from the recipe's defaults.
        shares: Stages that it has in common with other methods, by their names.
    """

    title: str
    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, Sequence[str]] = field(default_factory=dict)


def rl(steps: int, **changes: Any) -> PolicyGradientConfig:
    """Policy gradient on attempts without a verdict."""
    return PolicyGradientConfig(
        steps=steps, kl=0.01, scale_roles=False, **{"micro_batch": 128, **changes}
    )


FINAL_BONUS = "final_bonus=1,answer_format=0.5,verdict_format=1"
WARMUP = {"self_rewarding": ("rejection_sampling", "warmup", "evaluate_warmup")}
STEPS = ("reasoning_data", "reasoning", "judging_data", "m1", "evaluate_base_judge")
CORE = {
    "prompting": Method("Self-Refine", "prompting"),
    "star": Method("STaR", "star"),
    "pair_sft": Method("Pair-SFT", "pair_sft"),
    "direct_rl": Method("direct multi-turn RL", "plain_rl", {"pg": rl(60)}),
    "score": Method("SCoRe", "score", {"stage1": rl(20, first_kl=0.1), "stage2": rl(40)}),
    "rise": Method("RISE, m1@t5", "rise"),
    "self_rewarding": Method("self-rewarding", "self_rewarding"),
    "external_verifier": Method(
        "external verifier",
        "external_verifier",
        shares={"self_rewarding": WARMUP["self_rewarding"][:1]},
    ),
    "process": Method("process-based, last model", "process", {"iterations": 2}),
}
METHODS = CORE | {
    "star_plus": Method("STaR+", "star", {"keep_right": True}),
    "single_turn_rl": Method("single-turn RL", "plain_rl", {"pg": rl(120), "max_attempts": 1}),
    "score_no_stage1": Method("SCoRe, no stage I", "score", {"stage1": rl(0), "stage2": rl(60)}),
    "score_no_bonus": Method(
        "SCoRe, no bonus",
        "score",
        {**CORE["score"].options, "alpha": 0.0},
        {"score": ("stage1", "evaluate_stage1")},
    ),
    "rise_sampled": Method(
        "RISE, m1@t5, sampled turns",
        "rise",
        {"turn_temperature": 1.0},
        {"rise": ("iteration_1_data", "iteration_1", "iteration_2_data", "iteration_2")},
    ),
    "rise_success": Method("RISE, right turns alone", "rise", {"keep": "success"}),
    "external_check": Method(
        "external verifier, its check in view",
        "external_verifier",
        {"show_check": True},
        {"external_verifier": ("rejection_sampling", "verifier_data", "verifier")},
    ),
    "final_bonus": Method(
        "self-rewarding, final bonus, episode credit",
        "self_rewarding",
        {"reward": FINAL_BONUS, "pg": PolicyGradientConfig(turn_discount=1.0)},
        WARMUP,
    ),
    "final_bonus_local": Method(
        "self-rewarding, final bonus, turn-local credit",
        "self_rewarding",
        {"reward": FINAL_BONUS, "pg": PolicyGradientConfig(turn_discount=0.0)},
        WARMUP,
    ),
    "process_imitation": Method(
        "process-based, preferred steps imitated",
        "process",
        {"dpo": PreferenceConfig(epochs=2, learning_rate=5e-4, nll=5.0, beta=0.0)},
        {"process": (*STEPS, "evaluate_m1", "evaluate_m1_search", "evaluate_m1_judge", "m2_pairs")},
    ),
}
"""Methods by name; those beyond `CORE` are ablations and further baselines."""

ALWAYS = ("evaluate_base", "evaluate_intrinsic", "evaluate_base_transfer")
"""Stages of the base model, which all methods have in common."""


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
    transfer: str | None = "synthetic:arithmetic"
    """Problems that no method is trained on, to see what carries over; None leaves them out."""
    runs: Path = Path("runs/benchmark_methods")
    """Folder of the runs."""
    output: Path = Path("benchmarks/results")
    """Folder of the result."""
    write_only: bool = False
    """Write the result of the runs that are finished, and run nothing."""


def main(config: Config) -> None:
    """Runs what is missing, and writes the result after every run."""
    runs: dict[str, list[Path]] = {name: [] for name in config.methods}
    for seed in config.seeds:
        for name in config.methods:
            run = folder(config, name, seed)
            if not (run / "summary.json").exists():
                if config.write_only:
                    continue
                share(config, name, seed)
                method = method_of(name)
                train, options = find_recipe(method.recipe)
                common = {
                    "model": config.model,
                    "problems": config.problems,
                    "transfer": config.transfer,
                    "eval_n": config.eval_n,
                    "seed": seed,
                    "output": run,
                    "resume": True,
                    "report_to": "none",
                }
                train(options(**{**method.options, **common}))
                write(config, {**runs, name: [*runs[name], run]})
            runs[name].append(run)
    write(config, runs)


def method_of(name: str) -> Method:
    """The method of this name, or a recipe of the user's own with its own defaults."""
    return METHODS.get(name) or Method(name, name)


def folder(config: Config, name: str, seed: int) -> Path:
    """The folder of one run."""
    return config.runs / name.replace(":", ".") / f"seed{seed}"


def share(config: Config, name: str, seed: int) -> None:
    """Links the stages that other methods have finished into the folder of a run."""
    run = folder(config, name, seed)
    shares = method_of(name).shares
    for other in [other for other in METHODS if other != name]:
        source = folder(config, other, seed)
        for stage in (*ALWAYS, *shares.get(other, ())):
            link_stage(source, run, stage)


def write(config: Config, finished: Mapping[str, Sequence[Path]]) -> None:
    """Writes methods.md, methods.csv and methods.png from the seeds that all methods have run."""
    whole = min(len(folders) for folders in finished.values() if folders)
    runs = {name: folders[:whole] for name, folders in finished.items() if folders}
    titled = {method_of(name).title: folders for name, folders in runs.items()}
    files = collect(titled)
    data = {title: pooled(rows) for title, rows in files.items()}
    metrics = {title: measure(outcomes) for title, outcomes in data.items()}
    seeds = config.seeds[: len(files[BASE])]
    transfer = (
        f"Transfer: final accuracy on `{config.transfer}`, which nothing was trained on, and its "
        "gain over the base. "
        if config.transfer
        else ""
    )
    text = [
        "# Methods of self-correction compared",
        "",
        f"`{command(config)}`: the model `{config.model}` on `{config.problems}`, "
        f"{config.eval_n} unseen problems per seed, greedy; {plural(seeds)}, "
        "95% intervals in brackets. Accuracies and changes are % of all problems. Tokens: "
        "generated per problem in the evaluation. Generated, trained: thousands of tokens sampled "
        "for training, and read in training (context included), mean over seeds. Minutes: of the "
        "training stages on one core, of a machine with other work. Second model: memory that the "
        "weights of a second model take in the evaluation; its tokens count among those of the "
        f"row. {transfer}The row {MAJORITY} votes over as many attempts of the base as cost "
        "the tokens of the longest answers.",
        "",
        *table(metrics, files, titled, bool(config.transfer)),
        "",
        passes(files[MAJORITY]),
        "",
        *claims(runs),
        "",
    ]
    config.output.mkdir(parents=True, exist_ok=True)
    (config.output / "methods.md").write_text("\n".join(text), encoding="utf-8")
    write_csv(config.output / "methods.csv", seeds, files, metrics)
    plot(config.output / "methods.png", data, metrics, files)
    print("\n".join(text))


def command(config: Config) -> str:
    """The command that gives the table."""
    defaults = Config()
    named = "" if config.methods == defaults.methods else f" --methods {' '.join(config.methods)}"
    others = ("eval_n", "model", "problems", "transfer")
    values = {name: getattr(config, name) for name in others}
    options = [
        f" --{name.replace('_', '-')} {shlex.quote(str(value))}"
        for name, value in values.items()
        if value != getattr(defaults, name)
    ]
    return f"python benchmarks/methods.py{named}{''.join(options)}"


def plural(seeds: Sequence[int]) -> str:
    """The seeds in words."""
    listed = ", ".join(map(str, seeds))
    return f"seeds {listed} pooled" if len(seeds) > 1 else f"seed {listed}"


def pooled(rows: Sequence[Reading]) -> Outcomes:
    """The outcomes of a row over all seeds."""
    return Outcomes.pooled([row.outcomes() for row in rows])


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


def passes(rows: Sequence[Reading]) -> str:
    """What an oracle could choose among the attempts that the base votes over: pass@k."""
    right = [
        np.maximum.accumulate([episode.final.correct is True for episode in group])
        for row in rows
        for _, group in groupby(read_episodes(row.episodes), lambda episode: episode.problem.id)
    ]
    fewest = min(map(len, right))  # seeds may have voted over different numbers
    share = 100 * np.mean([found[:fewest] for found in right], axis=0)
    shown = ", ".join(f"{value:.1f}% at {k}" for k, value in enumerate(share, 1))
    return f"For orientation, pass@k of the base, sampled: {shown}."


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
    transfer: bool,
) -> list[str]:
    """One line per method."""
    headings = "method | Acc@t1 | final acc | Δ(t1,final) | Δ i→c | Δ c→i | tokens | per seed"
    lines = [
        f"| {headings} | transfer | generated | trained | min | second model |",
        "|---" * 13 + "|",
    ]
    for title, values in metrics.items():
        cells = [percent(values, name) for name in COLUMNS]
        cells.append(f"{values['tokens'].value:.1f}")
        finals = [100 * row.outcomes().final.mean() for row in files[title]]
        cells.append(", ".join(f"{final:.1f}" for final in finals))
        if title in runs:
            cells.append(transferred(runs[title]) if transfer else "–")
            used = np.mean([spent(run) for run in runs[title]], axis=0)
            cells += [f"{used[0]:.0f}", f"{used[1]:.0f}", f"{used[2]:.1f}"]
            second = second_model(runs[title][0])
            cells.append(f"{second:.1f} MB" if second else "–")
        else:
            cells += ["–"] * 5
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def transferred(runs: Sequence[Path]) -> str:
    """Final accuracy on the other family, and how far it is above the base's first attempts."""
    base = pooled([find_reading(f"{run}:{BASE}, {TRANSFER}") for run in runs])
    result = pooled([find_reading(f"{run}:{result_of(run)}, {TRANSFER}") for run in runs])
    gain = 100 * difference(result, base)["accuracy_final"].value
    return f"{100 * result.final.mean():.1f} ({gain:+.1f})"


def result_of(run: Path) -> str:
    """Title of the row of the result of a run."""
    return str(json.loads((run / "summary.json").read_text())["result"])


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
