"""The `info` of the environments: one typed record, and its columns in a vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, get_type_hints

import numpy as np

from srenv.conversation import Conversation


class Info(TypedDict):
    """What `reset` and `step` report; each key is always there and always of one type.

    Attributes:
        problem_id: Id of the problem.
        turn: Number of turns played.
        answer: The final answer of the newest turn, or ``""``.
        correct: Whether that answer is right.
        graded: Whether it could be graded; such a turn is worth nothing and is not trained on.
        verdict: The model's own word on it, or ``""``.
        declared: Whether the model declared itself correct.
        malformed: Why the turn breaks the format, or ``""``.
        verdict_start: Character of the turn, as the model wrote it, where its verdict segment
            begins.
        cut: Number of characters before the end of the turn that was read and kept; 0 for a turn
            within the limit.
        reward_attempt: The part of the reward for the attempt.
        reward_verdict: The part of the reward for the verdict.
    """

    problem_id: str
    turn: int
    answer: str
    correct: bool
    graded: bool
    verdict: str
    declared: bool
    malformed: str
    verdict_start: int
    cut: int
    reward_attempt: float
    reward_verdict: float


def info_of(conversation: Conversation) -> Info:
    """Returns the info after the newest turn of a conversation, or at its start."""
    turns = conversation.episode.turns
    if not turns:
        return {
            "problem_id": conversation.problem.id, "turn": 0, "answer": "", "correct": False,
            "graded": True, "verdict": "", "declared": False, "malformed": "", "verdict_start": 0,
            "cut": 0, "reward_attempt": 0.0, "reward_verdict": 0.0,
        }  # fmt: skip
    turn = turns[-1]
    rewards = conversation.rules.reward.by_segment(turn.rewards)
    return {
        "problem_id": conversation.problem.id,
        "turn": len(turns),
        "answer": turn.answer or "",
        "correct": turn.correct is True,
        "graded": turn.correct is not None,
        "verdict": turn.verdict or "",
        "declared": turn.declared,
        "malformed": turn.malformed,
        "verdict_start": turn.cut + turn.split,
        "cut": turn.cut,
        "reward_attempt": rewards["attempt"],
        "reward_verdict": rewards["verdict"],
    }


KEYS: dict[str, type] = get_type_hints(Info)
"""Type of each key of `Info`, in its order."""

_DTYPES = {str: object, int: np.int64, bool: np.bool_, float: np.float64}
_BLANKS = {str: None, int: 0, bool: False, float: 0.0}


def stack_infos(infos: Sequence[Info | None]) -> dict[str, Any]:
    """Returns infos in Gymnasium's vector form: an array per key, and a mask of who has it.

    Args:
        infos: One info per environment; None for an environment that reports nothing.
    """
    mask = np.array([info is not None for info in infos])
    stacked: dict[str, Any] = {}
    for key, kind in KEYS.items():
        blank = _BLANKS[kind]
        column = [blank if info is None else info[key] for info in infos]  # type: ignore[literal-required]
        stacked[key], stacked["_" + key] = np.array(column, _DTYPES[kind]), mask.copy()
    return stacked
