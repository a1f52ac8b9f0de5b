r"""Compare answers symbolically, by math-verify, under limits that hold.

math-verify and SymPy may take for ever on a few characters, and their own limit is an alarm signal
that only the main thread can use. So they run in another process, which any thread may kill:

* `refuse` turns away what is large or foreign, before anything is parsed;
* `compare` hands the rest to one worker process, waits `TIME_LIMIT` seconds, then kills it;
* the worker (``worker.py``, run as a script) reads a JSON line, answers with one, and may neither
  write files nor start processes.

The calling process imports neither math-verify nor SymPy.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

TIME_LIMIT = 2.0
"""Seconds that one comparison may take, counted from when the worker gets it."""

START_LIMIT = 60.0
"""Seconds that the worker may take to import SymPy."""

LENGTH_LIMIT = 1_000
DEPTH_LIMIT = 12
DIGIT_LIMIT = 60
POWER_LIMIT = 24
EXPONENT_LIMIT = 5_000

Decision = tuple[bool | None, str]

# --- what is worth parsing ---------------------------------------------------------------------

# Commands that math-verify reads as what they mean. It drops or confuses others, and would take
# `\overrightarrow{AB}` for `\overrightarrow{BA}`; integrals, sums and limits it would evaluate.
_COMMANDS = """
    frac sqrt pi infty cup times cdot div pm mp ln log lg exp sin cos tan cot sec csc arcsin
    arccos arctan sinh cosh tanh le ge lt gt in binom lfloor rfloor lceil rceil lvert rvert vert
    begin end mathbb emptyset setminus gcd lcm min max circ imath
    alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi rho sigma tau
    phi varphi chi psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega
"""
_KNOWN = frozenset(_COMMANDS.split())
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{(?:[pbvB]?matrix|array)\}(?:\{[lcr|]*\})?")
_WORD = re.compile(
    r"(?<![\\A-Za-z])(?!(?:and|sqrt|sin|cos|tan|log|exp|theta)(?![A-Za-z]))[A-Za-z]{3,}"
)
_DIGITS = re.compile(rf"[0-9]{{{DIGIT_LIMIT},}}")
_EXPONENT = re.compile(r"\^\s*\{?\s*[-+]?\s*([0-9]+)")
_TOWER = re.compile(r"\^\s*\{[^{}]*\^\s*\{?[^{}]*\^")
_FACTORIAL = re.compile(r"[0-9]{4,}\s*!|[)}!]\s*!")


def refuse(latex: str) -> str | None:
    """Say why an answer is not worth parsing.

    Args:
        latex: A result of `srenv.verifier.exact.normalise`.

    Returns:
        ``"too_large"``, ``"unparsable"``, or None for an answer that may be parsed.
    """
    if len(latex) > LENGTH_LIMIT or _DIGITS.search(latex) or latex.count("^") > POWER_LIMIT:
        return "too_large"
    if any(len(e) > 4 or int(e) > EXPONENT_LIMIT for e in _EXPONENT.findall(latex)):
        return "too_large"
    if _TOWER.search(latex) or _FACTORIAL.search(latex):
        return "too_large"
    depth = deepest = 0
    for char in latex.replace(r"\{", "(").replace(r"\}", ")"):
        depth += (char in "{([") - (char in "})]")
        deepest = max(deepest, depth)
    if deepest > DEPTH_LIMIT:
        return "too_large"
    bare = _ENVIRONMENT.sub("", latex)
    known = all(c in _KNOWN or c in r"\{}%|" for c in _COMMAND.findall(bare))
    readable = known and not _WORD.search(bare) and not re.search(r"[?#@$`'\"]|[^\x20-\x7e]", bare)
    balanced = latex.count("{") == latex.count("}")
    return None if readable and balanced and latex else "unparsable"


def compare(gold: str, answer: str) -> Decision:
    """Compare two normalised answers symbolically; never raises, and returns in bounded time.

    Args:
        gold: The gold answer.
        answer: The answer to check.

    Returns:
        The decision and its rule. A time-out or a dead worker leaves the answer undecided, under
        a reason in `PASSING`.
    """
    for text, name in ((gold, "gold"), (answer, "answer")):
        reason = refuse(text)
        if reason == "too_large":
            return None, reason
        if reason is not None:
            return (None if name == "gold" else False), f"unparsable_{name}"
    if gold != answer and gold.casefold() == answer.casefold():
        return False, "symbolic"  # math-verify takes `x` for `X`
    return _worker.compare(gold, answer)


PASSING = frozenset({"timeout", "crashed", "unavailable"})
"""Reasons that say something about this moment and not about the answers: never cached."""


# --- the worker --------------------------------------------------------------------------------

_WORKER = str(Path(__file__).with_name("worker.py"))

_BOOT = (
    "import runpy, sys; sys.path[:] = sys.argv[2:]; runpy.run_path(sys.argv[1], None, '__main__')"
)


class _Worker:
    """One process that compares, shared by all threads; started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def compare(self, gold: str, answer: str) -> Decision:
        with self._lock:
            try:
                if self._process is None or self._process.poll() is not None:
                    self._start()
                reply = self._ask({"gold": gold, "answer": answer, "limit": TIME_LIMIT}, TIME_LIMIT)
                return reply["correct"], reply["reason"]
            except TimeoutError:
                return None, "timeout"
            except EOFError:
                return None, "crashed"
            except (OSError, RuntimeError, ValueError):  # no process, or no thread, to be had
                self.stop()
                return None, "unavailable"
            except BaseException:  # an interrupt: the reply still to come must not be read
                self.stop()
                raise

    def _start(self) -> None:
        # Run as a script with the caller's own import path: nothing else of srenv, nothing of the
        # caller's __main__ is imported. A session of its own keeps Ctrl-C from reaching it.
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
        self._ask(None, START_LIMIT)

    def _ask(self, job: dict[str, Any] | None, limit: float) -> dict[str, Any]:
        """Send a job and wait for its reply; a worker that is late or dead is gone on return."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        began = time.monotonic()
        alarm = threading.Timer(limit, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            if job is not None:
                process.stdin.write(json.dumps(job).encode() + b"\n")
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            alarm.cancel()
        late = time.monotonic() - began >= limit
        if late or not line.endswith(b"\n"):
            self.stop()
            raise TimeoutError if late else EOFError
        reply: dict[str, Any] = json.loads(line)
        return reply

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            self.hang_up(process)
            process.wait()

    @staticmethod
    def hang_up(process: subprocess.Popen[bytes]) -> None:
        """Close the pipes to a process."""
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


_worker = _Worker()


def _after_fork() -> None:
    """Leave the parent's worker to the parent; the lock may have been copied in a locked state."""
    global _worker
    inherited, _worker = _worker._process, _Worker()
    if inherited is not None:
        inherited.returncode = 0  # not our child: nothing to wait for
        _worker.hang_up(inherited)


atexit.register(lambda: _worker.stop())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
