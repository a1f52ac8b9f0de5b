"""Suites: problem sources under one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srenv.episode import Problem
from srenv.problems import Split, load_problems

PLANNING = ("tower_of_hanoi", "sokoban", "maze", "mini_sudoku", "knights_knaves", "zebra_puzzles")


@dataclass(frozen=True, slots=True)
class Suite:
    """Sources that are measured together.

    Attributes:
        sources: Problem sources, as `srenv.load_problems` takes them.
        protocol: How the model is asked, unless the caller says.
        files: Files of the same problems by source, for those who have them.
    """

    sources: tuple[str, ...]
    protocol: str = "default"
    files: tuple[str, ...] = ()


SUITES: dict[str, Suite] = {
    "math": Suite(
        ("hf:openai/gsm8k?config=main", "hf:HuggingFaceH4/MATH-500?split=test"),
        files=("gsm8k_test.jsonl", "math500.jsonl"),
    ),
    "code": Suite(("humaneval",), protocol="code"),
    "planning": Suite(tuple(f"rg:{task}" for task in PLANNING)),
    "small": Suite(("synthetic:linear", "synthetic:words", "synthetic:countdown")),
}
"""GSM8K and MATH-500, HumanEval, puzzles of reasoning-gym, and families that need no download."""


def find_suite(problems: str | Sequence[str], data: str | None = None) -> Suite:
    """Returns the suite of a name, or the sources that are given as one.

    Args:
        problems: A key of `SUITES`, a problem source, or several.
        data: Folder with the files of a suite, for suites that are downloaded otherwise.

    Raises:
        ValueError: The suite has no files, or there is nothing to measure.
        FileNotFoundError: The folder lacks a file.
    """
    if not isinstance(problems, str):
        if not problems:
            raise ValueError("problems names no source")
        return Suite(tuple(problems))
    suite = SUITES.get(problems, Suite((problems,)))
    if data is None:
        return suite
    if not suite.files:
        raise ValueError(f"{problems!r} is not read from a folder: leave data out")
    paths = [Path(data).expanduser() / name for name in suite.files]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"there is no file {path}; data must hold {suite.files}")
    return Suite(tuple(f"jsonl:{path}" for path in paths), suite.protocol)


def draw_problems(suite: Suite, split: Split, n: int, seed: int) -> list[Problem]:
    """Returns up to `n` problems of each source, those that `srenv evaluate` would choose.

    Raises:
        ValueError: A source is not what it should be, or `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}: an evaluation needs at least one problem")
    problems = []
    for name in suite.sources:
        source = load_problems(name, split)
        problems += source.take(n if source.size is None else min(n, source.size), seed)
    return problems
