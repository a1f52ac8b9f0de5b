r"""Decide whether an answer equals the gold answer.

    >>> from srenv.verifier import verify
    >>> verify("1/2", r"So the probability is \boxed{0.5}.").correct
    True

`verify` never raises, never hangs, never executes text, and works in any thread. It is cheap
first: as text, then by exact arithmetic (`exact`), then symbolically in a process that can be
killed (`symbolic`). See `Judgement` for what it says.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache

from srenv.verifier import exact, symbolic
from srenv.verifier.exact import Decision
from srenv.verifier.extract import extract, extract_box_span
from srenv.verifier.judgement import Judgement

__all__ = ["Judgement", "extract", "extract_box_span", "verify"]

ANSWER_LIMIT = 20_000
"""Longer answers are compared as they are written, and not at all beyond that."""

_TURN = re.compile(r"\n|\\boxed|\\fbox|####|</?think>|answer(?:\s+is\b|\**\s?:)", re.IGNORECASE)


def verify(gold: str, answer: str) -> Judgement:
    r"""Judge an answer against the gold answer.

    Args:
        gold: The gold answer: LaTeX or text, possibly in dollar signs or a box.
        answer: A bare answer, or a whole turn to `extract` one from.

    Returns:
        The judgement. `Judgement.correct` is None where no rule could decide: the comparison took
        too long or would be too large, units differ, or the gold answer cannot be read.
        `Judgement.reason` is one of ``text``, ``integer``, ``rational``, ``decimal``, ``percent``,
        ``equation``, ``hedged``, ``symbolic``, ``no_answer``, ``no_gold``, ``unparsable_answer``,
        ``unparsable_gold``, ``unit``, ``too_large``, ``timeout``, ``crashed``, ``unavailable``.
    """
    began = time.perf_counter()
    correct, reason = _decide(gold, answer)
    return Judgement(correct, reason, time.perf_counter() - began)


def _decide(gold: str, answer: str) -> Decision:
    wanted = _bare(gold) or ""
    given = _bare(answer)
    if given is None:
        return False, "no_answer"
    if wanted == given and wanted.strip(" .$"):
        return True, "text"
    if max(len(wanted), len(given)) > ANSWER_LIMIT:
        return None, "too_large"
    decision = exact.decide(wanted, given)
    if decision is None:
        decision = _symbolically(*exact.unname(exact.normalise(wanted), exact.normalise(given)))
    return decision


def _bare(text: str) -> str | None:
    """Return the answer in a turn, or a bare answer as it is."""
    text = text.strip()
    return extract(text) if _TURN.search(text) else text


class _UndecidedError(Exception):
    """Carries an undecided comparison past the cache."""


@lru_cache(maxsize=4096)
def _cached(gold: str, answer: str) -> Decision:
    decision = symbolic.compare(gold, answer)
    if decision[1] in symbolic.PASSING:
        raise _UndecidedError(decision[1])
    return decision


def _symbolically(gold: str, answer: str) -> Decision:
    try:
        return _cached(gold, answer)
    except _UndecidedError as undecided:
        return None, str(undecided)
