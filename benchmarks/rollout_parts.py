"""What the benchmark of rollouts measures with: the environment, a clock, rows of the table."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
from targets import Row

TURNS = 4


def make_env(attempts: int = TURNS) -> gym.Env[str, str]:
    """The environment as it is by default, with a maximum number of attempts."""
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=attempts)


class Clock:
    """Seconds spent in functions, by name; threads are added up."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def clear(self) -> None:
        """Starts again."""
        self.seconds.clear()
        self.calls.clear()

    @contextlib.contextmanager
    def watch(self, name: str, owner: Any, function: str) -> Iterator[None]:
        """Times every call of a function while the block runs."""
        original = getattr(owner, function)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began
                self.calls[name] += 1

        setattr(owner, function, timed)
        try:
            yield
        finally:
            setattr(owner, function, original)


def ratio(what: str, ours: list[float], theirs: list[float], target: float) -> Row:
    """Medians of two rates in tokens a second, and of their ratio."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = statistics.median(ratios)
    return Row(
        what,
        f"{statistics.median(ours):,.0f} / {statistics.median(theirs):,.0f} tokens a second = "
        f"{middle:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
        f">= {target}x",
        middle >= target,
    )


def split(seconds: Counter[str]) -> str:
    """Seconds by name, the most first."""
    return ", ".join(f"{name} {value:.2f} s" for name, value in seconds.most_common())
