"""A text space that holds what language models write."""

from __future__ import annotations

import copy
import string
from typing import Any

import numpy as np
from gymnasium.spaces import Text

_SAMPLE_TURNS = (
    "\\boxed{{{n}}}\n[VERIFY] correct",
    "\\boxed{{{n}}}\n[VERIFY] wrong",
    "The answer is \\boxed{{{n}}}.\n[VERIFY] correct (0.{n})",
    "I do not know {n}.",
)


class UnicodeText(Text):
    """Any text up to `max_length` characters, lone surrogates excepted.

    Gymnasium's own `Text` lists its characters one by one, so it can neither hold all of Unicode
    nor check a long string fast. This one checks ASCII text in constant time.
    Samples look like turns, so that random play reaches every ending.

    Args:
        max_length: Greatest number of characters.
        seed: Seed of the sampler.
    """

    def __init__(self, max_length: int, *, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Whether `x` is a str of allowed length that can be encoded as UTF-8."""
        if not isinstance(x, str) or len(x) > self.max_length:
            return False
        if x.isascii():
            return True
        try:
            x.encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Returns a random turn (or, with a mask, what Gymnasium's `Text` returns)."""
        if mask is not None or probability is not None:
            return str(super().sample(mask=mask, probability=probability))
        template = _SAMPLE_TURNS[int(self.np_random.integers(len(_SAMPLE_TURNS)))]
        return template.format(n=int(self.np_random.integers(100)))[: self.max_length]

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and other.max_length == self.max_length

    def __deepcopy__(self, memo: dict[int, Any]) -> UnicodeText:
        # Batched spaces copy once per environment; the character tables are immutable: share them.
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._np_random = copy.deepcopy(self._np_random, memo)
        return new
