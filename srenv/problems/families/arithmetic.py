"""Arithmetic in three operations, one of them a division.

## Description
Found by working from the inside out, checked by working back from the answer. The bundled model
knows this family and `linear`, so that what is learned on one can be measured on the other.

## Problems
``synthetic:arithmetic``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectArithmetic-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Compute (396-66)/5+68.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random

from srenv.problems.families.numbers import signed
from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws ``Compute (p+q)/d+r.`` with an integer quotient of two digits."""
    d = rng.randint(2, 9)
    q = signed(rng, 1, 99)
    quotient = rng.randint(10, 99)
    r = signed(rng, 1, 99)
    p = d * quotient - q
    data = {"p": p, "q": q, "d": d, "r": r}
    return Drawn(f"Compute ({p}{q:+d})/{d}{r:+d}.", str(quotient + r), data=data)
