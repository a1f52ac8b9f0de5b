"""SCoRe: self-correction by two stages of multi-turn RL (Kumar et al. 2024, arXiv 2409.12917).

Two attempts, always; the request between them is silent about correctness, and no verdict is asked
for. Rewarding both attempts from the start makes the model put its best answer first and leave it
be. Stage I therefore rewards the second attempt alone, while a strong KL to the base model holds
the first attempt in place (section 5.1). Stage II rewards both attempts and adds to the second
``alpha * (r_2 - r_1)``, so that repairing is worth more than repeating (section 5.2). Each attempt
answers for its own reward alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.engines import Sampling
from agents.engines.metered import MeteredEngine
from agents.recipes.base import Recipe, RecipeConfig, run_recipe
from agents.rollouts.evaluation import complete, play_problems
from agents.rollouts.player import EnvFactory
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.episode import Problem
from srenv.json_files import write_json
from srenv.metrics import Metrics
from srenv.records import read_json

PROTOCOL, ATTEMPTS = "intrinsic", 2


@dataclass(frozen=True)
class ScoreConfig(RecipeConfig):
    """SCoRe, from a base model to a trained one; the paper's values for MATH in brackets."""

    output: Path = Path("runs/score")
    """The run's folder."""
    alpha: float = 10.0
    """Weight of the progress bonus in stage II [10]; 0 leaves it out."""
    stage1: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(
            steps=40, kl=0.01, first_kl=0.1, scale_roles=False
        )
    )
    """Stage I [kl 0.01, first_kl 0.1]; 0 steps skips the stage."""
    stage2: PolicyGradientConfig = field(
        default_factory=lambda: PolicyGradientConfig(steps=70, kl=0.01, scale_roles=False)
    )
    """Stage II [kl 0.01]; the paper gives 3,000 steps of 512 to both stages together."""
    rounds: int = 1
    """How many times the two stages take turns, their steps divided among the rounds [1]."""
    offline: float = 0.0
    """Share of stage II's problems whose first attempt the base model made beforehand."""


def train(config: ScoreConfig) -> dict[str, Metrics]:
    """Runs the recipe and returns the rows of its table.

    Raises:
        ValueError: The stages cannot be divided into the rounds, or `offline` is no share.
    """
    steps = config.stage1.steps, config.stage2.steps
    if config.rounds < 1 or any(s % config.rounds for s in steps) or not any(steps):
        raise ValueError(f"{config.rounds} rounds do not divide the stages' steps, {steps}")
    if not 0 <= config.offline <= 1:
        raise ValueError(f"offline is a share between 0 and 1, not {config.offline}")
    return run_recipe(Score, config)


class Score(Recipe):
    """The method, stage by stage."""

    config: ScoreConfig

    def method(self) -> str:
        """Stage I and stage II, once or in turns; the reference is the base model throughout."""
        policy: str | Path = self.base
        for turn in range(1, self.config.rounds + 1):
            suffix = f"_{turn}" if self.config.rounds > 1 else ""
            if self.config.stage1.steps:
                policy = self.stage1(policy, turn, suffix)
                self.evaluate(
                    f"after stage I{suffix}", policy, f"stage1{suffix}", ATTEMPTS, PROTOCOL
                )
            if self.config.stage2.steps:
                policy = self.stage2(policy, turn, suffix)
                self.evaluate(
                    f"after stage II{suffix}", policy, f"stage2{suffix}", ATTEMPTS, PROTOCOL
                )
        return list(self.rows)[-1]

    def stage1(self, policy: str | Path, turn: int, suffix: str) -> Path:
        """Rewards the second attempt; holds the first to the base model."""
        config = self.share(self.config.stage1)
        problems = self.training_problems(config, offset=2 * turn - 1)
        make_env = self.make_env(ATTEMPTS, PROTOCOL, "score_stage1")
        return self.reinforce(f"stage1{suffix}", policy, problems, make_env, config, self.base)

    def stage2(self, policy: str | Path, turn: int, suffix: str) -> Path:
        """Rewards both attempts, and progress from one to the other."""
        config = self.share(self.config.stage2)
        problems = self.training_problems(config, offset=2 * turn)
        reward = f"correctness=1,progress={self.config.alpha}"
        make_env = self.make_env(ATTEMPTS, PROTOCOL, reward)
        if self.config.offline:
            make_env = self.begun(make_env, problems, f"offline_attempts{suffix}")
        return self.reinforce(f"stage2{suffix}", policy, problems, make_env, config, self.base)

    def share(self, config: PolicyGradientConfig) -> PolicyGradientConfig:
        """One round's part of a stage."""
        return replace(config, steps=config.steps // self.config.rounds)

    def begun(self, make_env: EnvFactory, problems: list[Problem], name: str) -> EnvFactory:
        """Environments in which a share of the problems starts after the base model's attempt."""
        begun_problems = problems[: round(self.config.offline * len(problems))]
        path = self.run.directory / name / "attempts.json"

        stage = self.run.stage(name)
        if stage.todo:
            config = self.config.stage2
            with self.engine(self.base) as loaded:
                engine = MeteredEngine(loaded)
                episodes = play_problems(
                    engine,
                    begun_problems,
                    Sampling(config.temperature, 1.0, config.max_new_tokens),
                    "off-line first attempts",
                    max_attempts=1,
                    protocol=PROTOCOL,
                    seed=self.config.seed,
                    max_turn_chars=self.config.max_turn_chars,
                )
            write_json(path, {e.problem.id: e.final.text for e in complete(episodes)})
            stage.finish(attempts=len(episodes), generated=engine.generated)
        _ = stage.result  # other processes wait for it
        attempts: dict[str, str] = read_json(path, dict[str, str])
        return lambda: FirstAttempts(make_env(), attempts)


class FirstAttempts(gym.Wrapper[str, str, str, str]):
    """Plays a known first attempt at reset, so that the policy begins with the second.

    Args:
        env: A `SelfCorrectEnv`, wrapped or not.
        attempts: First attempts by problem id; other problems start as usual.
    """

    def __init__(self, env: gym.Env[str, str], attempts: Mapping[str, str]) -> None:
        super().__init__(env)
        self.attempts = attempts

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode, after its first attempt if that is known."""
        observation, info = self.env.reset(seed=seed, options=options)
        attempt = self.attempts.get(info["problem_id"])
        if attempt is not None:
            observation, _, _, _, info = self.env.step(attempt)
        return observation, info
