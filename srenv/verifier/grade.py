"""What the verifier says about one answer."""

from __future__ import annotations

from dataclasses import dataclass

Decision = tuple[bool | None, str]
"""Whether the answer is right (None: undecided), and the rule that said so."""


@dataclass(frozen=True, slots=True)
class Grade:
    """The verifier's word on one answer.

    Attributes:
        correct: True or False where a rule decided; None where none could (too large, too slow,
            unreadable gold answer). None is never the same as wrong: such attempts are counted
            apart and masked out of the gradient.
        reason: Short machine-readable name of the rule that decided, such as ``"integer"``.
        seconds: Wall-clock time the decision took.
    """

    correct: bool | None
    reason: str
    seconds: float = 0.0
