"""Linear equations in one unknown.

## Description
Found by two inverse operations, checked by substitution: easy to check, and hard to find
in one step. The bundled model was made for this family.

## Problems
``synthetic:linear``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectLinear-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Solve 6x-20=94 for x.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random

from srenv.problems.families.numbers import signed
from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws ``Solve ax+b=c for x.`` with an integer solution of two digits."""
    a = rng.randint(2, 9)
    b = signed(rng, 1, 99)
    x = rng.randint(10, 99)
    c = a * x + b
    return Drawn(f"Solve {a}x{b:+d}={c} for x.", str(x), data={"a": a, "b": b, "c": c})
