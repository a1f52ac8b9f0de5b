"""Rows of a comparison: a file of episodes, and the way in which it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from srenv.episode import Episode, read_episodes
from srenv.metrics import Outcomes, any_turn, outcomes, turn_votes, vote_outcomes


def votes(episodes: Iterable[Episode]) -> Outcomes:
    """maj@k over single-attempt episodes; those of one problem stand one after the other."""
    return vote_outcomes(list(group) for _, group in groupby(episodes, lambda e: e.problem.id))


READINGS: dict[str, Callable[[Iterable[Episode]], Outcomes]] = {
    "final": outcomes,
    "votes": votes,
    "turn_votes": turn_votes,
    "any_turn": any_turn,
}
"""How an episode's answer is found: its last one, a majority over samples or over turns, or (with
an oracle) the first right one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        episodes: A file of episodes.
        reading: A key of `READINGS`.
    """

    episodes: Path
    reading: str = "final"

    def outcomes(self) -> Outcomes:
        """Reads the file."""
        return READINGS[self.reading](read_episodes(self.episodes))

    def problems(self) -> list[str]:
        """Ids of the problems whose every attempt was decided, in the order of `outcomes`."""
        groups = groupby(read_episodes(self.episodes), lambda e: e.problem.id)
        decided = [(name, all(e.graded and e.turns for e in group)) for name, group in groups]
        return [name for name, whole in decided if whole]


def pool(parts: Sequence[Outcomes]) -> Outcomes:
    """Puts the outcomes of several runs into one, their problems one run after the other."""
    horizon = max(part.by_turn.shape[1] for part in parts)
    offsets = np.cumsum([0, *(len(part.final) for part in parts)])
    together = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (
            "final",
            "turns",
            "tokens",
            "malformed",
            "turn",
            "says",
            "truth",
            "token",
            "stated",
        )
    }
    return Outcomes(
        by_turn=np.concatenate(
            [
                np.pad(p.by_turn, ((0, 0), (0, horizon - p.by_turn.shape[1])), mode="edge")
                for p in parts
            ]
        ),
        owner=np.concatenate([p.owner + o for p, o in zip(parts, offsets, strict=False)]),
        undecided=sum(part.undecided for part in parts),
        **together,
    )
