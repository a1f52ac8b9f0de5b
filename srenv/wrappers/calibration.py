"""Calibration statistics: how well the verdicts of recent episodes agree with the grades."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.episode import Episode
from srenv.metrics import Outcomes, summarize
from srenv.wrappers.common import core


class CalibrationStatistics(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    r"""Measures how well the verdicts agree with the grades, per episode and over recent ones.

    The counterpart of `gymnasium.wrappers.RecordEpisodeStatistics`: the last step of an episode
    has ``info["calibration"]`` with

    * `verdicts`: number of readable verdicts on attempts with a decided grade (int),
    * `agreement`: share of them that agree with the grade (float, 0 without verdicts),
    * `brier`: mean squared distance of the stated confidence from the grade (float, 0 without
      verdicts),
    * `final_correct`: whether the final answer is right (bool).

    `summary` pools recent episodes into the measures of `srenv.metrics`.

    Args:
        env: A self-correction environment.
        buffer_length: Number of recent episodes that `summary` pools.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = CalibrationStatistics(gym.make("SelfCorrectMath-v0"))
        >>> _ = env.reset(seed=0)
        >>> *_, info = env.step("\\boxed{0}\n[VERIFY] correct (0.5)")
        >>> info["calibration"]
        {'verdicts': 1, 'agreement': 0.0, 'brier': 0.25, 'final_correct': False}
    """

    def __init__(self, env: gym.Env[str, str], buffer_length: int = 100) -> None:
        RecordConstructorArgs.__init__(self, buffer_length=buffer_length)
        gym.Wrapper.__init__(self, env)
        core(env)
        self.episodes: deque[Episode] = deque(maxlen=buffer_length)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one turn."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            episode = core(self.env).episode
            self.episodes.append(episode)
            info = {**info, "calibration": calibration(episode)}
        return observation, float(reward), terminated, truncated, info

    def summary(self) -> dict[str, float]:
        """Returns the measures of recent episodes, by name; undefined ones are left out."""
        return summarize(Outcomes.of(self.episodes))


def calibration(episode: Episode) -> dict[str, Any]:
    """Returns the calibration of one episode, as `CalibrationStatistics` reports it."""
    pairs = [
        (turn.stated_confidence, turn.correct, turn.verdict == "correct")
        for turn in episode.turns
        if turn.stated_confidence is not None and turn.correct is not None
    ]
    count = max(len(pairs), 1)
    return {
        "verdicts": len(pairs),
        "agreement": sum(says == right for _, right, says in pairs) / count,
        "brier": sum((stated - right) ** 2 for stated, right, _ in pairs) / count,
        "final_correct": episode.final.correct is True,
    }
