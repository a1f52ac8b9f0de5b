r"""Verifies one answer, or many at once.

Most traffic is integers, so they are compared before anything else happens; all other grades
are kept in a bounded cache.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache

from srenv.verifier.grade import Decision, Grade
from srenv.verifier.symbolic import screen
from srenv.verifier.symbolic.pool import POOL_SIZE
from srenv.verifier.trace import Step, note, recording

CACHE_SIZE = 32_768
"""Pairs whose grade is remembered."""

CACHED_LENGTH = 2_000
"""Longer pairs are not remembered: they would make the cache's memory unbounded."""

_is_integer = re.compile(r"-?[1-9][0-9]{0,17}|0", re.ASCII).fullmatch


def verify(gold: str, answer: str) -> Grade:
    r"""Grades an answer against the gold answer.

    Args:
        gold: The gold answer: LaTeX or text, possibly in dollar signs or a box.
        answer: A bare answer, or a whole turn to `extract` one from.

    Returns:
        The grade. `Grade.correct` is None where no rule could decide: the comparison took
        too long or would be too large, units are not known, or the gold answer cannot be read.
        `Grade.reason` names the rule, as listed in ``docs/verifier.md``.
    """
    began = time.perf_counter()
    correct, reason = _decide(gold, answer)
    return Grade(correct, reason, time.perf_counter() - began)


def verify_batch(pairs: Iterable[tuple[str, str]]) -> list[Grade]:
    """Grades many answers, each distinct pair once.

    What needs SymPy is spread over the worker processes; all else is done here.

    Args:
        pairs: Gold answers, each with an answer.

    Returns:
        The grades of `verify`, in the order of the pairs; equal pairs share one.
    """
    ordered = list(pairs)
    grades: dict[tuple[str, str], Grade] = {}
    postponed: list[tuple[str, str]] = []
    token = _postpone.set(True)
    try:
        for pair in dict.fromkeys(ordered):
            gold, answer = pair
            if _is_integer(gold) and _is_integer(answer):
                grades[pair] = _SAME_INTEGER if gold == answer else _OTHER_INTEGER
                continue
            try:
                grades[pair] = verify(gold, answer)
            except _PostponedError:
                postponed.append(pair)
    finally:
        _postpone.reset(token)
    if len(postponed) > 1:
        from concurrent.futures import ThreadPoolExecutor  # a tenth of the time of `import srenv`

        with ThreadPoolExecutor(POOL_SIZE) as threads:
            verified = threads.map(lambda pair: verify(*pair), postponed)
            grades.update(zip(postponed, verified, strict=True))
    elif postponed:
        grades[postponed[0]] = verify(*postponed[0])
    return [grades[pair] for pair in ordered]


_SAME_INTEGER = Grade(True, "integer")
_OTHER_INTEGER = Grade(False, "integer")


def explain(gold: str, answer: str) -> tuple[Grade, list[Step]]:
    """Grades an answer, and says how.

    The steps are recorded by the code that decides; the cache of grades is passed over.

    Args:
        gold: The gold answer.
        answer: A bare answer, or a whole turn.

    Returns:
        The grade of `verify`, and the steps that led to it: what was extracted, how both sides
        were read, and the rules that were tried, the last of which decided.
    """
    with recording() as steps:
        began = time.perf_counter()
        decision = _compare_integers(gold, answer) or _guarded(gold, answer)
        return Grade(*decision, time.perf_counter() - began), steps


def clear_cache() -> None:
    """Forgets all grades."""
    _cached.cache_clear()


class _UnsettledError(Exception):
    """Carries a decision of the moment past the cache."""


class _PostponedError(Exception):
    """Says that a pair needs a worker process."""


_postpone: ContextVar[bool] = ContextVar("postpone", default=False)


def _decide(gold: str, answer: str) -> Decision:
    decision = _compare_integers(gold, answer)
    if decision is not None:
        return decision
    if len(gold) + len(answer) > CACHED_LENGTH:
        return _guarded(gold, answer)
    try:
        return _cached(gold, answer)
    except _UnsettledError as unsettled:
        return None, str(unsettled)


def _compare_integers(gold: str, answer: str) -> Decision | None:
    if not (_is_integer(gold) and _is_integer(answer)):
        return None
    note("integers", "decides: both are plain integers")
    return gold == answer, "integer"


@lru_cache(maxsize=CACHE_SIZE)
def _cached(gold: str, answer: str) -> Decision:
    decision = _guarded(gold, answer)
    if decision[1] in screen.PASSING:
        raise _UnsettledError(decision[1])
    return decision


def _guarded(gold: str, answer: str) -> Decision:
    """Decides a pair; a fault of ours, on text that nobody foresaw, must not end a training run."""
    # Loaded at the first pair that needs it: it would be half of what `import srenv` costs.
    from srenv.verifier.decide import decide

    try:
        return decide(gold, answer, _compare_symbolically)
    except _PostponedError:
        raise
    except Exception:
        return None, "error"


def _compare_symbolically(gold: str, answer: str) -> Decision:
    if _postpone.get():
        raise _PostponedError
    return screen.compare_symbolically(gold, answer)
