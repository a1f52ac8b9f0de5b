"""Algebra by SymPy, in a process that is killed when it takes too long."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from srenv.tools.expression import ExpressionError, parse

TIME_LIMIT = 2.0
"""Seconds for one formula, after which the worker process is killed."""

START_LIMIT = 60.0
"""Seconds for the worker process to import SymPy."""

_WORKER = str(Path(__file__).with_name("worker.py"))
_BOOT = (
    "import runpy, sys; sys.path[:] = sys.argv[2:]; runpy.run_path(sys.argv[1], None, '__main__')"
)


def transform(text: str) -> str:
    """Simplifies a formula with letters, or transforms it as its outer call says.

    Calls are ``simplify``, ``expand``, ``factor``, ``solve(equation, x)``, ``diff(f, x)``,
    ``integrate(f, x)`` and the elementary functions. Length, depth and digits of the formula are
    limited (`srenv.verifier.symbolic.screen`), and so are the time (`TIME_LIMIT`) and the memory.

    Raises:
        ExpressionError: It cannot be transformed; the message says why in a few words.

    Example:
        >>> transform("factor(x^2 - 1)"), transform("solve(3x + 4 = 10, x)")
        ('(x - 1)*(x + 1)', '[2]')
    """
    reply = _process.ask(parse(text))
    if "error" in reply:
        raise ExpressionError(str(reply["error"]))
    return str(reply["result"])


class _Process:
    """A worker process shared by all threads, started on first use and killed when it is late."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, node: Any) -> dict[str, Any]:
        with self._lock:
            try:
                if self._process is None or self._process.poll() is not None:
                    self._start()
                return self._exchange(json.dumps(node).encode() + b"\n", TIME_LIMIT)
            except TimeoutError:
                return {"error": "took too long"}
            except (OSError, EOFError, ValueError):
                self.stop()
                return {"error": "not available"}
            except BaseException:  # an interrupt: the reply still to come must not be read
                self.stop()
                raise

    def _start(self) -> None:
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-c", _BOOT, _WORKER, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self._exchange(b"", START_LIMIT)

    def _exchange(self, message: bytes, limit: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        began = time.monotonic()
        alarm = threading.Timer(limit, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            process.stdin.write(message)
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            alarm.cancel()
        if not line.endswith(b"\n"):
            self.stop()
            raise TimeoutError if time.monotonic() - began >= limit else EOFError
        reply: dict[str, Any] = json.loads(line)
        return reply

    def stop(self) -> None:
        """Kills the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            _hang_up(process)
            process.wait()


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


_process = _Process()


def _after_fork() -> None:
    """Forgets the parent's worker process in a forked child."""
    global _process
    inherited, _process = _process._process, _Process()
    if inherited is not None:
        inherited.returncode = 0  # not our child: nothing to wait for
        _hang_up(inherited)


atexit.register(lambda: _process.stop())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
