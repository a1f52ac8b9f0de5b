"""The process that compares answers with math-verify: a script, started by `pool`.

It imports nothing of srenv. It loads SymPy once, then forks a child that does the work: a child
that takes too long is killed and the next one is there within milliseconds. It reads one job a line
(``{"gold", "answer", "limit"}``) and answers each with one line. If the system cannot fork, it
does the work itself, and its caller kills and restarts it as a whole.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import select
import signal
import sys
from collections.abc import Callable
from typing import IO, Any

MEMORY_LIMIT = 64 << 20
"""Bytes of address space that a comparison may take, where the system can limit it."""

Decision = tuple[bool | None, str]
Comparer = Callable[[str, str], Decision]


def main() -> None:
    """Answers jobs from standard input until it closes."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout = sys.stderr  # nothing that a library prints may pass for a reply
    compare = load_comparer()
    _send(replies, {"ready": True})
    if hasattr(os, "fork"):
        _supervise(sys.stdin.buffer, replies, compare)
    else:
        confine()
        _work(sys.stdin.buffer, replies, compare)


def _send(pipe: IO[bytes], reply: dict[str, Any]) -> None:
    pipe.write(json.dumps(reply).encode() + b"\n")


def _work(jobs: IO[bytes], replies: IO[bytes], compare: Comparer) -> None:
    for line in jobs:
        job = json.loads(line)
        _arm(4 * job["limit"])
        correct, reason = compare(job["gold"], job["answer"])
        _arm(0)
        _send(replies, {"correct": correct, "reason": reason})


def _arm(seconds: float) -> None:
    """Lets the system end this process later, should nobody be left to do it."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


# --- one child after another -------------------------------------------------------------------


class _Child:
    """A forked process that works on one job at a time."""

    def __init__(self, compare: Comparer) -> None:
        job_read, job_write = os.pipe()
        reply_read, reply_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(job_write)
            os.close(reply_read)
            os.close(0)
            with contextlib.suppress(BaseException):
                pipes = os.fdopen(job_read, "rb"), os.fdopen(reply_write, "wb", 0)
                confine()
                _work(*pipes, compare)
            os._exit(1)
        os.close(job_read)
        os.close(reply_write)
        self.jobs = os.fdopen(job_write, "wb", buffering=0)
        self.replies = os.fdopen(reply_read, "rb", buffering=0)

    def ask(self, line: bytes, limit: float) -> bytes | None:
        """Returns the reply to a job, empty from a dead child; None where it takes too long."""
        try:
            self.jobs.write(line)
        except BrokenPipeError:
            return b""
        ready, _, _ = select.select([self.replies], [], [], limit)
        return self.replies.readline() if ready else None

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.jobs.close()
        self.replies.close()


def _supervise(jobs: IO[bytes], replies: IO[bytes], compare: Comparer) -> None:
    gc.freeze()  # what SymPy has loaded stays shared with the children
    child = _Child(compare)
    for line in jobs:
        reply = child.ask(line, json.loads(line)["limit"])
        if reply:
            replies.write(reply)
            continue
        _send(replies, {"correct": None, "reason": "timeout" if reply is None else "crashed"})
        child.end()  # behind the reply: the caller need not wait for it
        child = _Child(compare)
    child.end()


def confine() -> None:
    """Takes away memory, files, processes and the compiler. A second line of defense."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = used + MEMORY_LIMIT
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass

    banned = ("os.", "subprocess.", "socket.", "ctypes.", "shutil.", "pty.")

    def audit(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        compiles = event == "compile" and not is_library_code(*args)
        forbidden = event.startswith(banned) and event not in ("os.listdir", "os.scandir")
        if writes or compiles or forbidden:
            raise PermissionError(event)

    sys.addaudithook(audit)


def is_library_code(source: object, filename: object) -> bool:
    """Whether what is compiled is a module, or what SymPy's polynomials write for themselves.

    The latter depends on a number of variables and on nothing else.
    """
    own = isinstance(source, bytes) and source.startswith(b"def monomial_")
    return own or str(filename).endswith(".py")


# --- comparing ---------------------------------------------------------------------------------


def load_comparer() -> Comparer:
    """Imports SymPy and return the comparison of two LaTeX strings."""
    replace_parse_expr()
    import math_verify
    from latex2sympy2_extended import NormalizationConfig

    # Units are taken off before, and more carefully: this one strips the variable `t` as a unit.
    norm = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last")
    # LaTeX alone: the extraction of plain expressions would hand the text to `parse_expr`.
    reading = [math_verify.LatexExtractionConfig(True, 0, norm)]

    def parse(latex: str) -> Any:
        parsed = math_verify.parse(
            rf"\boxed{{{_to_latex(latex)}}}",
            extraction_config=reading,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
        )
        return parsed[0] if parsed else None

    def compare(gold: str, answer: str) -> Decision:
        try:
            gold_value = parse(gold)
            if gold_value is None or isinstance(gold_value, str):
                return None, "unparsable_gold"
            answer_value = parse(answer)
            if answer_value is None or isinstance(answer_value, str):
                return False, "unparsable_answer"
            equal = math_verify.verify(gold_value, answer_value, timeout_seconds=None)
            return bool(equal and _confirm(gold_value, answer_value)), "symbolic"
        except Exception:
            return None, "crashed"

    compare("x+1", "1+x")  # the first parse builds tables: part of the start, not of a job
    return compare


def replace_parse_expr() -> None:
    """Puts a reader of numerals in the place of SymPy's `parse_expr`, which evaluates text.

    Even the LaTeX path hands its numerals to `sympify`, which hands strings to `parse_expr`. This
    must run before math-verify is imported, so that no module holds the original.
    """
    import fractions

    import sympy
    from sympy.parsing import sympy_parser

    def numeral(text: str, *_: Any, **__: Any) -> Any:
        if re.fullmatch(r"[+-]?[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400}", text) is None:
            raise ValueError("text is never evaluated")
        value = fractions.Fraction(text.removesuffix("."))
        return sympy.Rational(value.numerator, value.denominator)

    sympy_parser.parse_expr = numeral
    sympy.parse_expr = sympy.parsing.parse_expr = numeral


_PLAIN = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r"\\cdot "),
    (re.compile(r"\^\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"(?<![\\A-Za-z])sqrt\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])(sin|cos|tan|ln|log|exp|pi|theta)(?![A-Za-z])"), r"\\\1 "),
)


def _to_latex(text: str) -> str:
    """Writes plain formulas, as in `2*sqrt(3)`, as LaTeX."""
    for pattern, latex in _PLAIN:
        text = pattern.sub(latex, text)
    return text


def _confirm(gold: Any, answer: Any) -> bool:
    """Checks two numbers that were called equal: math-verify rounds small ones to zero."""
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
    main()
