"""Self-rewarding correction (Xiong et al. 2025, arXiv 2502.19613).

One model attempts, judges itself, revises, and decides when to stop. Stage 1 teaches the pattern
by sequential rejection sampling and fine-tuning on the model's own samples (section 3.1); stage 2
is policy gradient with rule-based rewards (section 3.2), here with turn-local credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym

import srenv
from agents.callbacks import TrackTraining, TrainingBar
from agents.engines import Sampling, TransformersEngine
from agents.evaluate import equal_votes, load_outcomes, play, vote
from agents.files import write_json
from agents.plots import plot_summary
from agents.processes import is_main
from agents.progress import console, progress_bar
from agents.recipes.run import Run
from agents.rejection import SAMPLING_STEPS, RejectionConfig, count_kinds, sample_demonstrations
from agents.report import markdown_table, metrics_to_json, terminal_table
from agents.sft import (
    SftConfig,
    fine_tune,
    read_demonstrations,
    sft_steps,
    write_demonstrations,
)
from agents.tiny import TINY, model_path
from agents.tracking import ReportTo, Tracker
from agents.trainer import PolicyGradientConfig, train_policy
from srenv.episode import Episode, write_episodes
from srenv.metrics import Metrics, Outcomes, measure
from srenv.rewards import make_reward

BASE, REVISED, MAJORITY = "base", "base, told to revise", "base, maj@k"
WARM, TRAINED = "after warm-up", "after policy gradient"
ROWS = (BASE, REVISED, MAJORITY, WARM, TRAINED)
"""Rows of the table, in its order."""


@dataclass(frozen=True)
class SelfRewardingConfig:
    """Self-rewarding correction, from a base model to a trained one."""

    model: str = TINY
    """Folder or hub id of the base model, or tiny, the bundled one."""
    problems: str = "synthetic:linear"
    """Where problems come from; training uses its train split, evaluation its eval split."""
    eval_problems: str | None = None
    """Another source for evaluation (its eval split)."""
    output: Path = Path("runs/self_rewarding")
    """The run's folder."""
    resume: bool = False
    """Go on with the run in the folder; finished stages are not repeated."""
    seed: int = 0
    """Seeds sampling and training."""
    max_attempts: int = 3
    """Attempts per episode, one more than in the demonstrations and in the paper."""
    reward: str = "default"
    """Reward preset, or term=weight,... (see srenv.rewards)."""
    eval_n: int = 500
    """Evaluation problems per row, greedy."""
    max_new_tokens: int = 64
    """Greatest length of one turn in evaluation; a real model wants 2048."""
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    """Stage 1: sampling."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Stage 1: fine-tuning."""
    pg: PolicyGradientConfig = field(default_factory=PolicyGradientConfig)
    """Stage 2: policy gradient."""
    report_to: ReportTo = "wandb"
    """Where the run is tracked; W&B stays offline unless a key is configured."""
    artifacts: bool = False
    """Upload checkpoints as artifacts."""


def train(config: SelfRewardingConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table."""
    run = Run(config.output, config, config.resume)
    tracker = Tracker(
        config.report_to, config.output, config.output.name, run.config, artifacts=config.artifacts
    )
    try:
        return _Recipe(config, run, tracker).train()
    finally:
        tracker.finish()


class _Recipe:
    def __init__(self, config: SelfRewardingConfig, run: Run, tracker: Tracker) -> None:
        self.config, self.run, self.tracker = config, run, tracker
        self.train_source = srenv.load_problems(config.problems, "train")
        source = srenv.load_problems(config.eval_problems or config.problems, "eval")
        n = config.eval_n if source.size is None else min(config.eval_n, source.size)
        self.eval_problems = source.take(n, seed=config.seed)
        self.greedy = Sampling(temperature=0.0, max_new_tokens=config.max_new_tokens)

    def train(self) -> dict[str, Metrics]:
        """The method, stage by stage."""
        rows: dict[str, Outcomes] = {}
        base = model_path(self.config.model)
        rows[BASE] = self.evaluate(BASE, base, "base", max_attempts=1)
        rows[REVISED] = self.evaluate(REVISED, base, "intrinsic", 2, "intrinsic")
        warm = self.warm_up(base)
        rows[WARM] = self.evaluate(WARM, warm, "warmup")
        trained = self.policy_gradient(warm)
        rows[TRAINED] = self.evaluate(TRAINED, trained, "policy_gradient")
        # As many votes as cost the tokens that the trained model spends.
        votes = equal_votes(rows[TRAINED].tokens.mean(), rows[BASE].tokens.mean())
        rows[MAJORITY] = self.majority(base, votes)
        return self.report({name: rows[name] for name in ROWS})

    def warm_up(self, base: str) -> Path:
        """Stage 1: sequential rejection sampling, then fine-tuning on what was kept."""
        data = self.run.directory / "rejection_sampling" / "demonstrations.jsonl"
        problems = self.train_source.take(self.config.rejection.problems, self.config.seed)

        def sample(folder: Path) -> dict[str, Any]:
            engine = TransformersEngine.load(base)
            with progress_bar("warm-up: sampling", SAMPLING_STEPS) as bar:
                kept = sample_demonstrations(
                    engine, problems, self.config.rejection, bar, self.config.seed
                )
            write_demonstrations(data, kept)
            return {"demonstrations": count_kinds(kept)}

        def imitate(folder: Path) -> dict[str, Any]:
            kept = read_demonstrations(data)
            with progress_bar("warm-up: SFT", sft_steps(self.config.sft, len(kept))) as bar:
                callbacks = [TrainingBar(bar), TrackTraining(self.tracker, "warmup")]
                final = fine_tune(base, folder, kept, self.config.sft, self.config.seed, callbacks)
            self.tracker.checkpoint("warmup", final)
            return {"model": str(final)}

        kinds = self.run.stage("rejection_sampling", sample)["demonstrations"]
        console.print(f"demonstrations kept: {kinds}")
        return Path(self.run.stage("warmup", imitate, everywhere=True)["model"])

    def policy_gradient(self, warm: Path) -> Path:
        """Stage 2: reinforcement learning with rule-based rewards."""
        pg = self.config.pg
        problems = self.train_source.take(pg.steps * pg.problems_per_step, self.config.seed + 1)

        def learn(folder: Path) -> dict[str, Any]:
            with progress_bar("policy gradient", pg.steps) as bar:
                callbacks = [TrainingBar(bar), TrackTraining(self.tracker, "policy_gradient")]
                final = train_policy(
                    warm,
                    folder,
                    problems,
                    self.make_env,
                    make_reward(self.config.reward),
                    pg,
                    self.config.seed,
                    self.show_episodes,
                    callbacks,
                )
            self.tracker.checkpoint("policy_gradient", final)
            return {"model": str(final)}

        return Path(self.run.stage("policy_gradient", learn, everywhere=True)["model"])

    def make_env(self) -> gym.Env[str, str]:
        """The environment that is trained in."""
        return gym.make(
            "srenv:SelfCorrectMath-v0",
            problems=self.config.problems,
            max_attempts=self.config.max_attempts,
            reward=self.config.reward,
        )

    def evaluate(
        self,
        title: str,
        model: str | Path,
        name: str,
        max_attempts: int | None = None,
        protocol: str = "default",
    ) -> Outcomes:
        """Plays the evaluation problems greedily; one row of the table."""
        path = self.run.directory / f"episodes_{name}.jsonl"

        def work(folder: Path) -> dict[str, Any]:
            engine = TransformersEngine.load(model)
            episodes = play(
                engine,
                self.eval_problems,
                self.greedy,
                f"evaluate: {title}",
                max_attempts or self.config.max_attempts,
                protocol,
                self.config.seed,
            )
            write_episodes(path, episodes)
            return {"episodes": str(path)}

        self.run.stage(f"evaluate_{name}", work)
        return load_outcomes(path)

    def majority(self, model: str, votes: int) -> Outcomes:
        """Majority voting over independent attempts of the base model."""
        path = self.run.directory / "episodes_majority.jsonl"

        def work(folder: Path) -> dict[str, Any]:
            episodes = vote(
                TransformersEngine.load(model),
                self.eval_problems,
                votes,
                Sampling(1.0, 1.0, self.config.max_new_tokens),
                f"evaluate: base, maj@{votes}",
                seed=self.config.seed,
            )
            write_episodes(path, episodes)
            return {"votes": votes}

        self.run.stage("evaluate_majority", work)
        return load_outcomes(path, votes)

    def show_episodes(self, episodes: Sequence[Episode], step: int) -> None:
        """Tracks a few episodes as a table, every tenth step."""
        if step % 10 == 0:
            self.tracker.table(
                f"policy_gradient/episodes_{step:04d}",
                ("problem", "conversation", "ending", "reward"),
                [
                    (e.problem.prompt, srenv.transcript(e.messages), e.ending, e.reward)
                    for e in episodes[:8]
                ],
            )

    def report(self, rows: dict[str, Outcomes]) -> dict[str, Metrics]:
        """Writes and shows the table, the figure and the summary."""
        metrics = {name: measure(row) for name, row in rows.items()}
        if not is_main():
            return metrics
        folder = self.run.directory
        summary = {
            "config": self.run.config,
            "rows": {name: metrics_to_json(row) for name, row in metrics.items()},
        }
        files = [write_json(folder / "summary.json", summary), folder / "table.md"]
        files[1].write_text(markdown_table(metrics), encoding="utf-8")
        shown = {name: rows[name] for name in (BASE, WARM, TRAINED)}
        files.append(plot_summary(folder / "figures" / "self_correction.png", shown))
        for name, row in metrics.items():
            stage = "evaluation/" + name.replace(" ", "_").replace(",", "")
            self.tracker.log(stage, {k: e.value for k, e in row.items()})
        self.tracker.figure("figures/self_correction", files[-1])
        console.print(terminal_table(metrics, f"{self.config.model} on {self.config.problems}"))
        files += sorted(folder.glob("episodes_*.jsonl"))
        files += [folder / "warmup" / "final", folder / "policy_gradient" / "final"]
        files += [folder / "config.json", *folder.glob("wandb"), *folder.glob("tensorboard")]
        console.print("wrote " + "\n      ".join(str(file) for file in files), soft_wrap=True)
        return metrics
