"""Self-rewarding correction (Xiong et al. 2025, arXiv 2502.19613).

One model attempts, judges itself, revises, and decides when to stop. Stage 1 teaches the pattern
by sequential rejection sampling and fine-tuning on the model's own samples (section 3.1). Stage 2
(section 3.2) is policy gradient with rule-based rewards, here with turn-local credit, or iterative
multi-turn DPO: of conversations that continue the same first attempt, one that ends right is
preferred. Both formats of the paper are known: one stream with ``[VERIFY]``, and a chat of two
turns in which the model asks itself whether it is right, and is told what it answered.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import torch

from agents.engines import Engine, Sampling
from agents.engines.metered import MeteredEngine
from agents.models.chat import ChatFormat
from agents.recipes.base import BASE, MAJORITY, REVISED, Recipe, RecipeConfig, run_recipe
from agents.recipes.self_rewarding.pairs import (
    TrajectoryConfig,
    first_attempts,
    make_pairs,
    play_on,
    read_pairs,
    write_pairs,
)
from agents.recipes.self_rewarding.rejection import (
    SAMPLING_STEPS,
    RejectionConfig,
    sample_demonstrations,
)
from agents.rollouts.environments import Tool, with_tool
from agents.runs.progress import console, progress_bar
from agents.training.dpo import Preference, PreferenceConfig
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import Demonstration, SftConfig
from srenv.envs.env import make_protocol
from srenv.metrics import Metrics
from srenv.protocol import Protocol

WARM, TRAINED = "after warm-up", "after policy gradient"
AVERAGED = "average of both"
ROWS = (BASE, REVISED, MAJORITY, WARM, TRAINED)
"""Rows of the table, in its order; with ``--stage2 dpo`` one per iteration in place of the last."""


@dataclass(frozen=True)
class SelfRewardingConfig(RecipeConfig):
    """Self-rewarding correction, from a base model to a trained one."""

    output: Path = Path("runs/self_rewarding")
    """The run's folder."""
    protocol: str = "default"
    """Format. default: the verdict is a [VERIFY] line. yes_no: the two-turn chat, whose verdict is
    the answer to a question; the bundled model has to learn to spell that answer and wants
    --sft.epochs 8 --sft.learning-rate 1e-3. Or module:attribute."""
    max_attempts: int | None = None
    """Attempts per episode; by default 2 if the verdict answers a question [2], else 3, one more
    than in the demonstrations and in the paper."""
    stage2: Literal["pg", "dpo"] = "pg"
    """Policy gradient, or iterative multi-turn DPO [both]."""
    reward: str = "default"
    """Reward preset, or term=weight,... (see srenv.rewards)."""
    tool: Tool = "none"
    """A tool that the model may call inside a turn: none, calculator or python."""
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    """Stage 1: sampling."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Stage 1: fine-tuning."""
    pg: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(turn_discount=0.5)
    )
    """Stage 2 by policy gradient; a check also answers for the revision that follows it."""
    iterations: int = 2
    """Stage 2 by DPO: rounds of sampling and training [5 in one stream, 1 in the chat]."""
    pairs: TrajectoryConfig = field(default_factory=TrajectoryConfig)
    """Stage 2 by DPO: sampling and pairing."""
    dpo: PreferenceConfig = field(
        default_factory=lambda: PreferenceConfig(learning_rate=1e-4, epochs=2.0)
    )
    """Stage 2 by DPO: learning [learning rate 2e-7, batch 32, beta 0.1 or 0.5, with and without
    nll]; the reference is the model after the warm-up throughout."""
    average: float = 0.0
    """Share of the trained model in a further row, whose weights are the average of warm-up and
    trained; 0 leaves it out."""


def train(config: SelfRewardingConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table.

    Raises:
        ValueError: Options that do not go together, or make no sense.
    """
    if make_protocol(config.protocol).verdict == "none":
        raise ValueError(f"protocol {config.protocol!r} asks for no verdict")
    if not 0 <= config.average < 1:
        raise ValueError(f"average is a share of at least 0 and below 1, not {config.average}")
    if config.stage2 == "dpo":
        if config.tool != "none":
            raise ValueError("--stage2 dpo knows no tools; use --stage2 pg with --tool")
        if config.history != "all":
            raise ValueError("--stage2 dpo compares whole conversations; it needs --history all")
        if config.iterations < 1 or config.pairs.responses < 2 or not config.pairs.sets:
            raise ValueError("DPO needs an iteration, two responses to compare, and a set of pairs")
    return run_recipe(SelfRewarding, config)


class SelfRewarding(Recipe):
    """The method, stage by stage."""

    config: SelfRewardingConfig

    @property
    def attempts(self) -> int:
        """Attempts per episode."""
        return self.config.max_attempts or (2 if self.protocol.verdict == "question" else 3)

    @property
    def protocol(self) -> Protocol:
        """How the model is asked."""
        return with_tool(make_protocol(self.config.protocol), self.config.tool)

    def method(self) -> str:
        """Warm-up, then policy gradient or DPO."""
        data = self.collect("rejection_sampling", self.base, self.sample)
        warm = self.imitate("warmup", self.base, data, self.config.sft)
        self.measure(WARM, warm, "warmup")
        stage2 = self.multi_turn_dpo if self.config.stage2 == "dpo" else self.policy_gradient
        title, trained = stage2(warm)
        if self.config.average:
            between = self.average("average", (trained, warm), self.config.average)
            self.measure(AVERAGED, between, "average")
        return title

    def sample(self, engine: Engine) -> list[Demonstration]:
        """Stage 1: attempts, evaluations and revisions, kept if the verifier agrees."""
        rejection, seed = self.config.rejection, self.config.seed
        problems = self.training_sample(rejection.problems, seed)
        with progress_bar("warm-up: sampling", SAMPLING_STEPS) as bar:
            demonstrations = sample_demonstrations(
                engine, problems, rejection, bar, seed, self.protocol
            )
        self.check_limits(engine.chat, demonstrations)
        return demonstrations

    def check_limits(self, chat: ChatFormat, demonstrations: Sequence[Demonstration]) -> None:
        """Refuses limits that would cut off the turns that are about to be taught."""
        config = self.config
        stage2 = config.pg if config.stage2 == "pg" else config.pairs
        turns = [turn for d in demonstrations for turn in d.episode.turns]
        usual = round(median(len(chat.encode_turn(turn)[0]) for turn in turns))
        if usual > min(config.max_new_tokens, stage2.max_new_tokens):
            option = "pg" if config.stage2 == "pg" else "pairs"
            raise ValueError(
                f"a demonstrated turn is usually {usual} tokens long; allow more with "
                f"--max-new-tokens (now {config.max_new_tokens}) and --{option}.max-new-tokens "
                f"(now {stage2.max_new_tokens}), in another folder"
            )

    def policy_gradient(self, warm: Path) -> tuple[str, Path]:
        """Stage 2: play, reward by rule, and follow the gradient."""
        config = self.config
        trained = self.reinforce(
            "policy_gradient",
            warm,
            self.training_problems(config.pg),
            self.make_env(self.attempts, config.protocol, config.reward, config.tool),
            config.pg,
        )
        self.measure(TRAINED, trained, "policy_gradient")
        return TRAINED, trained

    def multi_turn_dpo(self, warm: Path) -> tuple[str, Path]:
        """Stage 2: rounds of on-policy pairs and DPO, held to the model after the warm-up."""
        model, title = warm, WARM
        for k in range(1, self.config.iterations + 1):
            pairs, count = self.preferences(f"dpo_{k}_pairs", model, k)
            if not count:
                console.print("[yellow]no first attempt led to both ends; DPO stops here[/]")
                break
            model, title = self.learn(f"dpo_{k}", model, pairs, warm), f"after DPO {k}"
            self.measure(title, model, f"dpo_{k}")
        return title, model

    def preferences(self, name: str, model: Path, k: int) -> tuple[Path, int]:
        """A stage that plays on from first attempts; returns the file of pairs and their number."""
        config, seed = self.config.pairs, self.config.seed + k
        stage = self.run.stage(name)
        path = stage.folder / "pairs.jsonl"
        if stage.todo:
            torch.manual_seed(seed)
            problems = self.training_sample(config.problems, seed)
            make_env = self.make_env(self.attempts, self.config.protocol, self.config.reward)
            sampling = Sampling(config.temperature, 1.0, config.max_new_tokens)
            with self.engine(model) as loaded:
                engine = MeteredEngine(loaded)
                attempts = first_attempts(engine, problems, self.protocol, sampling)
                title = f"{name}: sampling"
                groups = play_on(engine, attempts, make_env, config.responses, sampling, title)
            self.show_episodes(name, [group[0].episode for group in groups[:8]], 0)
            rng = random.Random(seed)
            pairs = [
                pair
                for attempt, group in zip(attempts, groups, strict=True)
                for pair in make_pairs(attempt, group, config.sets, rng)
            ]
            write_pairs(path, pairs)
            kinds = dict(sorted(Counter(pair.kind for pair in pairs).items()))
            stage.finish(pairs=kinds, attempts=len(attempts), generated=engine.generated)
        result = stage.result
        console.print(f"pairs of {result['attempts']} first attempts: {result['pairs'] or 'none'}")
        return path, sum(result["pairs"].values())

    def learn(self, name: str, model: Path, pairs: Path, reference: Path) -> Path:
        """A stage of DPO; returns the new model's folder."""

        def load() -> list[Preference]:
            return [pair.preference for pair in read_pairs(pairs)]

        return self.prefer(name, model, load, self.config.dpo, reference)

    def measure(self, title: str, model: Path, name: str) -> None:
        """A row of the table, in the format that is trained."""
        config = self.config
        self.evaluate(title, model, name, self.attempts, config.protocol, config.tool)
