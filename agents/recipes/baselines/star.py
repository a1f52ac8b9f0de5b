"""STaR for self-correction (Kumar et al. 2024, section 4; RAFT in Xiong et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from agents.engines import Engine, Sampling
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rollouts.evaluation import complete, play_problems, repeated
from agents.training.sft import Demonstration, SftConfig, whole_turns
from srenv.episode import Episode
from srenv.metrics import Metrics


@dataclass(frozen=True)
class StarConfig(RecipeConfig):
    """STaR for self-correction; the value of Kumar et al. in brackets."""

    output: Path = Path("runs/star")
    """The run's folder."""
    iterations: int = 3
    """Rounds of sampling; each fine-tunes the base model from the start [3]."""
    sampled: int = 1500
    """Training problems per iteration."""
    samples: int = 4
    """Conversations of two attempts per problem."""
    keep_right: bool = False
    """Also learn from conversations that are right twice (STaR+)."""
    temperature: float = 1.0
    """Of the samples."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning, in each iteration."""


def train(config: StarConfig) -> dict[str, Metrics]:
    """Imitates the model's own conversations in which the second attempt repairs the first."""
    return run_recipe(Star, config)


class Star(Recipe):
    """Sample, keep, imitate, and again with the better model."""

    config: StarConfig

    def method(self) -> str:
        """Every iteration samples with the newest model and fine-tunes the base."""
        sampler: str | Path = self.base
        for k in range(1, self.config.iterations + 1):
            data = self.collect(f"iteration_{k}_data", sampler, partial(self.sample, k=k))
            sampler = self.imitate(f"iteration_{k}", self.base, data, self.config.sft)
            self.evaluate(f"iteration {k}", sampler, f"iteration_{k}", 2, "intrinsic")
        return f"iteration {self.config.iterations}"

    def sample(self, engine: Engine, k: int) -> list[Demonstration]:
        """Conversations of two attempts whose second is right."""
        config = self.config
        seed = config.seed + k
        problems = self.training_sample(config.sampled, seed)
        episodes = play_problems(
            engine,
            repeated(problems, config.samples),
            Sampling(config.temperature, 1.0, config.max_new_tokens),
            f"iteration {k}: sampling",
            max_attempts=2,
            protocol="intrinsic",
            seed=seed,
            max_turn_chars=config.max_turn_chars,
        )
        return repairs(complete(episodes), config.keep_right)


def repairs(episodes: Sequence[Episode], keep_right: bool) -> list[Demonstration]:
    """Demonstrations of episodes whose second attempt is right; only right attempts are learned.

    The same two attempts at the same problem count once.
    """
    demonstrations: dict[tuple[str, ...], Demonstration] = {}
    for episode in episodes:
        first, second = episode.turns
        first_grades = (True, False) if keep_right else (False,)
        if second.correct is not True or first.correct not in first_grades:
            continue
        learned = (0, 1) if first.correct else (1,)
        kind = "right, right" if first.correct else "wrong, right"
        key = (episode.problem.id, first.text, second.text)
        demonstrations[key] = Demonstration(episode, whole_turns(*learned), kind)
    return list(demonstrations.values())
