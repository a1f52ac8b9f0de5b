"""Two linear equations in two unknowns.

## Description
Found by elimination, checked by substitution. The answer is a pair.

## Problems
``synthetic:system``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectSystem-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Solve 9x+7y=107 and -4x+9y=13. Answer with the pair (x, y).

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random

from srenv.problems.families.numbers import signed
from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws two equations with one common integer solution."""
    x, y = (rng.randint(-20, 20) for _ in range(2))
    a, b, c, d = (signed(rng, 2, 9) for _ in range(4))
    while a * d == b * c:  # parallel lines have no single answer
        c, d = (signed(rng, 2, 9) for _ in range(2))
    first, second = f"{a}x{b:+d}y={a * x + b * y}", f"{c}x{d:+d}y={c * x + d * y}"
    prompt = f"Solve {first} and {second}. Answer with the pair (x, y)."
    return Drawn(prompt, f"({x}, {y})")
