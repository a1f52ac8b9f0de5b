"""Process-based self-rewarding (Zhang et al. 2025, arXiv 2503.03746).

A model writes solutions step by step and judges, in pairs, which of several next steps is better.
It is taught both once (M1), on exact solutions and on its own steps as an exact checker sorts them,
whereas the paper asks outside teachers (section 3.2). From then on nobody tells it what is right:
it searches step by step for solutions that it prefers itself (3.3) and learns its preferences by
step-wise DPO (3.4), and again with the model that results (M2, M3, ...).

A variant, which the paper does not try: its judgments enter the reward of policy gradient as
a term in addition to correctness (`agents.training.judged_rewards`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from agents.engines import Engine, Sampling
from agents.engines.metered import MeteredEngine
from agents.models.chat import ChatFormat
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.recipes.process.judge import (
    judgments,
    measure_judge,
    questions_from,
    read_preferences,
    read_questions,
    write_preferences,
    write_questions,
)
from agents.recipes.process.search import StepSearch, propose_steps, search, written
from agents.recipes.process.solvers import Solver, find_solver
from agents.runs.progress import console, progress_bar
from agents.training.dpo import Preference, PreferenceConfig
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import Demonstration, SftConfig, whole_turns
from srenv.episode import Episode, Problem
from srenv.metrics import Metrics

WHOLE = whole_turns(0)


@dataclass(frozen=True)
class ProcessConfig(RecipeConfig):
    """Process-based self-rewarding; the paper's values in brackets."""

    output: Path = Path("runs/process")
    """The run's folder."""
    reasoning: int = 600
    """Exact solutions that teach the step format [28,889]."""
    judging: int = 8000
    """Problems whose steps are sampled for pairs to judge [4,679 pairs]."""
    held_out: int = 200
    """Pairs that measure the judge, at most; never trained on [500]."""
    iterations: int = 1
    """Rounds of search and step-wise DPO after M1 [3]."""
    sampled: int = 1500
    """Problems searched in the first round; round k takes k times as many [400]."""
    width: int = 4
    """Candidates per step [6]."""
    levels: int = 8
    """Greatest number of steps, those rolled back included [20]."""
    both_orders: bool = True
    """Judge each pair in both orders [not said]; see `agents.recipes.process.search`."""
    temperature: float = 1.0
    """Of candidate steps [0.5]."""
    sft: SftConfig = field(default_factory=lambda: SftConfig(epochs=4, learning_rate=1e-3))
    """Teaching M1, and before it the model whose steps are judged [3 epochs]."""
    dpo: PreferenceConfig = field(
        default_factory=lambda: PreferenceConfig(epochs=2, learning_rate=5e-4, nll=5.0)
    )
    """Step-wise DPO, in each round [no likelihood term]."""
    pg: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(steps=0, kl=0.01, scale_roles=False)
    )
    """Optional policy gradient from M1, alongside the DPO rounds; 0 steps disables it [none]."""
    reward: str = "correctness=1,judged_steps=0.5"
    """Reward of policy gradient: the verifier's grade, and the model's judgment of each step."""


def train(config: ProcessConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table.

    Raises:
        ValueError: No exact solver is known for the problems.
    """
    find_solver(config.problems)
    if config.width < 2:
        raise ValueError(f"width {config.width}: there is nothing to prefer among fewer than 2")
    return run_recipe(Process, config)


class Process(Recipe):
    """The method, stage by stage."""

    config: ProcessConfig

    @property
    def solver(self) -> Solver:
        """Says what the right next step is."""
        return find_solver(self.config.problems)

    @property
    def sampling(self) -> Sampling:
        """How candidate steps are drawn."""
        return Sampling(self.config.temperature, 1.0, self.config.max_new_tokens)

    @property
    def held_out(self) -> Path:
        """The file of pairs that measure the judge."""
        return self.run.directory / "judging_data" / "held_out.json"

    def method(self) -> str:
        """M1 by imitation, then rounds of search and step-wise DPO."""
        config = self.config
        data = self.collect("reasoning_data", self.base, self.solutions)
        reasoner = self.imitate("reasoning", self.base, data, config.sft)
        data = self.collect("judging_data", reasoner, self.questions)
        model = self.imitate("m1", self.base, data, config.sft)
        self.measure_judge("base", self.base)
        self.measure("M1", model)
        if config.pg.steps:
            self.measure("M1-PG", self.reinforce_with_judge(model))
        title = "M1"
        for k in range(1, config.iterations + 1):
            pairs, count = self.preferences(f"m{k + 1}_pairs", model, k)
            if not count:
                console.print(
                    f"[yellow]{title} preferred no step to another; DPO stops here. "
                    "More pairs may teach the judge: --judging[/]"
                )
                break
            title = f"M{k + 1}"
            model = self.learn(f"m{k + 1}", model, pairs)
            self.measure(title, model)
        return title

    def solutions(self, engine: Engine | None = None) -> list[Demonstration]:
        """Exact solutions, step by step; no model is needed for them."""
        problems = self.training_sample(self.config.reasoning, self.config.seed)
        return [
            Demonstration(written(p, self.solver.solution(p)), WHOLE, "reasoning") for p in problems
        ]

    def questions(self, engine: Engine) -> list[Demonstration]:
        """Pairs of the model's own right and wrong steps, and the solutions once more.

        A share of the pairs is held out and written to a file of its own.
        """
        config = self.config
        torch.manual_seed(config.seed)
        rng = random.Random(config.seed)
        problems = self.training_sample(config.judging, config.seed + 1)
        solutions = [self.solver.solution(problem) for problem in problems]
        contexts = [steps[: rng.randrange(len(steps))] for steps in solutions]
        with progress_bar("pairs to judge", 1) as bar:
            proposed = propose_steps(engine, problems, contexts, config.width, self.sampling)
            bar.advance()
        pairs = questions_from(self.solver, problems, contexts, proposed)
        held_out = min(config.held_out, len(pairs) // 4)
        write_questions(self.held_out, pairs[:held_out])
        demonstrations = [d for pair in pairs[held_out:] for d in judgments(self.solver, pair)]
        return self.solutions() + demonstrations

    def preferences(self, name: str, model: str | Path, k: int) -> tuple[Path, int]:
        """A stage that searches with the model's own judgment.

        Returns:
            The file of its pairs of steps, and their number.
        """
        config = self.config
        stage = self.run.stage(name)
        path = stage.folder / "pairs.json"
        if stage.todo:
            torch.manual_seed(config.seed + k)
            problems = self.training_sample(k * config.sampled, config.seed + 1 + k)
            with self.engine(model) as loaded:
                engine = MeteredEngine(loaded)
                searches = self.search(engine, problems, f"{name}: search")
            stage.finish(
                pairs=write_preferences(path, problems, searches),
                rollbacks=sum(search.rollbacks for search in searches),
                generated=engine.generated,
            )
        pairs, rollbacks = stage.result["pairs"], stage.result["rollbacks"]
        console.print(f"{pairs} pairs of steps, {rollbacks} levels rolled back")
        return path, pairs

    def search(self, engine: Engine, problems: Sequence[Problem], title: str) -> list[StepSearch]:
        """Step search with the recipe's options."""
        config = self.config
        return search(
            engine,
            problems,
            self.sampling,
            title,
            width=config.width,
            levels=config.levels,
            both_orders=config.both_orders,
        )

    def learn(self, name: str, model: str | Path, pairs: Path) -> Path:
        """A stage of step-wise DPO; returns the new model's folder."""

        def load() -> list[Preference]:
            return read_preferences(
                pairs, ChatFormat.load(str(model), self.chat), self.train_source.find
            )

        return self.prefer(name, model, load, self.config.dpo)

    def reinforce_with_judge(self, model: str | Path) -> Path:
        """Policy gradient in which the model's own judgment of its steps is a reward term."""
        config, reward = self.config, self.config.reward
        problems = self.training_problems(config.pg, offset=2)
        make_env = self.make_env(1, "intrinsic", reward)
        return self.reinforce("policy_gradient", model, problems, make_env, config.pg)

    def measure(self, title: str, model: str | Path) -> None:
        """Rows of one model: greedy, and by step search; and how well it judges."""
        name = title.lower()
        self.evaluate(title, model, name, 1, "intrinsic")

        def play(problems: Sequence[Problem]) -> list[Episode]:
            torch.manual_seed(self.config.seed)
            with self.engine(model) as loaded:
                engine = MeteredEngine(loaded)
                searches = self.search(engine, problems, f"evaluate: {title}, step search")
            # Candidates and judgments are shared out evenly: the search is one batch.
            share = round(engine.generated / len(searches))
            return [
                written(problem, search.steps, share)
                for problem, search in zip(problems, searches, strict=True)
            ]

        self.row(f"{title}, step search", f"{name}_search", play)
        self.measure_judge(title, model)

    def measure_judge(self, title: str, model: str | Path) -> None:
        """A stage that measures a model as a judge."""
        name = f"evaluate_{title.lower()}_judge"

        stage = self.run.stage(name)
        if stage.todo:
            pairs = read_questions(self.held_out, self.train_source.find)
            if not pairs:
                raise RuntimeError(f"{self.held_out} holds no pairs: raise --judging")
            with self.engine(model) as engine:
                stage.finish(**measure_judge(engine, pairs, self.config.max_new_tokens))
        result = stage.result
        console.print(
            f"{title} as a judge of {result['pairs']} held-out pairs: "
            f"{100 * result['accuracy']:.1f}% right, {100 * result['consistent']:.1f}% alike in "
            "both orders"
        )
