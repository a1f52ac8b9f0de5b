"""Synthetic families: endless problems whose answers are easier to check than to find.

A family is a file whose docstring is the page of its environment, and a line in `FAMILIES`.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass

from srenv.problems.seeding import Split
from srenv.problems.source import Drawn, EndlessSource
from srenv.registry import resolve


@dataclass(frozen=True, slots=True)
class Family:
    """A family of problems.

    Attributes:
        title: Its name in the id of its environment: ``Linear`` gives ``SelfCorrectLinear-v0``.
        draw: Draws a problem from a generator.
        page: The page of its environment: a summary line, then sections in Markdown.
    """

    title: str
    draw: Callable[[random.Random], Drawn]
    page: str


FAMILIES: dict[str, Family | str] = {
    "linear": "srenv.problems.families.linear:FAMILY",
    "system": "srenv.problems.families.system:FAMILY",
    "factor": "srenv.problems.families.factor:FAMILY",
    "root": "srenv.problems.families.root:FAMILY",
    "modinv": "srenv.problems.families.modinv:FAMILY",
    "countdown": "srenv.problems.families.countdown:FAMILY",
    "arithmetic": "srenv.problems.families.arithmetic:FAMILY",
    "words": "srenv.problems.families.words:FAMILY",
}
"""Families by name, as in the source ``synthetic:linear``."""


def find_family(name: str) -> Family:
    """Returns the family of that name.

    Raises:
        ValueError: There is no such family.
    """
    return resolve("synthetic family", name, FAMILIES)


def family_source(name: str, split: Split) -> EndlessSource:
    """Returns the endless source of one family.

    Raises:
        ValueError: There is no such family.
    """
    draw = functools.partial(_draw, find_family(name))
    return EndlessSource(f"synthetic:{name}", split, name, draw)


def _draw(family: Family, seed: int) -> Drawn:
    return family.draw(random.Random(seed))
