"""What every recipe does: set up a run, train in stages, evaluate, and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

import srenv
from agents.engines import Engine, Sampling
from agents.engines.metered import MeteredEngine
from agents.engines.registry import EngineName, choose, stage_engine
from agents.models.averaging import average
from agents.models.paths import TINY, model_path
from agents.recipes.check import check_options
from agents.rollouts.environments import Tool, environment_factory
from agents.rollouts.evaluation import equal_votes, play_problems, play_votes
from agents.rollouts.player import EnvFactory
from agents.runs.progress import console, progress_bar
from agents.runs.results import write_results
from agents.runs.run import Run
from agents.runs.tracking import ReportTo, Tracker
from agents.training.callbacks import TokenCount, TrackTraining, TrainingBar
from agents.training.dpo import Preference, PreferenceConfig, prefer
from agents.training.policy_gradient import PolicyGradientConfig, train_policy
from agents.training.settings import supervised_steps
from agents.training.sft import (
    Demonstration,
    SftConfig,
    fine_tune,
    read_demonstrations,
    write_demonstrations,
)
from srenv.episode import Episode, Problem, write_episodes
from srenv.metrics import Metrics, Outcomes
from srenv.metrics.readings import Reading

BASE, REVISED, MAJORITY = "base", "base, told to revise", "base, maj@k"
"""Rows that every table has, measured on the model before training."""


@dataclass(frozen=True)
class RecipeConfig:
    """What every recipe can be told."""

    model: str = TINY
    """Folder or hub id of the base model, or tiny, the bundled one."""
    problems: str = "synthetic:linear"
    """Where problems come from; training uses its train split, evaluation its eval split."""
    eval_problems: str | None = None
    """Another source for evaluation (its eval split)."""
    output: Path = Path("runs/recipe")
    """The run's folder."""
    resume: bool = False
    """Go on with the run in the folder; finished stages are not repeated."""
    seed: int = 0
    """Seeds sampling and training."""
    engine: EngineName = "auto"
    """What generates, in every stage. auto: a server if --base-url is given, vllm on a GPU where it
    is installed, transformers otherwise."""
    base_url: str | None = None
    """Address of a server with the base model, such as http://localhost:8000/v1; policy gradient
    needs a vLLM that takes weights. Models trained here are played in this process."""
    eval_n: int = 500
    """Evaluation problems per row, greedy."""
    max_new_tokens: int = 64
    """Greatest length of one turn in evaluation; a real model wants 2048."""
    report_to: ReportTo = "wandb"
    """Where the run is tracked; W&B stays offline unless a key is configured."""
    artifacts: bool = False
    """Upload checkpoints as artifacts."""


class Recipe:
    """A published method. A subclass says what happens in `method`; the rest is here.

    Attributes:
        rows: The rows of the table, by title; `row` and `evaluate` add to them.
        second_models: What rows need beside their model, by title: `parameters` and `bytes` of
            a second one, and the `tokens` that it generates per problem.
    """

    def __init__(self, config: Any, run: Run, tracker: Tracker) -> None:
        self.config, self.run, self.tracker = config, run, tracker
        self.base = model_path(config.model)
        self.rows: dict[str, Reading] = {}
        self.second_models: dict[str, dict[str, float]] = {}
        self._pushed = False  # whether training has replaced the server's weights
        self.train_source = srenv.load_problems(config.problems, "train")
        source = srenv.load_problems(config.eval_problems or config.problems, "eval")
        n = config.eval_n if source.size is None else min(config.eval_n, source.size)
        self.eval_problems = source.take(n, seed=config.seed)
        self.greedy = Sampling(temperature=0.0, max_new_tokens=config.max_new_tokens)

    def method(self) -> str:
        """Trains and evaluates, stage by stage; returns the title of the row of the result."""
        raise NotImplementedError

    def engine(self, model: str | Path) -> AbstractContextManager[Engine]:
        """The engine of one stage, with the weights of `model`; closed at the end of the block.

        A server has those of the base model, until policy gradient pushes its own there.
        """
        config, base = self.config, str(model) == self.base
        name = config.model if base else str(model)
        served = base and not self._pushed
        return closing(stage_engine(config.engine, name, config.base_url, served))

    def evaluate_base(self) -> None:
        """The rows before training: one attempt, and a revision that is merely asked for."""
        self.evaluate(BASE, self.base, "base", max_attempts=1)
        self.evaluate(REVISED, self.base, "intrinsic", 2, "intrinsic")

    def evaluate(
        self,
        title: str,
        model: str | Path,
        name: str,
        max_attempts: int,
        protocol: str = "default",
        tool: Tool = "none",
    ) -> Outcomes:
        """Plays the evaluation problems greedily; one row of the table."""

        def work(engine: Engine) -> list[Episode]:
            return play_problems(
                engine,
                self.eval_problems,
                self.greedy,
                f"evaluate: {title}",
                max_attempts=max_attempts,
                protocol=protocol,
                seed=self.config.seed,
                tool=tool,
            )

        return self.row(title, model, name, work)

    def majority(self, result: str) -> None:
        """Votes over attempts of the base model: as many as cost the tokens of row `result`."""
        ours, single = (self.rows[name].outcomes().tokens.mean() for name in (result, BASE))
        votes = equal_votes(float(ours), float(single))

        def work(engine: Engine) -> list[Episode]:
            sampling = Sampling(1.0, 1.0, self.config.max_new_tokens)
            title = f"evaluate: base, maj@{votes}"
            return play_votes(
                engine, self.eval_problems, votes, sampling, title, seed=self.config.seed
            )

        self.row(MAJORITY, self.base, "majority", work, "votes", votes=votes)

    def row(
        self,
        title: str,
        model: str | Path,
        name: str,
        play_with: Callable[[Engine], list[Episode]],
        reading: str = "final",
        **record: Any,
    ) -> Outcomes:
        """Adds a row: episodes are played and written once, then read as `reading` says.

        `record` goes into the stage's result; `second_model` in it into the report, too.
        """
        path = self.run.directory / f"episodes_{name}.jsonl"

        def work(folder: Path) -> dict[str, Any]:
            with self.engine(model) as engine:
                write_episodes(path, play_with(engine))
            return {"episodes": str(path), **record}

        result = self.run.stage(f"evaluate_{name}", work)
        if "second_model" in result:
            self.second_models[title] = result["second_model"]
        self.rows[title] = Reading(path, reading)
        return self.rows[title].outcomes()

    def collect(
        self, name: str, model: str | Path, sample: Callable[[Engine], list[Demonstration]]
    ) -> Path:
        """A stage that samples demonstrations with `model`; returns their file."""
        path = self.run.directory / name / "demonstrations.jsonl"

        def work(folder: Path) -> dict[str, Any]:
            with self.engine(model) as loaded:
                engine = MeteredEngine(loaded)
                kept = sample(engine)
            if not kept:
                raise RuntimeError(
                    f"{name} kept no demonstration: sample more, or start from a model that has "
                    "these skills"
                )
            write_demonstrations(path, kept)
            kinds = dict(sorted(Counter(d.kind for d in kept).items()))
            return {"demonstrations": kinds, "generated": engine.generated}

        kinds = self.run.stage(name, work)["demonstrations"]
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        console.print(f"demonstrations kept: {counts}")
        return path

    def imitate(self, name: str, model: str | Path, data: Path, config: SftConfig) -> Path:
        """A stage that fine-tunes `model` on demonstrations; returns the new model's folder."""

        def work(folder: Path) -> dict[str, Any]:
            kept = read_demonstrations(data)

            def learn(callbacks: list[TrainerCallback]) -> Path:
                return fine_tune(model, folder, kept, config, self.config.seed, callbacks)

            return self._train(name, f"{name}: SFT", supervised_steps(config, len(kept)), learn)

        return Path(self.run.stage(name, work, everywhere=True)["model"])

    def reinforce(
        self,
        name: str,
        model: str | Path,
        problems: Sequence[Problem],
        make_env: EnvFactory,
        config: PolicyGradientConfig,
        reference: str | Path | None = None,
    ) -> Path:
        """A stage of policy gradient from `model`; returns the new model's folder."""
        if config.engine == "auto" and not config.base_url:
            config = replace(config, engine=self.config.engine, base_url=self.config.base_url)
        if choose(config.engine, config.base_url) == "server":
            self._pushed = True

        def show(episodes: Sequence[Episode], step: int) -> None:
            self.show_episodes(name, episodes, step)

        def work(folder: Path) -> dict[str, Any]:
            def learn(callbacks: list[TrainerCallback]) -> Path:
                return train_policy(
                    model,
                    folder,
                    problems,
                    make_env,
                    config,
                    seed=self.config.seed,
                    on_episodes=show,
                    callbacks=callbacks,
                    reference=reference,
                )

            return self._train(name, name.replace("_", " "), config.steps, learn)

        return Path(self.run.stage(name, work, everywhere=True)["model"])

    def prefer(
        self,
        name: str,
        model: str | Path,
        load: Callable[[], Sequence[Preference]],
        config: PreferenceConfig,
        reference: str | Path | None = None,
    ) -> Path:
        """A stage of DPO from `model`, its own reference by default; returns the new folder."""

        def work(folder: Path) -> dict[str, Any]:
            data = load()

            def learn(callbacks: list[TrainerCallback]) -> Path:
                return prefer(model, folder, data, config, self.config.seed, callbacks, reference)

            return self._train(name, f"{name}: DPO", supervised_steps(config, len(data)), learn)

        return Path(self.run.stage(name, work, everywhere=True)["model"])

    def _train(
        self,
        name: str,
        title: str,
        steps: int,
        learn: Callable[[list[TrainerCallback]], Path],
    ) -> dict[str, Any]:
        """Trains under a progress bar, tracked; the result of the stage."""
        count = TokenCount()
        with progress_bar(title, steps) as bar:
            final = learn([TrainingBar(bar), TrackTraining(self.tracker, name), count])
        self.tracker.checkpoint(name, final)
        return {"model": str(final), **count.spent}

    def average(self, name: str, models: tuple[Path, Path], share: float) -> Path:
        """A stage that averages two models' weights; `share` is that of the first."""

        def work(folder: Path) -> dict[str, Any]:
            return {"model": str(average(models, folder / "final", (share, 1 - share)))}

        return Path(self.run.stage(name, work)["model"])

    def training_problems(self, config: PolicyGradientConfig, offset: int = 1) -> list[Problem]:
        """Fresh problems for all steps of a stage of policy gradient."""
        n = config.steps * config.problems_per_step
        return self.train_source.take(n, self.config.seed + offset)

    def make_env(
        self, max_attempts: int, protocol: str, reward: str, tool: Tool = "none"
    ) -> EnvFactory:
        """A maker of environments that are trained in."""
        return environment_factory(
            max_attempts, protocol, tool, problems=self.config.problems, reward=reward
        )

    def show_episodes(self, stage: str, episodes: Sequence[Episode], step: int) -> None:
        """Tracks a few episodes as a table, every tenth step."""
        if step % 10 == 0:
            self.tracker.table(
                f"{stage}/episodes_{step:04d}",
                ("problem", "conversation", "ending", "reward"),
                [
                    (e.problem.prompt, srenv.transcript(e.messages), e.ending, e.reward)
                    for e in episodes[:8]
                ],
            )

    def report(self, result: str) -> dict[str, Metrics]:
        """Writes and shows the table, the figure and the summary."""
        first = {title: self.rows[title] for title in (BASE, REVISED, MAJORITY)}
        rows = {**first, **self.rows}
        plotted = [title for title in rows if title not in (REVISED, MAJORITY)]
        return write_results(self.run, self.tracker, rows, result, plotted, self.second_models)


def run_recipe(recipe: type[Recipe], config: Any) -> dict[str, Metrics]:
    """Runs a recipe, or goes on with it, and returns the rows of its table."""
    check_options(config)
    # A server may have moved when its run goes on.
    run = Run(config.output, replace(config, base_url=None), config.resume)
    name = config.output.name
    tracker = Tracker(config.report_to, config.output, name, run.config, artifacts=config.artifacts)
    try:
        todo = recipe(config, run, tracker)
        todo.evaluate_base()
        result = todo.method()
        todo.majority(result)
        return todo.report(result)
    finally:
        tracker.finish()
