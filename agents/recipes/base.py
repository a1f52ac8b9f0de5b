"""What every recipe does: set up a run, train in stages, evaluate, and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

import srenv
from agents.engines import Engine, Sampling
from agents.engines.metered import MeteredEngine
from agents.engines.registry import EngineName, choose, stage_engine
from agents.models.averaging import average
from agents.models.chat import History, chat_options
from agents.models.paths import TINY, model_path
from agents.recipes.check import check_options
from agents.recipes.cold_start import read_solutions
from agents.recipes.held_out import (
    evaluation_problems,
    held_out_problems,
    take_without,
    transfer_problems,
)
from agents.recipes.worked import worked_conversations
from agents.rollouts.environments import Tool, environment_factory
from agents.rollouts.evaluation import (
    PROBED,
    equal_votes,
    play_problems,
    play_votes,
    tokens_per_problem,
    warn_of_lost_turns,
    warn_of_nothing_graded,
    warn_of_unreadable,
)
from agents.rollouts.player import EnvFactory
from agents.runs.progress import console, progress_bar
from agents.runs.results import write_results
from agents.runs.run import Run, Stage
from agents.runs.tracking import ReportTo, Tracker
from agents.training.callbacks import (
    HeldOutCurve,
    LostTurns,
    Throughput,
    TokenCount,
    TrackTraining,
    TrainingBar,
)
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
from srenv.parsing import MAX_TURN_CHARS
from srenv.problems.seeding import hashed_seed

BASE, REVISED, MAJORITY = "base", "base, told to revise", "base, maj@k"
"""Rows that every table has, measured on the model before training."""
TRANSFER = "transfer"
"""Ends the titles of rows on the problems of `RecipeConfig.transfer`."""
UNTAUGHT, TAUGHT = "before cold start", "base, after cold start"
"""With a cold start: the row of the model that was given, and the row of the base, whose name says
that it is that of every later row."""


@dataclass(frozen=True)
class RecipeConfig:
    """What every recipe can be told."""

    model: str = TINY
    """Folder or hub id of the base model, tiny or tiny_programs (the bundled ones), or smollm2
    (srenv[smollm2])."""
    problems: str = "synthetic:linear"
    """Source of the problems; training uses its train split, evaluation its eval split, and no
    problem of the table is trained on."""
    eval_problems: str | None = None
    """Another source for evaluation (its eval split)."""
    transfer: str | None = None
    """A further source on whose eval split the base and the result are measured, to see what was
    learned beyond the problems trained on."""
    output: Path = Path("runs/recipe")
    """The run's folder."""
    resume: bool = False
    """Resume the run in the folder; finished stages are not repeated."""
    seed: int = 0
    """Seeds sampling and training."""
    engine: EngineName = "auto"
    """What generates, in every stage. auto: a server if --base-url is given, vllm if it is
    installed and there is a GPU, transformers otherwise."""
    base_url: str | None = None
    """Address of a server with the base model, such as http://localhost:8000/v1; policy gradient
    needs a vLLM that takes weights. Models trained here are played in this process."""
    eval_n: int = 500
    """Evaluation problems per row, greedy."""
    max_new_tokens: int = 96
    """Greatest length of one turn in evaluation; a real model wants 2048."""
    max_turn_chars: int = MAX_TURN_CHARS
    """Characters at the end of a turn that are read and kept."""
    history: History = "all"
    """What the model sees of its earlier turns: all, or what follows their thoughts (final)."""
    chat_template_kwargs: str = "{}"
    """What the model's chat template is told, as JSON, such as '{"enable_thinking": false}'."""
    report_to: ReportTo = "wandb"
    """Tracker of the run; W&B stays offline unless a key is configured."""
    artifacts: bool = False
    """Upload checkpoints as artifacts."""
    cold_start: int = 0
    """Problems whose attempts, checks and revisions by an exact solver the model is fine-tuned on
    first; what results is the base of all that follows. 0 leaves the stage out."""
    cold_start_file: Path | None = None
    """JSON Lines with problem and solution, to teach attempts at them instead."""
    cold_sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning of the cold start."""


@dataclass
class Training:
    """A training in progress.

    Attributes:
        callbacks: Transformers callbacks that show and track it.
        model: Folder of the model that it ends with.
        result: What else goes into the result of the stage.
    """

    callbacks: list[TrainerCallback]
    model: Path = Path()
    result: dict[str, Any] = field(default_factory=dict)


Play = Callable[[Sequence[Problem]], list[Episode]]
"""Plays one episode per problem."""


@dataclass(frozen=True)
class Row:
    """How a row of the table is played.

    Attributes:
        name: Its name in the run's folder.
        play: Plays it.
        reading: How its episodes are read; a key of `srenv.metrics.READINGS`.
        result: What else goes into the result of its stage; `play` may fill in what it holds.
    """

    name: str
    play: Play
    reading: str
    result: Mapping[str, Any]


class Recipe:
    """A published method. A subclass says what happens in `method`; the rest is here.

    Attributes:
        rows: The rows of the table, by title; `row` and `evaluate` add to them.
        second_models: The second model of rows that need one, by title: its `parameters` and
            `bytes`, and the `tokens` that it generates per problem.
        trains: Whether the method trains, for which the source must have problems that no row is
            measured on.
        measurable: Whether a problem of the evaluation could be graded for the base model.
        base: Folder or hub id of the base model: the one that was given, or the one after the cold
            start.
        base_title: Title of its row.
    """

    trains = True
    measurable = True
    base_title = BASE

    def __init__(self, config: Any, run: Run, tracker: Tracker) -> None:
        self.config, self.run, self.tracker = config, run, tracker
        self.base = self._given = model_path(config.model)
        self.chat = chat_options(config.history, config.chat_template_kwargs)
        self.rows: dict[str, Reading] = {}
        self._plays: dict[str, Row] = {}
        self.second_models: dict[str, dict[str, float]] = {}
        self._pushed = False  # whether training has replaced the server's weights
        self.train_source = srenv.load_problems(config.problems, "train")
        self.eval_problems = evaluation_problems(config)
        self.transfer_problems = transfer_problems(config)
        self.held_out_problems = held_out_problems(config)
        self.unseen_problems = [
            *self.eval_problems, *self.transfer_problems, *self.held_out_problems
        ]  # fmt: skip
        self.greedy = Sampling(temperature=0.0, max_new_tokens=config.max_new_tokens)
        warn_of_unreadable(self.train_source.take_passes(PROBED, config.seed))
        warn_of_unreadable(self.eval_problems)

    def method(self) -> str:
        """Trains and evaluates, stage by stage; returns the title of the row of the result."""
        raise NotImplementedError

    def engine(self, model: str | Path) -> AbstractContextManager[Engine]:
        """The engine of one stage, with the weights of `model`; closed at the end of the block.

        A server has those of the model that was given, until policy gradient pushes its own there.
        """
        config, given = self.config, str(model) == self._given
        name = config.model if given else str(model)
        served = given and not self._pushed
        return closing(stage_engine(config.engine, name, config.base_url, served, self.chat))

    def evaluate_base(self) -> None:
        """The rows before training: one attempt, and a revision that is merely asked for."""
        if self.config.cold_start:
            self.evaluate(UNTAUGHT, self.base, "untaught", max_attempts=1)
            self.base, self.base_title = str(self.cold_start()), TAUGHT
        self.evaluate(self.base_title, self.base, "base", max_attempts=1)
        self.evaluate(REVISED, self.base, "intrinsic", 2, "intrinsic")

    def cold_start(self) -> Path:
        """A stage that fine-tunes the given model on worked solutions; returns the new folder."""
        config, stage = self.config, self.run.stage("cold_start_data")
        path = stage.folder / "demonstrations.jsonl"
        if stage.todo:
            demonstrations = self.worked_solutions()
            write_demonstrations(path, demonstrations)
            stage.finish(demonstrations=count_kinds(demonstrations))
        _ = stage.result  # other processes wait for it
        return self.imitate("cold_start", self.base, path, config.cold_sft)

    def worked_solutions(self) -> list[Demonstration]:
        """Worked solutions of problems that no row is measured on."""
        config = self.config
        if config.cold_start_file:
            unseen = {problem.prompt for problem in self.unseen_problems}
            return read_solutions(config.cold_start_file, config.cold_start, config.seed, unseen)
        seed = hashed_seed("cold start", config.seed)
        problems = self.training_sample(config.cold_start, seed)
        return worked_conversations(config.problems, problems, seed)

    def evaluate(
        self,
        title: str,
        model: str | Path,
        name: str,
        max_attempts: int,
        protocol: str = "default",
        tool: Tool = "none",
    ) -> None:
        """Plays the evaluation problems greedily; one row of the table."""

        def play(problems: Sequence[Problem]) -> list[Episode]:
            with self.engine(model) as engine:
                return play_problems(
                    engine,
                    problems,
                    self.greedy,
                    f"evaluate: {title}",
                    max_attempts=max_attempts,
                    protocol=protocol,
                    seed=self.config.seed,
                    tool=tool,
                    max_turn_chars=self.config.max_turn_chars,
                )

        outcomes = self.row(title, name, play)
        if title == self.base_title:
            self.measurable = not warn_of_nothing_graded(outcomes)
        warn_of_lost_turns(outcomes, self.config.max_new_tokens, str(model) != self.base)

    def majority(self, result: str) -> None:
        """Votes over attempts of the base model: as many as cost the tokens of row `result`."""
        outcomes = [self.rows[name].outcomes() for name in (result, self.base_title)]
        votes = equal_votes(*map(tokens_per_problem, outcomes))

        def play(problems: Sequence[Problem]) -> list[Episode]:
            with self.engine(self.base) as engine:
                return play_votes(
                    engine,
                    problems,
                    votes,
                    Sampling(1.0, 1.0, self.config.max_new_tokens),
                    f"evaluate: base, maj@{votes}",
                    seed=self.config.seed,
                    max_turn_chars=self.config.max_turn_chars,
                )

        self.row(MAJORITY, "majority", play, "votes", votes=votes)

    def row(
        self, title: str, name: str, play: Play, reading: str = "final", **result: Any
    ) -> Outcomes:
        """A row of the table, as a stage that plays its problems; returns its outcomes.

        Args:
            title: Its title in the table.
            name: See `Row`, as for `play`, `reading` and `result`. A `second_model` among the
                result goes into `second_models`.
            play: Plays the row.
            reading: How its episodes are read.
            result: What else goes into the result of the stage.
        """
        self._plays[title] = Row(name, play, reading, result)
        return self._played(title, self._plays[title], self.eval_problems)

    def _played(self, title: str, row: Row, problems: Sequence[Problem]) -> Outcomes:
        stage = self.run.stage(f"evaluate_{row.name}")
        path = self.run.directory / f"episodes_{row.name}.jsonl"
        self.rows[title] = Reading(path, row.reading)
        if stage.todo:
            write_episodes(path, row.play(problems))
            stage.finish(episodes=str(path), **row.result)
        result = stage.result  # other processes wait for it
        if "second_model" in result:
            self.second_models[title] = result["second_model"]
        return self.rows[title].outcomes()

    def measure_transfer(self, result: str) -> None:
        """Rows of the base and of row `result` on the problems of `transfer`."""
        for title in (self.base_title, result):
            row = replace(self._plays[title], name=f"{self._plays[title].name}_transfer")
            outcomes = self._played(f"{title}, {TRANSFER}", row, self.transfer_problems)
            warn_of_nothing_graded(outcomes)
            warn_of_lost_turns(outcomes, self.config.max_new_tokens, title != self.base_title)

    def collect(
        self, name: str, model: str | Path, sample: Callable[[Engine], list[Demonstration]]
    ) -> Path:
        """A stage that samples demonstrations with `model`; returns their file.

        Raises:
            RuntimeError: Nothing was kept.
        """
        stage = self.run.stage(name)
        path = stage.folder / "demonstrations.jsonl"
        if stage.todo:
            with self.engine(model) as loaded:
                engine = MeteredEngine(loaded)
                # What is imitated must begin where the model began.
                demonstrations = [item for item in sample(engine) if item.whole]
            if not demonstrations:
                raise RuntimeError(
                    f"{name} kept no demonstration: sample more, or start from a model that has "
                    "these skills"
                )
            write_demonstrations(path, demonstrations)
            stage.finish(demonstrations=count_kinds(demonstrations), generated=engine.generated)
        kinds = stage.result["demonstrations"]
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        console.print(f"demonstrations kept: {counts}")
        return path

    def imitate(self, name: str, model: str | Path, data: Path, config: SftConfig) -> Path:
        """A stage that fine-tunes `model` on demonstrations; returns the new model's folder."""
        stage = self.run.stage(name, everywhere=True)
        if stage.todo:
            demonstrations = read_demonstrations(data)
            steps = supervised_steps(config, len(demonstrations))
            with self.training(stage, f"{name}: SFT", steps) as training:
                training.model = fine_tune(
                    model,
                    stage.folder,
                    demonstrations,
                    config,
                    seed=self.config.seed,
                    callbacks=training.callbacks,
                    options=self.chat,
                )
        return trained_model(stage)

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
        config = config.with_engine(self.config.engine, self.config.base_url)
        if choose(config.engine, config.base_url).remote:
            self._pushed = True
        stage = self.run.stage(name, everywhere=True)
        if stage.todo:
            with self.training(stage, name.replace("_", " "), config.steps) as training:
                training.callbacks.append(LostTurns(config.max_new_tokens))
                curve = HeldOutCurve(
                    self.run.directory / "figures" / f"held_out_{name}.png", self.tracker
                )
                training.callbacks.append(curve)
                training.model = train_policy(
                    model,
                    stage.folder,
                    problems,
                    make_env,
                    config,
                    seed=self.config.seed,
                    on_episodes=partial(self.show_episodes, name),
                    callbacks=training.callbacks,
                    reference=reference,
                    held_out=self.held_out_problems[: config.eval_problems],
                    options=self.chat,
                )
                training.result.update(curve.best)
        return trained_model(stage)

    def prefer(
        self,
        name: str,
        model: str | Path,
        load: Callable[[], Sequence[Preference]],
        config: PreferenceConfig,
        reference: str | Path | None = None,
    ) -> Path:
        """A stage of DPO from `model`, its own reference by default; returns the new folder."""
        stage = self.run.stage(name, everywhere=True)
        if stage.todo:
            preferences = load()
            steps = supervised_steps(config, len(preferences))
            with self.training(stage, f"{name}: DPO", steps) as training:
                training.model = prefer(
                    model,
                    stage.folder,
                    preferences,
                    config,
                    seed=self.config.seed,
                    callbacks=training.callbacks,
                    reference=reference,
                )
        return trained_model(stage)

    @contextmanager
    def training(self, stage: Stage, title: str, steps: int) -> Iterator[Training]:
        """Shows and tracks a training of a stage, and finishes the stage with its model."""
        name, count, speed = stage.folder.name, TokenCount(), Throughput()
        with progress_bar(title, steps) as bar:
            training = Training([speed, TrainingBar(bar), TrackTraining(self.tracker, name), count])
            yield training
        self.tracker.checkpoint(name, training.model)
        result = {**training.result, **count.spent, **speed.totals}
        stage.finish(model=str(training.model), **result)

    def average(self, name: str, models: tuple[Path, Path], share: float) -> Path:
        """A stage that averages two models' weights; `share` is that of the first."""
        stage = self.run.stage(name)
        if stage.todo:
            folder = average(models, stage.folder / "final", (share, 1 - share))
            stage.finish(model=str(folder))
        return trained_model(stage)

    def training_problems(self, config: PolicyGradientConfig, offset: int = 1) -> list[Problem]:
        """Problems for all steps of a stage of policy gradient."""
        n = config.steps * config.problems_per_step
        return self.training_sample(n, self.config.seed + offset)

    def training_sample(self, n: int, seed: int) -> list[Problem]:
        """Problems to train on; a source with fewer is passed over as often as needed.

        None of them has the prompt of a problem of the table, or of a held-out one.
        """
        problems = take_without(self.train_source, n, seed, self.unseen_problems)
        distinct = len({problem.id for problem in problems})
        if distinct < n:
            console.print(
                f"{self.train_source.name} has {distinct} problems for training: "
                f"{n / distinct:.1f} passes over them"
            )
        return problems

    def make_env(
        self, max_attempts: int, protocol: str, reward: str, tool: Tool = "none"
    ) -> EnvFactory:
        """A maker of environments that are trained in."""
        return environment_factory(
            max_attempts,
            protocol,
            tool,
            problems=self.config.problems,
            reward=reward,
            max_turn_chars=self.config.max_turn_chars,
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
        order = (UNTAUGHT, self.base_title, REVISED, MAJORITY)
        first = {title: self.rows[title] for title in order if title in self.rows}
        rows = {**first, **self.rows}
        plotted = [title for title in rows if title not in (REVISED, MAJORITY)]
        return write_results(self.run, self.tracker, rows, result, plotted, self.second_models)


def count_kinds(demonstrations: Sequence[Demonstration]) -> dict[str, int]:
    """Returns how many demonstrations of each kind there are."""
    return dict(sorted(Counter(item.kind for item in demonstrations).items()))


def trained_model(stage: Stage) -> Path:
    """Returns the folder of a finished stage's model, which is in the stage's own folder."""
    return stage.folder / Path(str(stage.result["model"])).name


def run_recipe(recipe: type[Recipe], config: Any) -> dict[str, Metrics]:
    """Runs a recipe, or resumes it, and returns the rows of its table.

    If no problem of the evaluation can be graded, the table has the base model alone: training
    could not be measured.
    """
    check_options(config, recipe.trains)
    # A server may have moved when its run resumes.
    run = Run(config.output, replace(config, base_url=None), config.resume)
    name = config.output.name
    tracker = Tracker(config.report_to, config.output, name, run.config, artifacts=config.artifacts)
    try:
        todo = recipe(config, run, tracker)
        todo.evaluate_base()
        if not todo.measurable:
            return todo.report(todo.base_title)
        result = todo.method()
        todo.majority(result)
        if config.transfer:
            todo.measure_transfer(result)
        return todo.report(result)
    finally:
        tracker.finish()
