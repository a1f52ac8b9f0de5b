"""Step search judged in pairs (Zhang et al. 2025, section 3.3): scores, choice, and rollback.

At each level the model proposes a few next steps and judges them in pairs. The best becomes the
next step, best and worst become a preference pair. Where no step is better than another, the level
is dropped together with the step before it. Pure functions of the judgements; who asks the model
is the recipe.

The paper does not say whether a pair is judged in both orders. If each pair is judged once and
always has a winner, the scores of an even number of candidates cannot all be equal, and the
rollback can never happen at the paper's own width of 6. `wins_in_both_orders` lets contradicting
judgements cancel instead, which is our default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Wins = NDArray[np.bool_]
"""(w, w): whether row i was judged better than column j; the diagonal is False."""
Prefers = Callable[[int, int], bool]
"""(shown first, shown second) -> whether the first was preferred."""


def wins_once(width: int, prefers: Prefers) -> Wins:
    """Judges each unordered pair once, the earlier candidate shown first."""
    wins = np.zeros((width, width), dtype=np.bool_)
    for i in range(width):
        for j in range(i + 1, width):
            better, worse = (i, j) if prefers(i, j) else (j, i)
            wins[better, worse] = True
    return wins


def wins_in_both_orders(width: int, prefers: Prefers) -> Wins:
    """Judges each pair in both orders; a win counts where both judgements agree."""
    wins = np.zeros((width, width), dtype=np.bool_)
    for i in range(width):
        for j in range(i + 1, width):
            shown_first, shown_second = prefers(i, j), prefers(j, i)
            wins[i, j] = shown_first and not shown_second
            wins[j, i] = shown_second and not shown_first
    return wins


def scores(wins: Wins) -> NDArray[np.int64]:
    """``Score_i``: over how many of the other candidates i was preferred."""
    return np.asarray(wins.sum(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class StepPair:
    """A preference between two next steps.

    Attributes:
        context: The steps chosen before.
        best: The preferred step.
        worst: The rejected step.
    """

    context: tuple[str, ...]
    best: str
    worst: str


@dataclass(slots=True)
class StepSearch:
    """One solution being written step by step.

    Attributes:
        steps: The steps chosen so far.
        pairs: One preference pair per chosen step; None where there was nothing to prefer.
        rollbacks: How many levels were dropped.
    """

    steps: list[str] = field(default_factory=list)
    pairs: list[StepPair | None] = field(default_factory=list)
    rollbacks: int = 0

    def settle(self, candidates: list[str], wins: Wins) -> bool:
        """Chooses the best candidate, or rolls back where all scores are equal.

        A single candidate, on which all samples agreed, is chosen without a preference.

        Returns:
            Whether a step was chosen.
        """
        if len(candidates) == 1:
            self.pairs.append(None)
            self.steps.append(candidates[0])
            return True
        score = scores(wins)
        if score.max() == score.min():
            self.rollbacks += 1
            if self.steps:
                self.steps.pop()
                self.pairs.pop()
            return False
        best, worst = candidates[int(score.argmax())], candidates[int(score.argmin())]
        self.pairs.append(StepPair(tuple(self.steps), best, worst))
        self.steps.append(best)
        return True
