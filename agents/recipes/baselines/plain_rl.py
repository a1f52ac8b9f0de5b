"""Policy gradient on correctness alone, no stages, no shaping (Kumar et al. 2024, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.metrics import Metrics


@dataclass(frozen=True)
class PlainRlConfig(RecipeConfig):
    """Policy gradient on correctness alone: direct multi-turn, or single-turn RL."""

    output: Path = Path("runs/plain_rl")
    """The run's folder."""
    max_attempts: int = 2
    """Attempts per episode, each rewarded for being right; 1 is single-turn RL."""
    pg: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(kl=0.01, scale_roles=False)
    )
    """Policy gradient; a KL as in SCoRe, of which this is what remains without its two ideas."""


def train(config: PlainRlConfig) -> dict[str, Metrics]:
    """Trains on the correctness of every attempt, without stages and without shaping."""
    return run_recipe(PlainRl, config)


class PlainRl(Recipe):
    """One stage."""

    config: PlainRlConfig

    def method(self) -> str:
        """Policy gradient from the base model."""
        config = self.config
        problems = self.training_problems(config.pg)
        make_env = self.make_env(config.max_attempts, "intrinsic", "correctness=1")
        trained = self.reinforce("rl", self.base, problems, make_env, config.pg)
        self.evaluate("after RL", trained, "rl", config.max_attempts, "intrinsic")
        return "after RL"
