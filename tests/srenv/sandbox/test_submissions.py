"""Labelled submissions: graded as labelled, alone and with eight at a time, and without traces."""

from __future__ import annotations

import os
import time

import pytest

from srenv.sandbox import Job, Limits
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


@pytest.mark.slow
def test_all_of_them_with_eight_at_a_time():
    runner = runner_or_skip(lambda: BubblewrapRunner(8))
    programs = {**HOSTILE, **ODD, **WRONG}
    expected = {name: name in ODD for name in programs}
    long = Limits(seconds=10.0, memory_mb=256)
    outcomes = runner.grade([Job(program, TESTS, long) for program in programs.values()])
    graded = {name: o.passed for name, o in zip(programs, outcomes, strict=True)}
    assert graded == expected
    runner.close()


def test_nothing_is_left_of_a_closed_runner():
    runner = runner_or_skip(lambda: BubblewrapRunner(1))
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
