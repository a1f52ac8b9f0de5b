"""Wrappers for the native vector environment, with the names of those for one environment.

They need `SelfCorrectMathVectorEnv`, which keeps the episodes that end. With a `SyncVectorEnv` or
`AsyncVectorEnv`, wrap the environments inside it instead. `step_subset` is a method of the native
environment: turns played through it bypass the wrappers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from srenv.envs.spaces import Chat, Messages
from srenv.envs.vector import SelfCorrectMathVectorEnv
from srenv.episode import Episode
from srenv.metrics import Outcomes, summarize
from srenv.wrappers.calibration import calibration
from srenv.wrappers.chat import chat_of, chat_space
from srenv.wrappers.curriculum import BudgetLadder
from srenv.wrappers.recorder import EpisodeFile

Reset = tuple[Any, dict[str, Any]]
Step = tuple[Any, Any, Any, Any, dict[str, Any]]

__all__ = ["CalibrationStatistics", "ChatObservation", "EpisodeRecorder", "TurnBudgetCurriculum"]


class _Wrapper(VectorWrapper):  # bare: 1.1 and 1.4 differ in its type parameters
    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        core = env.unwrapped
        if not isinstance(core, SelfCorrectMathVectorEnv):
            raise TypeError(
                f"this wrapper needs srenv's native vector environment, got {type(core).__name__}; "
                "wrap the environments inside by srenv.wrappers instead"
            )
        self.core = core


class ChatObservation(_Wrapper):
    """Observes conversations as chat messages; see `srenv.wrappers.ChatObservation`.

    ``final_obs`` holds messages too, in all three autoreset modes.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], max_chars: int | None = None) -> None:
        super().__init__(env)
        space = chat_space(self.core.envs[0], max_chars)
        self._space: Chat = space
        self.single_observation_space = space
        self.observation_space = batch_space(space, self.num_envs)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Reset:
        """Starts episodes."""
        _, infos = self.env.reset(seed=seed, options=options)
        return self._chats(), infos

    def step(self, actions: Sequence[str]) -> Step:
        """Plays one turn in every environment."""
        _, rewards, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            final = np.full(self.num_envs, None, object)
            for place, episode in self.core.ended.items():
                final[place] = chat_of(episode, self._space.max_chars)
            infos = {**infos, "final_obs": final}
        return self._chats(), rewards, terminated, truncated, infos

    def _chats(self) -> tuple[Messages, ...]:
        return tuple(chat_of(env.episode, self._space.max_chars) for env in self.core.envs)


class EpisodeRecorder(_Wrapper):
    """Appends every finished episode to a JSON Lines file; see `srenv.wrappers.EpisodeRecorder`."""

    def __init__(self, env: VectorEnv[Any, Any, Any], path: str | Path, every: int = 1) -> None:
        super().__init__(env)
        self._file = EpisodeFile(path, every)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def step(self, actions: Sequence[str]) -> Step:
        """Plays one turn in every environment and records the episodes that end."""
        result: Step = self.env.step(actions)
        for episode in self.core.ended.values():
            self._file.add(episode)
        return result


class CalibrationStatistics(_Wrapper):
    """Measures the verdicts against the grades; see `srenv.wrappers.CalibrationStatistics`.

    ``infos["calibration"]`` is a dict of arrays. The mask ``infos["_calibration"]`` marks the
    environments whose episode ended in this step.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], buffer_length: int = 100) -> None:
        super().__init__(env)
        self.episodes: deque[Episode] = deque(maxlen=buffer_length)

    def step(self, actions: Sequence[str]) -> Step:
        """Plays one turn in every environment."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        infos = dict(infos)
        for place, episode in self.core.ended.items():
            self.episodes.append(episode)
            infos = self.core._add_info(infos, {"calibration": calibration(episode)}, place)
        return observations, rewards, terminated, truncated, infos

    def summary(self) -> Mapping[str, float]:
        """Returns the measures of recent episodes, by name; undefined ones are left out."""
        return summarize(Outcomes.of(self.episodes))


class TurnBudgetCurriculum(_Wrapper):
    """Raises the maximum number of attempts; see `srenv.wrappers.TurnBudgetCurriculum`.

    The episodes of all environments count together. Conversations that are running when the budget
    rises keep the budget they started with.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        budgets: Sequence[int] = (1, 2, 4),
        threshold: float = 0.7,
        window: int = 100,
    ) -> None:
        super().__init__(env)
        self.ladder = BudgetLadder(budgets, threshold, window)
        self.core.set_attr("max_attempts", self.budget)

    @property
    def budget(self) -> int:
        """Maximum number of attempts in the episodes that start next."""
        return self.ladder.budget

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Reset:
        """Starts episodes under the current budget."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return observations, self._with_budget(infos)

    def step(self, actions: Sequence[str]) -> Step:
        """Plays one turn in every environment."""
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        before = self.budget
        for episode in self.core.ended.values():
            self.ladder.add(episode)
        if self.budget != before:
            self.core.set_attr("max_attempts", self.budget)
        return observations, rewards, terminated, truncated, self._with_budget(infos)

    def _with_budget(self, infos: dict[str, Any]) -> dict[str, Any]:
        budgets = np.array(
            [env.conversation.rules.max_attempts for env in self.core.envs], np.int64
        )
        return {**infos, "turn_budget": budgets, "_turn_budget": np.ones(self.num_envs, np.bool_)}
