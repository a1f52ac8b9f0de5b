"""The benchmark of graders: its pairs are what they say, and its floor holds as a ratio.

The floor compares processor times of srenv and math-verify, measured one after the other on the
same pairs; srenv is many times above it, so that no noise of the machine reaches it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import verifier as benchmark

from srenv.verifier import verify


@pytest.mark.parametrize("kind", benchmark.KINDS)
def test_generated_pairs_are_half_equal_and_all_decided(kind: str) -> None:
    pairs = benchmark.KINDS[kind](400, 0)
    verdicts = [verify(*pair).correct for pair in pairs]
    assert None not in verdicts
    assert 100 < sum(map(bool, verdicts)) < 300
    assert len(set(benchmark.KINDS[kind](400, 1)) & set(pairs)) < 10


def test_tables_are_put_between_the_marks(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before {benchmark.MARKS[0]} old {benchmark.MARKS[1]} after")
    benchmark.insert(page, "new\n")
    assert page.read_text() == f"before {benchmark.MARKS[0]}\nnew\n{benchmark.MARKS[1]} after"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        benchmark.insert(page, "new")


@pytest.mark.slow
def test_the_verifier_is_many_times_as_fast_as_math_verify() -> None:
    measured = benchmark.ratios(count=40, rounds=1)
    for kind, ratio in measured.items():
        assert ratio >= benchmark.FLOORS[kind], measured
