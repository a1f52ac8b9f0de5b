"""Inverses modulo a prime.

## Description
Found by Euclid's algorithm, checked by one product.

## Problems
``synthetic:modinv``: drawn without end from about 75,000 pairs, the prompts of ``"train"`` and
``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectModInv-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Find the integer x from 1 to 408 with 72x = 1 modulo 409.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random

from srenv.problems.families.numbers import primes
from srenv.problems.source import Drawn


def draw(rng: random.Random) -> Drawn:
    """Draws a prime below 1000 and a number to be inverted modulo it."""
    p = rng.choice(primes(11, 997))
    a = rng.randint(2, p - 1)
    prompt = f"Find the integer x from 1 to {p - 1} with {a}x = 1 modulo {p}."
    return Drawn(prompt, str(pow(a, -1, p)))
