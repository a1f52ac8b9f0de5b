"""Programs in tests: a runner of canned outcomes, and small tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from srenv.episode import Problem
from srenv.sandbox import Execution, Job, Limits, Outcome

FENCE = "```"
SECRET = "HIDDEN_TEST_4711"
"""Is in the hidden tests of `DOUBLE` and must never be seen."""

DOUBLE = Problem(
    id="double",
    prompt="Write a function f(x) that doubles x.\nf(2) = 4",
    answer="def f(x):\n    return 2 * x",
    source="test",
    data={
        "entry_point": "f",
        "signature": "def f(x):",
        "tests": f"def check(candidate):\n    assert candidate(21) == 42, '{SECRET}'\n",
        "examples": [["f(2)", "4"], ["f(-1)", "-2"]],
    },
    domain="code",
)
ECHO = Problem(
    id="echo",
    prompt="Read a number and print its double.\nInput 2 prints 4",
    answer="print(2 * int(input()))",
    source="test",
    data={"cases": [["21\n", "42\n"], ["0\n", "0\n"]], "examples": [["2\n", "4\n"]]},
    domain="code",
)


class CannedRunner:
    """Answers every job by a function, and keeps the batches that it was given."""

    def __init__(self, decide: Callable[[Job], Outcome]) -> None:
        self.decide = decide
        self.batches: list[list[Job]] = []

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.batches.append(list(jobs))
        return [self.decide(job) for job in jobs]

    def execute(self, program: str, stdin: str, limits: Limits) -> Execution:
        raise NotImplementedError

    def close(self) -> None:
        return


def use_canned(monkeypatch: pytest.MonkeyPatch, decide: Callable[[Job], Outcome]) -> CannedRunner:
    """Installs a `CannedRunner` for one test."""
    runner = CannedRunner(decide)
    monkeypatch.setattr("srenv.domains.code.default_runner", lambda: runner)
    return runner


def block(code: str, verdict: str = "wrong", tag: str = "python") -> str:
    """Returns a turn with a fenced program."""
    return f"So:\n{FENCE}{tag}\n{code}\n{FENCE}\n[VERIFY] {verdict}"
