"""Six synthetic families in equal parts.

## Description
Every episode draws a family, then a problem of it: linear, system, factor, root, modinv or
countdown. ``info["problem_id"]`` begins with the family's name.

## Problems
``synthetic:mixed``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectMixed-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Find the largest integer r with r^3 <= 536471.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

from srenv.episode import Problem
from srenv.problems.families import family_source
from srenv.problems.seeding import Split, hashed_rng
from srenv.problems.source import ProblemSource
from srenv.registry import unknown

MIXED = ("linear", "system", "factor", "root", "modinv", "countdown")
"""The families, in an order that decides which problem has which index."""


class MixedSource(ProblemSource):
    """Families in equal parts; its problems keep the id and source of their family."""

    def __init__(self, name: str, split: Split) -> None:
        super().__init__(name, split, None)
        self._sources = {family: family_source(family, split) for family in MIXED}

    def problem(self, index: int) -> Problem:
        """Draws problem number `index` of the family that a hash of the index picks."""
        index = self._check_index(index)
        family = hashed_rng("mixed", self.split, index).choice(list(self._sources))
        return self._sources[family].problem(index)

    def find(self, problem_id: str) -> Problem:
        """Draws the problem that the id describes, of any of the families."""
        family = problem_id.partition("/")[0]
        if family not in self._sources:
            raise KeyError(f"{self.name}: {unknown('family', family, MIXED)}")
        return self._sources[family].find(problem_id)
