"""Integer square and cube roots.

## Description
Found by search, checked by multiplying out.

## Problems
``synthetic:root``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectRoot-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Find the largest integer r with r^3 <= 536471.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import math
import random

from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws a number of three to six digits and asks for its square or cube root, rounded down."""
    n = rng.randint(100, 999_999)
    if rng.random() < 0.5:
        return Drawn(f"Find the largest integer r with r^2 <= {n}.", str(math.isqrt(n)))
    r = round(n ** (1 / 3))
    r -= r**3 > n
    return Drawn(f"Find the largest integer r with r^3 <= {n}.", str(r))
