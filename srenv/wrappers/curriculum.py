"""A curriculum: more attempts as the agent gets better."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.episode import Episode
from srenv.wrappers.common import core


class TurnBudgetCurriculum(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    r"""Raises the maximum number of attempts as the agent gets better.

    Starts with the first of `budgets`, numbers of attempts. When at least a share `threshold` of
    the last `window` episodes under one budget has a right final answer, the next episode has the
    next budget. Every `info` reports the budget as ``turn_budget``; observations never do.

    Args:
        env: A self-correction environment; its own `max_attempts` is overridden.
        budgets: Maximum numbers of attempts, rising.
        threshold: Share of right final answers that raises the budget, in [0, 1].
        window: Number of recent episodes that the share is taken over.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = TurnBudgetCurriculum(gym.make("SelfCorrectMath-v0"), (1, 3), 0.0, window=1)
        >>> _, before = env.reset(seed=0)
        >>> _ = env.step("\\boxed{1}\n[VERIFY] wrong")
        >>> _, after = env.reset()
        >>> before["turn_budget"], after["turn_budget"]
        (1, 3)
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        budgets: Sequence[int] = (1, 2, 4),
        threshold: float = 0.7,
        window: int = 100,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, budgets=list(budgets), threshold=threshold, window=window
        )
        gym.Wrapper.__init__(self, env)
        core(env)
        self.ladder = BudgetLadder(budgets, threshold, window)

    @property
    def budget(self) -> int:
        """Maximum number of attempts in the next episode."""
        return self.ladder.budget

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode under the current budget."""
        core(self.env).max_attempts = self.budget
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, {**info, "turn_budget": self.budget}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one turn."""
        budget = core(self.env).max_attempts
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            self.ladder.add(core(self.env).episode)
        info = {**info, "turn_budget": budget}
        return observation, float(reward), terminated, truncated, info


class BudgetLadder:
    """The current budget, raised by successful episodes.

    Raises:
        ValueError: The budgets are empty, below 1 or not rising, the threshold lies outside
            [0, 1], or the window is empty.
    """

    def __init__(self, budgets: Sequence[int], threshold: float, window: int) -> None:
        if not budgets or min(budgets) < 1 or list(budgets) != sorted(set(budgets)):
            raise ValueError(f"budgets must be rising numbers of at least 1, got {list(budgets)}")
        if not 0 <= threshold <= 1 or window < 1:
            raise ValueError(
                f"threshold must lie in [0, 1] and window be positive, got {threshold}, {window}"
            )
        self._budgets = tuple(budgets)
        self._threshold = threshold
        self._recent: deque[bool] = deque(maxlen=window)
        self._stage = 0

    @property
    def budget(self) -> int:
        """Maximum number of attempts in the next episode."""
        return self._budgets[self._stage]

    def add(self, episode: Episode) -> None:
        """Counts a finished episode; an ungraded one is ignored."""
        if not episode.graded:
            return
        self._recent.append(episode.final.correct is True)
        full = len(self._recent) == self._recent.maxlen
        good = sum(self._recent) >= self._threshold * len(self._recent)
        if full and good and self._stage + 1 < len(self._budgets):
            self._stage += 1
            self._recent.clear()
