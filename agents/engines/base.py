"""The interface of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.chat import ChatFormat


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus; 1 samples from the full distribution, which training requires.
        max_new_tokens: Greatest length of one turn.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise ValueError(
                "sampling needs temperature >= 0, 0 < top_p <= 1 and max_new_tokens >= 1, "
                f"got {self}"
            )


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated turn.

    Attributes:
        ids: The sampled ids, the one that ended the turn included.
        logprobs: Log-probability of each id at the sampling temperature (at 1 when greedy).
    """

    ids: list[int]
    logprobs: list[float]


class Engine(Protocol):
    """Generates turns."""

    chat: ChatFormat

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Generation]:
        """Continues every prompt up to a stop id or the limit, in the order given."""
        ...
