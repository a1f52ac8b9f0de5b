"""Pair-SFT: imitation of synthetic repairs (Kumar et al. 2024, section 4)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from agents.engines import Engine, Sampling
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rollouts.evaluation import complete, play_problems, repeated
from agents.training.sft import Demonstration, SftConfig, whole_turns
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode
from srenv.metrics import Metrics
from srenv.protocol import PROTOCOLS

ASKED = PROTOCOLS["intrinsic"]


@dataclass(frozen=True)
class PairSftConfig(RecipeConfig):
    """Pair-SFT: wrong attempts, each followed by a right one as if it were a repair."""

    output: Path = Path("runs/pair_sft")
    """The run's folder."""
    sampled: int = 1500
    """Training problems."""
    samples: int = 8
    """Attempts per problem."""
    keep_right: bool = False
    """Also pair right attempts with right ones (Pair-SFT+)."""
    temperature: float = 1.0
    """Of the samples."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Fine-tuning."""


def train(config: PairSftConfig) -> dict[str, Metrics]:
    """Imitates made-up repairs: a wrong attempt, then a right one from another sample."""
    return run_recipe(PairSft, config)


class PairSft(Recipe):
    """Sample attempts, pair them, imitate."""

    config: PairSftConfig

    def method(self) -> str:
        """One round."""
        data = self.collect("pairs", self.base, self.sample)
        trained = self.imitate("sft", self.base, data, self.config.sft)
        self.evaluate("after SFT", trained, "sft", 2, "intrinsic")
        return "after SFT"

    def sample(self, engine: Engine) -> list[Demonstration]:
        """Single attempts, paired problem by problem."""
        config = self.config
        problems = self.training_sample(config.sampled, config.seed)
        single = play_problems(
            engine,
            repeated(problems, config.samples),
            Sampling(config.temperature, 1.0, config.max_new_tokens),
            "sampling",
            max_attempts=1,
            protocol="intrinsic",
            seed=config.seed,
            max_turn_chars=config.max_turn_chars,
        )
        rng = random.Random(config.seed)
        groups = groupby(complete(single), lambda episode: episode.problem.id)
        return [d for _, group in groups for d in paired(list(group), rng, config.keep_right)]


def paired(group: Sequence[Episode], rng: random.Random, keep_right: bool) -> list[Demonstration]:
    """Pairs each distinct wrong attempt at one problem with a right one drawn at random."""
    first = group[0]
    attempts = {episode.final.text: episode.final.correct for episode in group}
    right = [text for text, correct in attempts.items() if correct]
    demonstrations = []
    for text, correct in attempts.items():
        if not right or correct is None or (correct and not keep_right):
            continue
        rules = Rules(ASKED, 2)
        conversation = Conversation(first.problem, rules)
        conversation.step(text)
        conversation.step(rng.choice(right))
        kind = "right, right" if correct else "wrong, right"
        demonstrations.append(Demonstration(conversation.episode, whole_turns(1), kind))
    return demonstrations
