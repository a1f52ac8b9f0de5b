"""Synthetic families: endless problems whose answers are easier to check than to find.

A family is a file with a function ``draw``, whose docstring is the page of its environment; a line
in `FAMILIES`; and one in `srenv.envs.catalogue`, which gives the environment its id.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

from srenv.problems.seeding import Split
from srenv.problems.source import Drawn, EndlessSource
from srenv.registry import resolve

FAMILIES: dict[str, Callable[[random.Random], Drawn] | str] = {
    "linear": "srenv.problems.families.linear:draw",
    "system": "srenv.problems.families.system:draw",
    "factor": "srenv.problems.families.factor:draw",
    "root": "srenv.problems.families.root:draw",
    "modinv": "srenv.problems.families.modinv:draw",
    "countdown": "srenv.problems.families.countdown:draw",
    "arithmetic": "srenv.problems.families.arithmetic:draw",
    "words": "srenv.problems.families.words:draw",
}
"""Families by name, as in the source ``synthetic:linear``: the function that draws a problem."""


def family_source(name: str, split: Split) -> EndlessSource:
    """Returns the endless source of one family.

    Raises:
        ValueError: There is no such family.
    """
    draw = functools.partial(_draw, resolve("synthetic family", name, FAMILIES))
    return EndlessSource(f"synthetic:{name}", split, name, draw)


def _draw(draw: Callable[[random.Random], Drawn], seed: int) -> Drawn:
    return draw(random.Random(seed))
