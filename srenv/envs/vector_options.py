"""Reads what `reset` of a vector environment is asked for, with errors that say what is wrong."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from srenv.envs.env import SelfCorrectEnv
from srenv.episode import Problem


def read_mask(mask: Any, count: int) -> list[int]:
    """Which of `count` environments are reset: those of a bool array, or all."""
    if mask is None:
        return list(range(count))
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"reset_mask must be a numpy array of bool, got {kind}")
    if mask.shape != (count,) or not mask.any():
        raise ValueError(
            f"reset_mask must have shape ({count},) and at least one True, got {mask.tolist()}"
        )
    return [int(place) for place in np.flatnonzero(mask)]


def read_seeds(seed: int | Sequence[int | None] | None, count: int) -> Sequence[int | None]:
    """One seed per environment, or None where it goes on with the one it has."""
    if seed is None:
        return [None] * count
    if isinstance(seed, int):
        return [seed + place for place in range(count)]
    if len(seed) != count:
        raise ValueError(f"{count} environments need as many seeds, got {len(seed)}")
    return seed


def read_group_size(size: Any, count: int) -> int:
    """How many neighbours share a problem."""
    neighbours = operator.index(size)
    if neighbours < 1 or count % neighbours:
        raise ValueError(f"group_size must divide {count} environments, got {neighbours}")
    return neighbours


def read_problems(
    options: Mapping[str, Any], envs: Sequence[SelfCorrectEnv], size: int
) -> list[Problem | None]:
    """The problem that the options name for each environment; one per group of `size`."""
    lists = {name: o for name, o in options.items() if isinstance(o, (list, tuple))}
    groups = len(envs) // size
    for name, values in lists.items():
        if len(values) != groups:
            raise ValueError(
                f"option {name!r} needs {groups} entries, one per "
                f"{'group' if size > 1 else 'environment'}, got {len(values)}"
            )
    given: list[Problem | None] = []
    for group in range(groups):
        own = {name: o[group] if name in lists else o for name, o in options.items()}
        named = {name: o for name, o in own.items() if o is not None}
        given += [envs[group * size].chosen(named)] * size
    return given
