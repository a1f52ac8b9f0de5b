"""Scripted turns as discrete actions, for agents without a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from srenv.domains import find_domain
from srenv.wrappers.common import core

Features = NDArray[np.float32]

ARMS = (
    "{guess}\n[VERIFY] correct",
    "{guess}\n[VERIFY] wrong",
    "{guess}\n[VERIFY] {honest}",
    "{wrong}\n[VERIFY] {honest}",
    "I do not know.",
)
"""Declare at once, never declare, follow the check, fail on purpose, and give no answer."""


class BanditView(gym.Wrapper[Features, SupportsInt, str, str], RecordConstructorArgs):
    r"""Discrete actions that play scripted turns, and a few numbers as observation.

    Learners that know neither text nor language models (Stable-Baselines3, CleanRL) can be tried
    on the decisions of self-correction: when to stop, and what verdict to give. Action k plays
    ``arms[k]``, a template with these fields:

    * ``{answer}``: an attempt with the gold answer, in the form of the problem's domain;
    * ``{wrong}``: an attempt with a wrong answer;
    * ``{guess}``: the first with probability `skill`, else the second;
    * ``{honest}``: ``correct`` or ``wrong``, as a check with accuracy `check` says of the turn's
      answer.

    Arms that end in a ``[VERIFY]`` line are played in the words of the environment's protocol.

    The observation is ``[share of attempts used, last verdict was "wrong", last turn malformed]``,
    each in [0, 1]. The text that was played is in ``info["turn_text"]``.

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
            _fill(arm, answer="", wrong="", guess="", honest="")  # refuses unknown fields
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
        text = self._turn(self.arms[arm], bool(lucky), bool(sees))
        _, reward, terminated, truncated, info = self.env.step(text)  # type: ignore[arg-type]
        info = {**info, "turn_text": text}
        return self._features(), float(reward), terminated, truncated, info

    def _turn(self, arm: str, lucky: bool, sees: bool) -> str:
        conversation = core(self.env).conversation
        problem = conversation.problem
        domain = find_domain(problem.domain)
        answer = domain.write(problem.answer)
        wrong = domain.write(next(domain.perturb(problem, []))[1])
        # The check looks at the answer that the arm gives; an arm without a guess gives `wrong`
        # or `answer` as it says.
        right = lucky if "{guess}" in arm else "{answer}" in arm
        text = _fill(
            arm,
            answer=answer,
            wrong=wrong,
            guess=answer if lucky else wrong,
            honest="correct" if right == sees else "wrong",
        )
        return conversation.rules.protocol.phrase(text)

    def _features(self) -> Features:
        conversation = core(self.env).conversation
        turns = conversation.episode.turns
        used = min(len(turns) / conversation.rules.max_attempts, 1.0)
        doubted = bool(turns) and turns[-1].verdict == "wrong"
        malformed = bool(turns) and bool(turns[-1].malformed)
        return np.array([used, doubted, malformed], np.float32)


def _fill(arm: str, **fields: str) -> str:
    try:
        return arm.format(**fields)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"arm {arm!r} is not a template of {{answer}}, {{wrong}}, {{guess}}, {{honest}} "
            f"(braces of the text itself are doubled): {error!r}"
        ) from error
