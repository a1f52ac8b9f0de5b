"""The verifier in threads, forks and spawned processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from srenv.verifier import clear_cache, verify, verify_batch
from srenv.verifier.symbolic import pool
from tests.support.verifier import mixed_pairs


def test_threads_grade_as_one_thread_does() -> None:
    pairs = mixed_pairs(10_000)
    clear_cache()
    alone = [(grade.correct, grade.reason) for grade in verify_batch(pairs)]
    assert None not in [correct for correct, _ in alone]
    clear_cache()
    orders = [random.Random(seed).sample(range(len(pairs)), len(pairs)) for seed in range(8)]

    def judge(order: list[int]) -> dict[int, tuple[bool | None, str]]:
        found = {n: verify(*pairs[n]) for n in order[: len(pairs) // 4]}
        return {n: (grade.correct, grade.reason) for n, grade in found.items()}

    with ThreadPoolExecutor(8) as threads:
        found = {n: judged for part in threads.map(judge, orders) for n, judged in part.items()}
    assert {n: judged for n, judged in found.items() if judged != alone[n]} == {}


def grade_elsewhere(pair: tuple[str, str]) -> tuple[bool | None, bool | None]:
    return verify(*pair).correct, pool.ask_worker("d+1", "1+d")[0]


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_every_start_method(method: str, workers: pool.Pool) -> None:
    context = multiprocessing.get_context(method)
    with context.Pool(1) as processes:
        result = processes.apply_async(grade_elsewhere, ((r"\sqrt{8}", r"2\sqrt{2}"),))
        assert result.get(timeout=120) == (True, True)
    assert pool.ask_worker("e+x", "x+e") == (True, "symbolic")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_while_locks_are_held(workers: pool.Pool) -> None:
    from srenv.verifier.values import equality

    with workers.changed, equality.lock:  # held by another thread at the moment of the fork
        child = os.fork()
        if child == 0:
            right = verify(r"\sqrt{18}", r"3\sqrt{2}").correct and pool.ask_worker("d+1", "1+d")[0]
            os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.ask_worker("e+x", "x+e") == (True, "symbolic")


def test_other_thread_than_the_main_one() -> None:
    results: list[bool | None] = []
    thread = threading.Thread(target=lambda: results.append(pool.ask_worker("x+y", "y+x")[0]))
    thread.start()
    thread.join(60)
    assert results == [True]
