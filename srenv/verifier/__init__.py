r"""Decides whether an answer equals the gold answer.

    >>> from srenv.verifier import verify
    >>> verify("1/2", r"So the probability is \boxed{0.5}.").correct
    True

`verify` never raises, never hangs, never executes text, and works in any thread. Cheap rules come
first: as text, by exact arithmetic, by value, and only then with math-verify in a process that can
be killed. See `Grade` for the result, and ``docs/verifier.md`` for what equals what. A pair passes
through four packages, in this order:

* `reading`: extracts the answer from a turn, normalizes its text, and parses it into a tree;
* `rules`: compares two answers by their kind, such as numbers, words, sets or relations;
* `values`: evaluates expressions, exactly or to many digits, when a rule asks for it;
* `symbolic`: asks math-verify, in a separate process, about what the parser here does not read.

`decide` tries the rules in order, `batch` caches grades and grades many pairs, and `trace` records
the steps for `explain` and ``srenv verify --explain``.
"""

from __future__ import annotations

from srenv.verifier.batch import clear_cache, explain, verify, verify_batch
from srenv.verifier.grade import Grade
from srenv.verifier.reading.extract import extract, extract_box_span

__all__ = [
    "Grade",
    "clear_cache",
    "explain",
    "extract",
    "extract_box_span",
    "verify",
    "verify_batch",
]
