"""Points at which two functions are compared."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

from srenv.verifier.reading.nodes import Node, literal, operations

Point = dict[str, Fraction]


def points(left: Node, right: Node, variables: list[str]) -> Iterator[tuple[Point, bool]]:
    """Yield points, and whether all their coordinates are positive; the same ones for any order."""
    scales = sorted({s for s in _constants(left) | _constants(right) if 9 < s < 10**6})[-3:]
    # A negative pair of ends gives negative values, another one either sign.
    ranges = [(1, 3), (-3, -1), (0, 1), (-9, 9), (4, 9), (-1, 0), (-9, -4), (-1, 1), (20, 60)]
    ranges += [(-60, -20), (-60, 60)]
    for scale in scales:
        ranges += [(scale, 4 * scale), (-4 * scale, -scale), (0, scale), (-scale, 0)]
    generator = random.Random(" ".join(variables))
    if (operations(left) | operations(right)) & {"factorial", "binom", "gcd", "lcm"}:
        ranges = []
    for low, high in ranges + ranges[:6]:
        values = [
            Fraction(low) + Fraction(generator.getrandbits(40) | 1, 1 << 40) * (high - low)
            for _ in variables
        ]
        yield dict(zip(variables, values, strict=True)), low >= 0
    for top in (4, 5, 6, 7, 8, 9, 10, 12):  # sequences, factorials, (-1)^n
        values = [Fraction(generator.randint(1, top)) for _ in variables]
        yield dict(zip(variables, values, strict=True)), True


def _constants(node: Node) -> set[int]:
    if node.op == "number":
        return {int(abs(literal(node)))}
    return set().union(*map(_constants, node.args)) if node.args else set()
