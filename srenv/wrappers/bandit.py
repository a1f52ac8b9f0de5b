"""Canned attempts for agents that know only numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from srenv.wrappers.common import core

Features = NDArray[np.float32]

ARMS = (
    "\\boxed{{{guess}}}\n[VERIFY] correct",
    "\\boxed{{{guess}}}\n[VERIFY] wrong",
    "\\boxed{{{guess}}}\n[VERIFY] {honest}",
    "\\boxed{{{wrong}}}\n[VERIFY] {honest}",
    "I do not know.",
)
"""Declare at once, never declare, judge by the check, fail on purpose, say nothing."""


class BanditView(gym.Wrapper[Features, SupportsInt, str, str], RecordConstructorArgs):
    r"""Discrete actions over canned attempts, and a few numbers as observation.

    Learners that know neither text nor language models (Stable-Baselines3, CleanRL) can be tried
    on the decisions of self-correction: when to stop, what to say of oneself. Action k plays
    ``arms[k]``, a template with these fields:

    * ``{answer}``: the gold answer;
    * ``{wrong}``: another answer;
    * ``{guess}``: the gold answer with probability `skill`, else another one;
    * ``{honest}``: ``correct`` or ``wrong``, what a check with accuracy `check` says of the turn's
      answer.

    Arms that end in a ``[VERIFY]`` line are played in the words of the environment's protocol.

    The observation is ``[share of attempts used, last verdict was "wrong", last turn malformed]``,
    each in [0, 1]. The text that was played stands in ``info["turn_text"]``.

    Args:
        env: A self-correction environment.
        arms: Templates of turns.
        skill: Probability that ``{guess}`` is right.
        check: Probability that ``{honest}`` is true.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = BanditView(gym.make("SelfCorrectMath-v0"), skill=1.0, check=1.0)
        >>> env.reset(seed=0)[0]
        array([0., 0., 0.], dtype=float32)
        >>> _, reward, terminated, _, info = env.step(2)
        >>> reward, terminated, info["correct"]
        (1.0, True, True)
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        arms: Sequence[str] = ARMS,
        skill: float = 0.5,
        check: float = 0.9,
    ) -> None:
        RecordConstructorArgs.__init__(self, arms=list(arms), skill=skill, check=check)
        gym.Wrapper.__init__(self, env)  # type: ignore[misc]  # other types than it wraps
        core(env)
        if not arms:
            raise ValueError("a bandit needs at least one arm")
        if not (0 <= skill <= 1 and 0 <= check <= 1):
            raise ValueError(f"skill and check are probabilities, got {skill}, {check}")
        self.arms = tuple(arms)
        self.skill = skill
        self.check = check
        for arm in self.arms:
            self._fill(arm, "1", True, True)  # a template with unknown fields is refused here
        self.action_space = Discrete(len(arms))
        self.observation_space = Box(0.0, 1.0, (3,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Starts an episode."""
        _, info = self.env.reset(seed=seed, options=options)
        return self._features(), {**info, "turn_text": ""}

    def step(self, action: SupportsInt) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Plays the arm of that number."""
        arm = int(action)
        if not 0 <= arm < len(self.arms):
            raise InvalidAction(f"there are arms 0 to {len(self.arms) - 1}, got {arm}")
        # Two draws whatever the arm: what one arm does leaves the luck of the next as it is.
        lucky, sees = self.env.unwrapped.np_random.random(2) < (self.skill, self.check)
        text = self._fill(
            self.arms[arm], core(self.env).episode.problem.answer, bool(lucky), bool(sees)
        )
        text = core(self.env).protocol.phrase(text)
        _, reward, terminated, truncated, info = self.env.step(text)  # type: ignore[arg-type]
        info = {**info, "turn_text": text}
        return self._features(), float(reward), terminated, truncated, info

    def _fill(self, arm: str, gold: str, lucky: bool, sees: bool) -> str:
        wrong = _another(gold)
        guess = gold if lucky else wrong
        # The check looks at the answer that the arm gives; an arm without a guess gives `wrong`
        # or `answer` as it says.
        right = lucky if "{guess}" in arm else "{answer}" in arm
        honest = "correct" if right == sees else "wrong"
        try:
            return arm.format(answer=gold, wrong=wrong, guess=guess, honest=honest)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"arm {arm!r} is no template of {{answer}}, {{wrong}}, {{guess}}, {{honest}} "
                f"(braces of the text itself are doubled): {error!r}"
            ) from error

    def _features(self) -> Features:
        conversation = core(self.env).conversation
        turns = conversation.episode.turns
        used = min(len(turns) / conversation.rules.max_attempts, 1.0)
        doubted = bool(turns) and turns[-1].verdict == "wrong"
        malformed = bool(turns) and bool(turns[-1].malformed)
        return np.array([used, doubted, malformed], np.float32)


def _another(gold: str) -> str:
    """An answer that is not the gold one."""
    integer = gold.removeprefix("-").isdecimal() and len(gold) < 100
    return str(int(gold) + 1) if integer else "-987654321"
