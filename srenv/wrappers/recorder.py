"""Recording of finished episodes to a JSON Lines file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.episode import Episode
from srenv.wrappers.common import core


class EpisodeRecorder(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    r"""Appends every finished episode to a JSON Lines file that `srenv.read_episodes` reads.

    The text counterpart of `gymnasium.wrappers.RecordVideo`. Each line is appended by one system
    call when its episode ends, so several environments and processes may share a file, and a run
    that is killed keeps its finished episodes.

    Args:
        env: A self-correction environment.
        path: The file; its folder is created, and an existing file is appended to.
        every: Record every n-th episode, starting with the first.
        unfinished: Also record episodes that `reset` or `close` cuts short (`ending` is "running").

    Example:
        >>> import gymnasium as gym, srenv, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     env = EpisodeRecorder(gym.make("SelfCorrectMath-v0"), f"{folder}/episodes.jsonl")
        ...     _ = env.reset(seed=0)
        ...     _ = env.step("\\boxed{1}\n[VERIFY] correct")
        ...     [episode.ending for episode in srenv.read_episodes(env.path)]
        ['declared']
    """

    def __init__(
        self,
        env: gym.Env[str, str],
        path: str | Path,
        every: int = 1,
        unfinished: bool = False,
    ) -> None:
        RecordConstructorArgs.__init__(self, path=str(path), every=every, unfinished=unfinished)
        gym.Wrapper.__init__(self, env)
        core(env)
        self.unfinished = unfinished
        self._file = EpisodeFile(path, every)
        self._running = False

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode."""
        self._leave()
        result = self.env.reset(seed=seed, options=options)
        self._running = True
        return result

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Plays one turn and records the episode if it ends."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            self._running = False
            episode = core(self.env).episode
            if episode.ending == "running":  # a wrapper has ended it, such as `TimeLimit`
                episode = replace(episode, ending="truncated" if truncated else "terminated")
            self._file.add(episode)
        return observation, float(reward), terminated, truncated, info

    def close(self) -> None:
        """Closes the environment; records an unfinished episode if `unfinished` is set."""
        self._leave()
        super().close()

    def _leave(self) -> None:
        if self._running and self.unfinished and core(self.env).episode.turns:
            self._file.add(core(self.env).episode)
        self._running = False


class EpisodeFile:
    """A JSON Lines file that episodes are appended to.

    Raises:
        ValueError: `every` is below 1.
    """

    def __init__(self, path: str | Path, every: int) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        # Absolute, because a worker or an unpickled copy may run in another folder.
        self.path = Path(path).expanduser().absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._every = every
        self._seen = 0

    def add(self, episode: Episode) -> None:
        """Appends an episode, unless `every` skips it."""
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        line = (json.dumps(episode.to_json(), ensure_ascii=True) + "\n").encode()
        # Opened for every line, so that there is no handle to lose in a fork, a pickle or a crash.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            while line:
                line = line[os.write(file, line) :]
        finally:
            os.close(file)
