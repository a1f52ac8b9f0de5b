"""Random numbers that several families draw."""

from __future__ import annotations

import functools
import math
import random


def signed(rng: random.Random, low: int, high: int) -> int:
    """Returns a number from `low` to `high`, both included, with a random sign."""
    return rng.choice((-1, 1)) * rng.randint(low, high)


@functools.cache
def primes(low: int, high: int) -> tuple[int, ...]:
    """Returns the primes from `low` to `high`, both included."""
    numbers = range(low, high + 1)
    return tuple(n for n in numbers if all(n % d for d in range(2, math.isqrt(n) + 1)))
