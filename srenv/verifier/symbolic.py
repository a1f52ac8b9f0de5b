r"""Compare answers symbolically, by math-verify, under limits that hold.

math-verify and SymPy may take for ever on a few characters, and their own limit is an alarm signal
that only the main thread can use. So they run in another process, which any thread may kill:

* `refuse` turns away what is large or foreign, before anything is parsed;
* `compare` hands the rest to one worker process, waits `TIME_LIMIT` seconds, then kills it;
* the worker (this file, run as a script) reads a JSON line, answers with one, and may neither
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
from collections.abc import Callable
from typing import IO, Any

TIME_LIMIT = 2.0
"""Seconds that one comparison may take, counted from when the worker gets it."""

START_LIMIT = 60.0
"""Seconds that the worker may take to import SymPy."""

MEMORY_LIMIT = 1 << 30
"""Bytes of address space of the worker, where the system can limit it."""

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


# --- the worker, seen from the caller ----------------------------------------------------------

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
                reply = self._ask({"gold": gold, "answer": answer}, TIME_LIMIT)
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
            [sys.executable, "-B", "-c", _BOOT, __file__, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self._ask(None, START_LIMIT)

    def _ask(self, job: dict[str, str] | None, limit: float) -> dict[str, Any]:
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


# --- the worker, seen from inside --------------------------------------------------------------


def _serve() -> None:
    """Answer jobs from standard input until it closes."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout = sys.stderr  # nothing that a library prints may pass for a reply
    compare_latex = _comparer()
    _confine()
    _send(replies, {"ready": True})
    for line in sys.stdin.buffer:
        job = json.loads(line)
        _arm(TIME_LIMIT + 1)
        correct, reason = compare_latex(job["gold"], job["answer"])
        _arm(0)
        _send(replies, {"correct": correct, "reason": reason})


def _send(pipe: IO[bytes], reply: dict[str, Any]) -> None:
    pipe.write(json.dumps(reply).encode() + b"\n")


def _arm(seconds: float) -> None:
    """Let the system end this process later: a worker whose caller has died must not run on."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _confine() -> None:
    """Take away memory, files and processes. No rule here needs them; a second line of defence."""
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass

    banned = ("os.", "subprocess.", "socket.", "ctypes.", "shutil.", "pty.")

    def audit(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or (event.startswith(banned) and event not in ("os.listdir", "os.scandir")):
            raise PermissionError(event)

    sys.addaudithook(audit)


def _comparer() -> Callable[[str, str], Decision]:
    """Import SymPy and return the comparison of two LaTeX strings."""
    import math_verify
    import sympy
    from latex2sympy2_extended import NormalizationConfig

    # Units are taken off before, and more carefully: this one strips the variable `t` as a unit.
    norm = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last")
    imaginary = sympy.Symbol("i", real=False)  # what math-verify makes of it
    reading = [math_verify.LatexExtractionConfig(True, 0, norm)]

    def parse(latex: str) -> Any:
        found = math_verify.parse(
            rf"\boxed{{{_to_latex(latex)}}}",
            extraction_config=reading,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        if not found or imaginary not in found[0].free_symbols:
            return found[0] if found else None
        return found[0].xreplace({imaginary: sympy.I})

    def compare_latex(gold: str, answer: str) -> Decision:
        wanted = parse(gold)
        if wanted is None:
            return None, "unparsable_gold"
        given = parse(answer)
        if given is None:
            return False, "unparsable_answer"
        try:
            wanted, given = _as_sets(wanted, given)
            equal = math_verify.verify(wanted, given, timeout_seconds=None)
            return bool(equal and _confirm(wanted, given)), "symbolic"
        except Exception:
            return False, "symbolic"

    compare_latex("x+1", "1+x")  # the first parse builds tables: part of the start, not of a job
    return compare_latex


_PLAIN = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"\^\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"(?<![\\A-Za-z])sqrt\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])(sin|cos|tan|ln|log|exp|pi|theta)(?![A-Za-z])"), r"\\\1 "),
    # Apart from its neighbours, the imaginary unit is recognised as such.
    (re.compile(r"(?<![A-Za-z\\_{])i(?![A-Za-z])|(?<=\^\{)i(?![A-Za-z])"), " i "),
)


def _to_latex(text: str) -> str:
    """Write plain formulas, as in `2*sqrt(3)`, as LaTeX."""
    for pattern, latex in _PLAIN:
        text = pattern.sub(latex, text)
    return text


def _as_sets(gold: Any, answer: Any) -> tuple[Any, Any]:
    """Put solved inequalities as the sets they describe, where that makes both sides sets."""
    import sympy

    first, second = _solution_set(gold), _solution_set(answer)
    if first is not None and second is not None:
        same = gold.free_symbols == answer.free_symbols
        return (first, second) if same else (gold, answer)
    if first is not None and isinstance(answer, sympy.Set):
        return first, answer
    if second is not None and isinstance(gold, sympy.Set):
        return gold, second
    return gold, answer


def _solution_set(side: Any) -> Any:
    """Return the set that a solved inequality describes, such as `x > 3`, or None.

    An inequality that still has to be solved may be no more than the problem: it has no set here.
    """
    import sympy

    parts = side.args if isinstance(side, sympy.And) else (side,)
    for part in parts:
        if not isinstance(part, sympy.core.relational.Relational):
            return None
        if not any(a.is_Symbol and b.is_number for a, b in (part.args, part.args[::-1])):
            return None
    return sympy.And(*parts).as_set() if len(side.free_symbols) == 1 else None


def _confirm(gold: Any, answer: Any) -> bool:
    """Check two numbers that were called equal: math-verify rounds small ones to zero."""
    import sympy

    if type(gold) is type(answer) and isinstance(gold, (sympy.Tuple, sympy.Interval)):
        return all(map(_confirm, gold.args, answer.args))
    if not all(isinstance(side, sympy.Expr) and side.is_number for side in (gold, answer)):
        return True
    left, right = gold.doit(), answer.doit()
    if left == right or (left.is_Rational and right.is_Rational):
        return bool(left == right and left not in (sympy.nan, sympy.zoo))
    gap, size = abs((left - right).evalf(30)), abs(left.evalf(30))
    return bool(size.is_finite and gap <= size * sympy.Float("1e-11"))


if __name__ == "__main__":
    _serve()
