"""What a grade costs: imports, and the clock of a pair."""

from __future__ import annotations

import gc
import time

import pytest

from srenv.verifier.values import exact
from tests.support.verifier import run_python


def test_import_is_light() -> None:
    code = (
        "import sys, srenv.verifier as v; v.verify('1/2', '0.5')\n"
        "print(sorted({'sympy', 'mpmath', 'torch', 'math_verify'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_garbage_collection_does_not_count_against_a_pair() -> None:
    exact.start_clock()
    began = time.thread_time()
    heap: list[object] = [[n] for n in range(50_000)]
    while time.thread_time() - began < 2 * exact.CLOCK_LIMIT:
        gc.collect()
    del heap
    exact.check_clock()  # building the heap took far less than the limit
    working_since = time.thread_time()  # one collection of a large heap may overrun by far
    while time.thread_time() - working_since < exact.CLOCK_LIMIT:
        pass
    with pytest.raises(exact.TooSlowError):
        exact.check_clock()
