"""A record of how a decision was made, kept only while somebody asks for it.

The code that decides calls `note` as it works. Outside `recording` that does nothing, so an
explanation is the trace of the real decision and not a second version of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

_steps: ContextVar[list[Step] | None] = ContextVar("steps", default=None)


class Step(NamedTuple):
    """One step of a decision.

    Attributes:
        name: What was done: ``extract``, ``read`` or the name of a rule.
        detail: What came of it.
    """

    name: str
    detail: str


@contextmanager
def recording() -> Iterator[list[Step]]:
    """Collects the steps of the decisions made inside the block, on this thread."""
    steps: list[Step] = []
    token = _steps.set(steps)
    try:
        yield steps
    finally:
        _steps.reset(token)


def note(name: str, *details: object) -> None:
    """Records a step; the details are made into text only if somebody asks for them."""
    steps = _steps.get()
    if steps is not None:
        steps.append(Step(name, " ".join(map(str, details))))
