"""Rows of a comparison: a file of episodes, and the way in which it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from srenv.episode import Episode, read_episodes
from srenv.metrics.outcomes import Outcomes, any_turn, outcomes, turn_votes, vote_outcomes


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
class Reading:
    """A file of episodes and the way it is read: one row of a table.

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
