"""Worker processes that any thread may ask, and that may be killed at any time.

Processes start when they are first needed, are shared by everything in this process, and end with
it. The clock of a comparison starts when a process gets it, not while it waits for one. Nothing
here uses signals, and a forked or spawned copy of this process starts workers of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from srenv.verifier.grade import Decision

POOL_SIZE = 2
"""Most processes at a time; the second starts when two threads compare at once."""

TIME_LIMIT = 0.3
"""Seconds of a comparison, after which the worker gives it up."""

PATIENCE = 0.12
"""Seconds that the worker may be late with its reply before it is killed and replaced."""

START_LIMIT = 60.0
"""Seconds that a worker may take to import SymPy."""

_SCRIPT = str(Path(__file__).with_name("worker.py"))
_BOOT = (
    "import runpy, sys; sys.path[:] = sys.argv[2:]; runpy.run_path(sys.argv[1], None, '__main__')"
)


class Worker:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        # Run as a script with the caller's own import path: nothing else of srenv, nothing of the
        # caller's __main__ is imported. A session of its own keeps Ctrl-C from reaching it.
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-c", _BOOT, _SCRIPT, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self.killed = False

    def wait(self) -> None:
        """Waits until it is ready.

        Raises:
            OSError: The process is not ready in time, or died.
        """
        try:
            self._reply(START_LIMIT)
        except (TimeoutError, EOFError) as error:
            raise OSError("the verifier's worker does not start") from error

    def ask(self, gold: str, answer: str) -> Decision:
        """Compares two normalized answers.

        Raises:
            TimeoutError: The reply is late.
            EOFError: The process died. After both, the process has ended.
        """
        assert self.process.stdin is not None
        job = {"gold": gold, "answer": answer, "limit": TIME_LIMIT}
        try:
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
        except BrokenPipeError:
            self.end()
            raise EOFError from None
        reply = self._reply(TIME_LIMIT + PATIENCE)
        return reply["correct"], reply["reason"]

    def _reply(self, limit: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        alarm = threading.Timer(limit, self._kill)
        alarm.daemon = True
        alarm.start()
        try:
            line = self.process.stdout.readline()
        finally:
            alarm.cancel()
            alarm.join()
        # A reply that came in time counts, even where this process was too busy to read it: a
        # collection of garbage in a large one takes longer than a comparison.
        if not line.endswith(b"\n"):
            self.end()
            raise TimeoutError if self.killed else EOFError
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _kill(self) -> None:
        self.killed = True
        self.process.kill()

    def end(self) -> None:
        """Ends the process and wait for it."""
        self.process.kill()
        self.hang_up()
        self.process.wait()

    def hang_up(self) -> None:
        """Closes the pipes; a process whose pipes close ends by itself."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Pool:
    """Up to `POOL_SIZE` workers for all threads.

    Attributes:
        workers: All that run.
        idle: Those that nobody is asking.
        changed: Guards both, and wakes those who wait for a worker.
    """

    def __init__(self) -> None:
        self.idle: list[Worker] = []
        self.workers: set[Worker] = set()
        self._started = 0
        self.changed = threading.Condition()
        self._closed = False

    def ask(self, gold: str, answer: str) -> Decision:
        """Compares two normalized answers; undecided where the worker is late or lost."""
        try:
            worker = self._take()
        except (OSError, RuntimeError, ValueError):  # no process to be had
            return None, "unavailable"
        try:
            decision = worker.ask(gold, answer)
        except TimeoutError:
            self._replace(worker)
            return None, "timeout"
        except (EOFError, OSError, ValueError):
            self._replace(worker)
            return None, "crashed"
        except BaseException:  # an interrupt: the reply still to come must not be read
            worker.end()
            self._lose(worker)
            raise
        if worker.killed:  # right behind its reply
            self._replace(worker)
        else:
            self._give(worker)
        return decision

    def _take(self) -> Worker:
        with self.changed:
            while not self.idle and self._started >= POOL_SIZE:
                self.changed.wait()
            if self.idle:
                return self.idle.pop()
            self._started += 1
        try:
            return self._start()
        except BaseException:
            with self.changed:
                self._started -= 1
                self.changed.notify()
            raise

    def _start(self) -> Worker:
        worker = Worker()
        with self.changed:
            self.workers.add(worker)
            closed = self._closed
        if closed:
            worker.end()
            raise RuntimeError("the interpreter is closing")
        worker.wait()
        return worker

    def _give(self, worker: Worker) -> None:
        with self.changed:
            self.idle.append(worker)
            self.changed.notify()

    def _lose(self, worker: Worker) -> None:
        with self.changed:
            self.workers.discard(worker)
            self._started -= 1
            self.changed.notify()

    def _replace(self, worker: Worker) -> None:
        """Starts another worker in the background in place of a dead one."""
        worker.end()
        with self.changed:
            self.workers.discard(worker)

        def start() -> None:
            try:
                self._give(self._start())
            except (OSError, RuntimeError, ValueError):
                self._lose(worker)

        try:
            threading.Thread(target=start, name="srenv-verifier-restart", daemon=True).start()
        except RuntimeError:  # no thread to be had: the next comparison starts one
            self._lose(worker)

    def close(self, inherited: bool = False) -> None:
        """Ends all workers; those of a parent process are left to it."""
        self._closed = True
        for worker in list(self.workers):
            if inherited:
                worker.process.returncode = 0  # not our child: nothing to wait for
                worker.hang_up()
            else:
                worker.end()


shared = Pool()
"""The pool of this process."""


def ask_worker(gold: str, answer: str) -> Decision:
    """Compares two normalized answers in a worker of this process."""
    return shared.ask(gold, answer)


def _after_fork() -> None:
    """Leaves the parent's workers to the parent; locks may have been copied in a locked state."""
    global shared
    inherited, shared = shared, Pool()
    inherited.close(inherited=True)


atexit.register(lambda: shared.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
