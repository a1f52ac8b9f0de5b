"""The worker processes: late, dead, killed, missing or orphaned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from srenv.verifier import verify
from srenv.verifier.symbolic import pool
from tests.support.verifier import FOR_A_WORKER, SLOW


def test_slow_comparison_is_undecided(workers: pool.Pool) -> None:
    process = next(iter(workers.workers)).process
    began = time.perf_counter()
    assert pool.ask_worker(*SLOW) == (None, "timeout")
    assert time.perf_counter() - began < 2
    for gold, _ in FOR_A_WORKER[:3]:
        assert pool.ask_worker(gold, gold)[0] is not False
    assert pool.ask_worker("y+2", "2+y") == (True, "symbolic")
    assert process.poll() is None  # only its child was killed


def test_timeouts_are_not_cached(workers: pool.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(None, "timeout"), (True, "symbolic")])
    monkeypatch.setattr(pool, "ask_worker", lambda *_: next(answers))
    pair = (r"\max\{a,b\}", r"\max\{b,a\}")
    assert verify(*pair).correct is None
    assert verify(*pair).correct is True
    assert verify(*pair).correct is True


def test_killed_worker_is_replaced(workers: pool.Pool) -> None:
    victim = workers.idle[-1].process
    victim.kill()
    victim.wait()
    assert pool.ask_worker("b+1", "1+b")[1] in ("crashed", "symbolic")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and pool.ask_worker("c+1", "1+c") != (True, "symbolic"):
        time.sleep(0.05)
    assert victim not in [worker.process for worker in workers.workers]
    assert len(workers.workers) <= pool.POOL_SIZE


def test_late_worker_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller does not trust the worker to keep time."""
    own = pool.Pool()
    assert own.ask("x+1", "1+x") == (True, "symbolic")
    worker = own.idle[-1]
    os.kill(worker.process.pid, signal.SIGSTOP)
    began = time.perf_counter()
    assert own.ask("a+1", "1+a") == (None, "timeout")
    assert time.perf_counter() - began < 5
    assert worker.process.poll() is not None
    assert own.ask("a+1", "1+a") == (True, "symbolic")  # waits for the replacement
    own.close()


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(pool.subprocess, "Popen", refuse)
    assert pool.Pool().ask("x+1", "1+x") == (None, "unavailable")


def test_threads_share_the_workers(workers: pool.Pool) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: pool.ask_worker(f"x+{n}", f"{n}+x"), range(40)))
    assert found == [(True, "symbolic")] * 40
    assert len(workers.workers) <= pool.POOL_SIZE


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_workers_end_with_their_caller() -> None:
    code = (
        "import os, signal, threading, time\n"
        "from srenv.verifier.symbolic import pool\n"
        "pool.ask_worker('x+1', '1+x')\n"
        "print(next(iter(pool.shared.workers)).process.pid, flush=True)\n"
        f"threading.Thread(target=pool.ask_worker, args={SLOW!r}).start()\n"
        "time.sleep(0.05); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    worker = int(done.stdout)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and _alive(worker):
        time.sleep(0.1)
    assert not _alive(worker)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_busy_caller_still_gets_its_grade(workers: pool.Pool) -> None:
    """This process may be held up for longer than a comparison may take."""
    done = threading.Event()

    def hog() -> None:
        while not done.is_set():
            pass

    usual = sys.getswitchinterval()
    thread = threading.Thread(target=hog, daemon=True)
    thread.start()
    sys.setswitchinterval(0.6)
    try:
        found = [workers.ask(f"x+{k}", f"{k}+x") for k in range(2)]
    finally:
        done.set()
        sys.setswitchinterval(usual)
    assert found == [(True, "symbolic")] * 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_memory_stays_bounded(workers: pool.Pool) -> None:
    """Two workers with their children, both at a hostile job, stay below 200 MB of own memory."""
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(pool.ask_worker, *SLOW) for _ in range(4)]
        most = 0
        while not all(job.done() for job in jobs):
            pids = [worker.process.pid for worker in list(workers.workers)]
            family = pids + [child for pid in pids for child in _descendants(pid)]
            most = max(most, sum(map(_own_memory, family)))
            time.sleep(0.01)
    assert 0 < most < 200 << 20


def _descendants(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    threads = Path(f"/proc/{pid}/task")
    try:
        text = " ".join((task / "children").read_text() for task in threads.iterdir())
    except OSError:
        text = path.read_text() if path.exists() else ""
    children = [int(child) for child in text.split()]
    return children + [inner for child in children for inner in _descendants(child)]


def _own_memory(pid: int) -> int:
    """Return the proportional set size: memory shared by two processes counts half for each."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0
