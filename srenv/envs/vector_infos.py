"""The infos of a vector environment: an array per key, and a mask of who has something to say."""

from __future__ import annotations

from typing import Any

import numpy as np

from srenv.envs.env import INFO

_DTYPES = (np.int64, np.bool_, np.bool_, object, np.bool_, object, np.float64, np.float64)
_BLANK = (0, False, False, None, False, None, 0.0, 0.0)
"""What Gymnasium's vector infos hold where an environment has nothing to say."""


class Rows:
    """What environments report, column by column; None where one has nothing to say.

    Lists, not objects per environment: the garbage collector would visit those at every step.
    """

    def __init__(self, count: int) -> None:
        self.ids: list[str | None] = [None] * count
        self.answers: list[str | None] = [None] * count
        self.reports: list[tuple[Any, ...] | None] = [None] * count

    def copy(self, other: Rows, slot: int) -> None:
        """Takes over what `other` has at `slot`."""
        self.ids[slot], self.answers[slot] = other.ids[slot], other.answers[slot]
        self.reports[slot] = other.reports[slot]

    def infos(self) -> dict[str, Any]:
        """Infos of Gymnasium's shape: an array per key and a mask of who has it."""
        mask = np.array([report is not None for report in self.reports])
        columns = [np.array(self.ids, object), np.array(self.answers, object)]
        reports = zip(*[report or _BLANK for report in self.reports], strict=True)
        columns += map(np.array, reports, _DTYPES)
        infos: dict[str, Any] = {}
        for key, column in zip(INFO, columns, strict=True):
            infos[key], infos["_" + key] = column, mask.copy()
        return infos
