r"""Decide whether an answer equals the gold answer.

    >>> from srenv.verifier import verify
    >>> verify("1/2", r"So the probability is \boxed{0.5}.").correct
    True

`verify` never raises, never hangs, never executes text, and works in any thread. It is cheap
first: as text, by exact arithmetic, by value, and only then with math-verify in a process that can
be killed. See `Grade` for what it says, and ``docs/verifier.md`` for what equals what.
"""

from __future__ import annotations

from srenv.verifier.batch import clear_cache, verify, verify_batch
from srenv.verifier.grade import Grade
from srenv.verifier.reading.extract import extract, extract_box_span

__all__ = ["Grade", "clear_cache", "extract", "extract_box_span", "verify", "verify_batch"]
