"""What a sandbox is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: Wall-clock and processor time.
        memory_mb: Address space of each of its processes, in MiB; if this process may create
            control groups, also the memory of all of them together.
        processes: Processes and threads at a time.
        output_bytes: Standard output and error together, or one value that it returns.
        file_bytes: Size of a file, and of all files together.
    """

    seconds: float = 5.0
    memory_mb: int = 512
    processes: int = 16
    output_bytes: int = 1 << 20
    file_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class FunctionTests:
    """Tests of a function, which run in a process of their own.

    Attributes:
        entry_point: Name of the program's function.
        code: Python that defines ``check(candidate)``, which raises if the function is wrong
            (HumanEval's form). `candidate` is a proxy: calls travel to the program as plain data.
        in_place: Whether the function is to change its arguments. Only then do changes reach the
            tests, which have to compare with values of their own: ``sorted(numbers)`` after a call
            is the program's to choose.
        task_set: Name of a set whose tests may run in one process, one after the other, which is
            faster; they must leave builtins and modules as they are. None: a process of their own.
    """

    entry_point: str
    code: str
    in_place: bool = False
    task_set: str | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """Inputs and outputs of a whole program.

    Attributes:
        cases: Pairs of standard input and expected standard output. White space at the ends of
            lines, and empty lines at the end, do not count.
    """

    cases: tuple[tuple[str, str], ...]


Tests = FunctionTests | Cases
"""How a program is tested: by a test function, or by inputs and outputs."""
Reason = Literal["passed", "failed", "error", "time", "memory", "output", "sandbox"]
"""Why a program has its grade: right; wrong; it raised an exception, or exited; over a limit; or
the sandbox itself failed, which says nothing of the program."""


@dataclass(frozen=True, slots=True)
class Job:
    """A program and the tests that grade it."""

    program: str
    tests: Tests
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The grade of a program.

    Attributes:
        passed: Whether it passed its tests; None if the sandbox failed.
        reason: Why.
        detail: More words for logs. They may quote the tests: never show them to a model.
    """

    passed: bool | None
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a program wrote when it was run.

    Attributes:
        output: Its standard output, cut at the limit.
        error: Its standard error, cut at the limit.
        reason: ``"passed"`` if it ended by itself without an error.
    """

    output: str
    error: str
    reason: Reason


class Runner(Protocol):
    """Runs programs that nobody trusts.

    Bubblewrap on this machine is one; a container or a remote service can be another.
    """

    def grade(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Grades programs; never raises because of what a program does."""
        ...

    def execute(self, program: str, stdin: str, limits: Limits) -> Execution:
        """Runs a program once with some standard input."""
        ...

    def close(self) -> None:
        """Ends all processes."""
        ...


class SandboxUnavailable(RuntimeError):
    """Programs cannot be run safely on this machine; the message says why and what to do."""


def grade_cases(run: Callable[[str], Execution], tests: Cases) -> Outcome:
    """Grades a whole program by its inputs and outputs, up to the first that is not right.

    Args:
        run: Runs the program with some standard input.
        tests: The inputs and outputs.
    """
    for number, (stdin, expected) in enumerate(tests.cases, start=1):
        execution = run(stdin)
        if execution.reason != "passed":
            return outcome_of(execution)
        if _lines(execution.output) != _lines(expected):
            return Outcome(False, "failed", f"case {number}")
    return Outcome(True, "passed")


def outcome_of(execution: Execution) -> Outcome:
    """Returns the grade of a program that had nothing to do but to end without an error."""
    passed = None if execution.reason == "sandbox" else execution.reason == "passed"
    return Outcome(passed, execution.reason, execution.error[-300:])


def _lines(text: str) -> list[str]:
    """Returns the lines of an output, without white space at their ends and empty last ones."""
    return [line.rstrip() for line in text.rstrip().splitlines()]
