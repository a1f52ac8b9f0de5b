"""All stages on a real model: cold start, prompts, self-rewarding correction, SCoRe.

    python benchmarks/real_model.py

One model, one set of unseen problems, one table. The model is fine-tuned on worked solutions first,
and every row but the first starts from what results. By default the model is SmolLM2-135M-Instruct
on a CPU, with the options of ``--preset smollm2``; it takes hours and resumes after a kill. The
table, the figures and the episodes of a few problems are written to benchmarks/results/.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro
from stages import link_stage

from agents.models.precision import cpu_bfloat16
from agents.recipes import score
from agents.recipes.base import BASE, MAJORITY, TAUGHT, run_recipe
from agents.recipes.baselines.prompting import evaluate_self_refine
from agents.recipes.presets import preset_file
from agents.recipes.score import ScoreConfig
from agents.recipes.self_rewarding.recipe import TRAINED, SelfRewarding, SelfRewardingConfig
from agents.runs.figures import plot_summary
from srenv.commands.config_file import read_config
from srenv.commands.readings import find_reading
from srenv.episode import read_episodes, transcript
from srenv.metrics import Estimate, Metrics, Outcomes, difference, measure
from srenv.metrics.tables import interval, markdown_table


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    seed: int = 0
    """Seeds sampling, training and the choice of problems."""
    eval_n: int = 300
    """Unseen problems per row, greedy."""
    shown: int = 20
    """Problems whose episodes are written out."""
    runs: Path = Path("runs/real_model")
    """Folder of the two runs."""
    output: Path = Path("benchmarks/results")
    """Folder of the result."""
    recipe: SelfRewardingConfig = field(
        default_factory=lambda: read_config(
            preset_file("self_rewarding", "smollm2"), SelfRewardingConfig
        )
    )
    """Options of self-rewarding correction, and of the cold start."""
    score: ScoreConfig = field(
        default_factory=lambda: read_config(preset_file("score", "smollm2"), ScoreConfig)
    )
    """Options of SCoRe, but for the model, which is the base of the other run. Problems and
    max_new_tokens must be the same."""


class Road(SelfRewarding):
    """Self-rewarding correction with a row of Self-Refine."""

    def method(self) -> str:
        """Self-Refine, then warm-up and policy gradient."""
        evaluate_self_refine(self, self.attempts)
        return super().method()


def run(config: Config) -> list[Path]:
    """Runs what is missing; returns the folders of the runs."""
    common: dict[str, Any] = {
        "seed": config.seed,
        "eval_n": config.eval_n,
        "resume": True,
        "report_to": "none",
    }
    road = replace(config.recipe, output=config.runs / "self_rewarding", **common)
    run_recipe(Road, road)
    base = str(road.output / "cold_start" / "final") if road.cold_start else road.model
    output = config.runs / "score"
    for stage in ("evaluate_base", "evaluate_intrinsic"):
        link_stage(road.output, output, stage)
    score.train(replace(config.score, output=output, model=base, cold_start=0, **common))
    return [road.output, output]


def load(folders: Sequence[Path]) -> dict[str, Outcomes]:
    """Returns the rows of both runs; SCoRe's base is that of the first."""
    rows = {}
    for folder, prefix in zip(folders, ("", "SCoRe, "), strict=True):
        for title in json.loads((folder / "summary.json").read_text())["rows"]:
            if not prefix or not title.startswith(BASE):
                rows[prefix + title] = find_reading(f"{folder}:{title}").outcomes()
    return rows


def balanced_accuracy(metrics: Metrics) -> float:
    """Returns the mean of the verdicts' two rates: right of right, and right of wrong attempts."""
    return (metrics["verdict_tpr"].value + metrics["verdict_tnr"].value) / 2


def claims(rows: Mapping[str, Outcomes], metrics: Mapping[str, Metrics]) -> list[str]:
    """What the road is expected to show, each line with its number and whether it holds."""
    trained = metrics[TRAINED]
    over_votes = difference(rows[TRAINED], rows[MAJORITY])["accuracy_final"]
    verdicts = balanced_accuracy(trained)
    lines = [
        claim("final accuracy, against maj@k", over_votes, "> 0", over_votes.low > 0),
        claim("final accuracy, against its first attempt", trained["delta"], "> 0",
              trained["delta"].low > 0),
        claim("delta c->i", trained["delta_ci"], "<= 1", trained["delta_ci"].value <= 0.01),
        f"| balanced accuracy of the verdicts | {100 * verdicts:.1f} | >= 75 | "
        f"{'yes' if verdicts >= 0.75 else 'NO'} |",
    ]  # fmt: skip
    return ["| claim | measured | target | holds |", "|---|---|---|---|", *lines]


def claim(name: str, estimate: Estimate, target: str, holds: bool) -> str:
    """Returns a line of the table of claims; values in percent."""
    return f"| {name} | {interval(estimate, 100)} | {target} | {'yes' if holds else 'NO'} |"


def costs(folders: Sequence[Path]) -> list[str]:
    """Returns a table of the stages: minutes, memory and tokens per second."""
    lines = [
        "| run | stage | minutes | GB | generated tokens/s | trained tokens/s |",
        "|---|---|---|---|---|---|",
    ]
    for folder in folders:
        resources = json.loads((folder / "summary.json").read_text())["resources"]
        for stage, spent in resources.items():
            cells = (
                f"{spent[key]:.1f}" if key in spent else ""
                for key in ("peak_memory_gb", "generated_per_second", "trained_per_second")
            )
            minutes = spent.get("seconds", 0) / 60
            lines.append(f"| {folder.name} | {stage} | {minutes:.1f} | {' | '.join(cells)} |")
    return lines


def conversations(folder: Path, titles: Sequence[str], count: int) -> str:
    """Returns the same problems as two rows have played them, as Markdown."""
    parts = ["# Conversations of the real model", "", f"The first {count} problems of the table."]
    rows = [list(read_episodes(find_reading(f"{folder}:{title}").episodes)) for title in titles]
    for number, episodes in enumerate(zip(*rows, strict=True), start=1):
        if number > count:
            break
        parts.append(f"\n## {number}. Gold answer: {episodes[0].problem.answer}")
        for title, episode in zip(titles, episodes, strict=True):
            right = {True: "right", False: "wrong", None: "undecided"}[episode.final.correct]
            parts.append(f"\n**{title}: {right}**\n\n```text\n{transcript(episode.messages)}\n```")
    return "\n".join(parts) + "\n"


def report(config: Config, folders: Sequence[Path]) -> str:
    """Writes table, figures and conversations; returns the table's page."""
    rows = load(folders)
    metrics = {title: measure(row) for title, row in rows.items()}
    first = TAUGHT if config.recipe.cold_start else BASE
    bfloat16 = "in bfloat16" if cpu_bfloat16(config.recipe.model) else "in float32"
    text = [
        f"# {config.recipe.model} on {config.recipe.problems}",
        "",
        f"`python benchmarks/real_model.py`: seed {config.seed}, {config.eval_n} unseen problems a "
        f"row, greedy; 95% intervals in brackets. In the column maj@k, Turns is k. All later rows "
        f"start from '{first}'. {os.cpu_count()} CPU cores, {bfloat16}. "
        f"{config.shown} of the problems as they were played: "
        "[real_model_episodes.md](real_model_episodes.md).",
        "",
        markdown_table(metrics),
        *claims(rows, metrics),
        "",
        "## Costs",
        "",
        *costs(folders),
        "",
    ]
    config.output.mkdir(parents=True, exist_ok=True)
    page = "\n".join(text)
    (config.output / "real_model.md").write_text(page, encoding="utf-8")
    (config.output / "real_model_episodes.md").write_text(
        conversations(folders[0], (first, TRAINED), config.shown), encoding="utf-8"
    )
    plotted = {title: row for title, row in rows.items() if title != MAJORITY}
    plot_summary(config.output / "real_model.png", plotted)
    curve = folders[0] / "figures" / "held_out_policy_gradient.png"
    if curve.exists():
        shutil.copy(curve, config.output / "real_model_curve.png")
    return page


def main(config: Config) -> None:
    """Runs what is missing and writes the result."""
    print(report(config, run(config)))


if __name__ == "__main__":
    main(tyro.cli(Config))
