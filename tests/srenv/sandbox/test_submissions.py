"""Labeled submissions: graded as labeled, alone and with eight at a time, and without traces."""

from __future__ import annotations

import errno
import os
import platform
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from srenv.sandbox import FunctionTests, Job, Limits, bubblewrap, seccomp
from srenv.sandbox.bubblewrap import BubblewrapRunner
from tests.support.sandbox import runner_or_skip
from tests.support.submissions import HOSTILE, ODD, RIGHT, TESTS, WRONG

LIMITS = Limits(seconds=3.0, memory_mb=256)


@pytest.fixture(scope="module")
def runner():
    runner = runner_or_skip(lambda: BubblewrapRunner(2))
    yield runner
    runner.close()


def job(program: str) -> Job:
    return Job(program, TESTS, LIMITS)


def test_there_are_enough_of_each_kind():
    assert len(HOSTILE) >= 40
    assert len(ODD) >= 20
    assert len(HOSTILE) + len(ODD) + len(WRONG) >= 80


@pytest.mark.parametrize("name", ODD)
def test_an_odd_but_right_program_passes(runner, name):
    (outcome,) = runner.grade([job(ODD[name])])
    assert outcome.passed is True, outcome


@pytest.mark.parametrize("name", WRONG)
def test_an_honest_mistake_fails(runner, name):
    (outcome,) = runner.grade([job(WRONG[name])])
    assert outcome.passed is False, outcome


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_fails_within_its_limits_and_harms_no_neighbor(runner, name):
    began = time.monotonic()
    hostile, neighbor = runner.grade([job(HOSTILE[name]), job(RIGHT)])
    assert hostile.passed is False, hostile
    assert neighbor.passed is True, neighbor
    assert time.monotonic() - began < LIMITS.seconds + 12
    (after,) = runner.grade([job(RIGHT)])
    assert after.passed is True, after


SCAN = """
import ctypes, os, re
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]

def scan():
    read, write = os.pipe()
    near = [id(object()), id("x" * 9000), id(os), libc.sbrk(0)]
    pages = {p for n in near for p in range((n >> 12) - 6000, (n >> 12) + 6000)}
    found = set()
    for page in pages:
        if libc.write(write, page << 12, 4096) == 4096:
            found |= set(re.findall(rb"NEEDLE-\\d{6}", os.read(read, 4096)))
    return sorted(found)
"""


def test_a_program_finds_no_earlier_program_and_no_tests_in_its_memory(runner):
    earlier = FunctionTests("f", "def check(candidate): assert candidate('NEEDLE-111111') == 1")
    before = Job("def f(text): return 1  # NEEDLE-222222" + " " * 100, earlier, LIMITS)
    assert [o.passed for o in runner.grade([before] * 4)] == [True] * 4
    for own in ("", "\nOWN = 'NEEDLE-' + '3' * 6"):
        expected = [b"NEEDLE-333333"] if own else []
        tests = FunctionTests(
            "scan", f"def check(scan): assert scan() == {expected}  # NEEDLE-444444"
        )
        (outcome,) = runner.grade([Job(SCAN + own, tests, LIMITS)])
        assert outcome.passed is True, outcome
        (execution,) = [runner.execute(SCAN + own + "\nprint(scan())", "", LIMITS)]
        assert execution.output == f"{expected}\n", execution


def test_a_program_can_write_to_no_folder_that_the_next_one_has(runner):
    program = HOSTILE["leaves a file for the next program"]
    (outcome,) = runner.grade([Job(program, TESTS, Limits(seconds=60.0))])
    assert (outcome.passed, outcome.reason) == (False, "failed"), outcome


def test_system_calls_that_no_program_needs_are_refused(runner):
    known = seccomp.MACHINES[platform.machine()]
    program = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in {[*known.refused, *known.isolating, 435, 451, 0x40000000]}:
    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
    print(result, ctypes.get_errno())
if libc.syscall({known.clone}, 17, 0, 0, 0, 0) == 0: os._exit(0)
print(libc.syscall({known.clone}, 17 | 0x10000000, 0, 0, 0, 0), ctypes.get_errno())
"""
    lines = runner.execute(program, "", LIMITS).output.split("\n")[:-1]
    refused = [f"-1 {errno.EPERM}"] * len(known.refused + known.isolating)
    assert lines == [*refused, *[f"-1 {errno.ENOSYS}"] * 3, f"-1 {errno.EPERM}"]


@pytest.mark.slow
def test_eight_threads_grade_all_of_them_as_labelled_and_leave_no_trace():
    programs = [*HOSTILE.items(), *ODD.items(), *WRONG.items()]
    random.Random(0).shuffle(programs)
    long = Limits(seconds=10.0, memory_mb=256)
    runner = runner_or_skip(lambda: BubblewrapRunner(8))
    before = descendants(os.getpid(), "host.py"), Path(bubblewrap.HOST).read_bytes()

    def grade(share: list[tuple[str, str]]) -> dict[str, list[bool | None]]:
        """The grades of programs, each with that of a right one next to it."""
        graded = {}
        for name, program in share:
            pair = [Job(text, replace(TESTS, task_set="a"), long) for text in (program, RIGHT)]
            graded[name] = [outcome.passed for outcome in runner.grade(pair)]
        return graded

    with ThreadPoolExecutor(8) as pool:
        shares = list(pool.map(grade, [programs[n::8] for n in range(8)]))
    grades = {name: pair for share in shares for name, pair in share.items()}
    assert grades == {name: [name in ODD, True] for name, _ in programs}
    runner.close()
    time.sleep(0.5)
    assert len(descendants(os.getpid(), "host.py")) < len(before[0])
    assert Path(bubblewrap.HOST).read_bytes() == before[1]
    for folder in ("/usr/lib", "/home", "/", "/tmp"):
        assert not (Path(folder) / "escaped").exists()


def test_nothing_is_left_of_a_closed_runner():
    runner = runner_or_skip(lambda: BubblewrapRunner(1))
    runner.grade([job(RIGHT)])
    hosts = len(descendants(os.getpid(), "host.py"))
    runner.grade([job(HOSTILE["leaves a process"]), job(HOSTILE["daemon"])])
    assert len(descendants(os.getpid(), "host.py")) == hosts  # of the jobs, nothing is left
    runner.close()
    time.sleep(0.5)
    assert len(descendants(os.getpid(), "host.py")) < hosts


def descendants(root: int, word: str) -> list[str]:
    """Command lines with a word, of the processes that descend from `root`."""
    parents, lines = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{entry}/cmdline") as file:
                lines[int(entry)] = file.read().replace("\0", " ")
        except OSError:
            continue

    def under(pid: int) -> bool:
        while pid in parents and pid != root:
            pid = parents[pid]
        return pid == root

    return [line for pid, line in lines.items() if word in line and under(pid)]
