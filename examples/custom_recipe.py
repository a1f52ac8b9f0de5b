"""A recipe of your own: one dataclass, one class, one function.

Learn from your own right first attempts (rejection sampling).

    PYTHONPATH=examples srenv train custom_recipe:train
    PYTHONPATH=examples python benchmarks/methods.py --methods star score custom_recipe:train
"""

from dataclasses import dataclass, field
from pathlib import Path

from agents.engines import Engine, Sampling
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rollouts.evaluation import play_problems
from agents.training.sft import Demonstration, SftConfig
from srenv.metrics import Metrics


@dataclass(frozen=True)
class Config(RecipeConfig):
    """The options: those of every recipe, and two more."""

    output: Path = Path("runs/custom")
    """The run's folder."""
    sampled: int = 2000
    """Training problems."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning."""


class RightAttempts(Recipe):
    """What happens, stage by stage; a killed run resumes after its last finished stage."""

    config: Config

    def method(self) -> str:
        """Samples, fine-tunes, evaluates; returns the title of the row that is the result."""
        data = self.collect("attempts", self.base, self.sample)
        trained = self.imitate("sft", self.base, data, self.config.sft)
        self.evaluate("after SFT", trained, "sft", max_attempts=2, protocol="intrinsic")
        return "after SFT"

    def sample(self, engine: Engine) -> list[Demonstration]:
        """Whole first attempts that the verifier accepts."""
        problems = self.training_sample(self.config.sampled, self.config.seed)
        sampling = Sampling(max_new_tokens=self.config.max_new_tokens)
        episodes = play_problems(
            engine,
            problems,
            sampling,
            "attempts",
            max_attempts=1,
            protocol="intrinsic",
            seed=self.config.seed,
        )
        whole = frozenset({(0, "attempt"), (0, "verdict")})
        return [Demonstration(e, whole, "right") for e in episodes if e.final.correct]


def train(config: Config) -> dict[str, Metrics]:
    """The recipe: a function of its options."""
    return run_recipe(RightAttempts, config)
