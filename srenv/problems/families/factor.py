"""The smaller prime factor of a product of two primes.

## Description
Found by trial, checked by one division: the widest gap between finding and checking.

## Problems
``synthetic:factor``: drawn without end from about 13,000 products, the prompts of ``"train"``
and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectFactor-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Find the smaller prime factor of 595591.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random

from srenv.problems.families.numbers import primes
from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws a product of two different primes below 1000."""
    # The fewest prompts of all families: 11,600 for training and 1,700 for evaluation.
    p, q = sorted(rng.sample(primes(11, 997), 2))
    return Drawn(f"Find the smaller prime factor of {p * q}.", str(p))
