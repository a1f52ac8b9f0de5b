"""Readings: a file of episodes, and how the final answer of an episode is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from srenv.episode import Episode, read_episodes
from srenv.metrics.outcomes import Outcomes
from srenv.registry import lookup


def votes(episodes: Iterable[Episode]) -> Outcomes:
    """Returns maj@k over single-attempt episodes; those of one problem are consecutive."""
    groups = groupby(episodes, lambda episode: episode.problem.id)
    return Outcomes.of_votes([list(group) for _, group in groups])


READINGS: dict[str, Callable[[Iterable[Episode]], Outcomes]] = {
    "final": Outcomes.of,
    "samples": Outcomes.of_samples,
    "votes": votes,
    "turn_votes": Outcomes.of_turn_votes,
    "any_turn": Outcomes.of_any_turn,
}
"""How an episode's answer is found: its last one (of the one episode of a problem, or of several
samples), a majority over samples or over turns, or (with an oracle) the first right one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file of episodes and how it is read: one row of a table.

    Attributes:
        episodes: A file of episodes.
        reading: A key of `READINGS`.
    """

    episodes: Path
    reading: str = "final"

    def outcomes(self) -> Outcomes:
        """Returns the outcomes of the episodes in the file.

        Raises:
            ValueError: The reading is unknown.
        """
        return lookup("reading", self.reading, READINGS)(read_episodes(self.episodes))

    def problems(self) -> list[str]:
        """Returns the ids of problems without undecided attempts, in the order of `outcomes`."""
        groups = groupby(read_episodes(self.episodes), lambda episode: episode.problem.id)
        enough = any if self.reading == "samples" else all
        graded = [(name, enough(e.graded and e.turns for e in group)) for name, group in groups]
        return [name for name, decided in graded if decided]
