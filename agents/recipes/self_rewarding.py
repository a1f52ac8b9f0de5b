"""Self-rewarding correction (Xiong et al. 2025, arXiv 2502.19613).

One model attempts, judges itself, revises, and decides when to stop. Stage 1 teaches the pattern
by sequential rejection sampling and fine-tuning on the model's own samples (section 3.1); stage 2
is policy gradient with rule-based rewards (section 3.2), here with turn-local credit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.engines import Engine
from agents.environments import Tool, with_tool
from agents.progress import progress_bar
from agents.recipes.base import BASE, MAJORITY, REVISED, Recipe, RecipeConfig, run_recipe
from agents.rejection import SAMPLING_STEPS, RejectionConfig, sample_demonstrations
from agents.sft import Demonstration, SftConfig
from agents.trainer import PolicyGradientConfig
from srenv.metrics import Metrics
from srenv.protocol import PROTOCOLS

WARM, TRAINED = "after warm-up", "after policy gradient"
AVERAGED = "average of both"
ROWS = (BASE, REVISED, MAJORITY, WARM, TRAINED)
"""Rows of the table, in its order."""


@dataclass(frozen=True)
class SelfRewardingConfig(RecipeConfig):
    """Self-rewarding correction, from a base model to a trained one."""

    output: Path = Path("runs/self_rewarding")
    """The run's folder."""
    max_attempts: int = 3
    """Attempts per episode, one more than in the demonstrations and in the paper."""
    reward: str = "default"
    """Reward preset, or term=weight,... (see srenv.rewards)."""
    tool: Tool = "none"
    """A tool that the model may call inside a turn: none or calculator."""
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    """Stage 1: sampling."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Stage 1: fine-tuning."""
    pg: PolicyGradientConfig = field(default_factory=PolicyGradientConfig)
    """Stage 2: policy gradient."""
    average: float = 0.0
    """Share of the trained model in a further row, whose weights are the average of warm-up and
    trained; 0 leaves it out."""


def train(config: SelfRewardingConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table.

    Raises:
        ValueError: `average` is no share.
    """
    if not 0 <= config.average < 1:
        raise ValueError(f"average is a share of at least 0 and below 1, not {config.average}")
    return run_recipe(SelfRewarding, config)


class SelfRewarding(Recipe):
    """The method, stage by stage."""

    config: SelfRewardingConfig

    def method(self) -> str:
        """Warm-up, then policy gradient."""
        config = self.config
        data = self.collect("rejection_sampling", self.base, self.sample)
        warm = self.imitate("warmup", self.base, data, config.sft)
        self.evaluate(WARM, warm, "warmup", config.max_attempts, tool=config.tool)
        trained = self.reinforce(
            "policy_gradient",
            warm,
            self.training_problems(config.pg),
            self.make_env(config.max_attempts, "default", config.reward, config.tool),
            config.reward,
            config.pg,
        )
        self.evaluate(TRAINED, trained, "policy_gradient", config.max_attempts, tool=config.tool)
        if config.average:
            between = self.average("average", (trained, warm), config.average)
            self.evaluate(AVERAGED, between, "average", config.max_attempts, tool=config.tool)
        return TRAINED

    def sample(self, engine: Engine) -> list[Demonstration]:
        """Stage 1: attempts, evaluations and revisions, kept where the verifier agrees."""
        rejection, seed = self.config.rejection, self.config.seed
        problems = self.train_source.take(rejection.problems, seed)
        with progress_bar("warm-up: sampling", SAMPLING_STEPS) as bar:
            return sample_demonstrations(
                engine,
                problems,
                rejection,
                bar,
                seed,
                with_tool(PROTOCOLS["default"], self.config.tool),
            )
