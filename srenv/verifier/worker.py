"""The process that compares answers with math-verify: a script, started by `symbolic`.

It imports nothing of srenv, reads one job a line (``{"gold", "answer", "limit"}``) and answers each
with one line. It has no memory, files or processes to spare for what a text might ask for.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import IO, Any

MEMORY_LIMIT = 1 << 30
"""Bytes of address space, where the system can limit it."""

Decision = tuple[bool | None, str]


def _serve() -> None:
    """Answer jobs from standard input until it closes."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout = sys.stderr  # nothing that a library prints may pass for a reply
    compare_latex = _comparer()
    _confine()
    _send(replies, {"ready": True})
    for line in sys.stdin.buffer:
        job = json.loads(line)
        _arm(job["limit"] + 1)
        correct, reason = compare_latex(job["gold"], job["answer"])
        _arm(0)
        _send(replies, {"correct": correct, "reason": reason})


def _send(pipe: IO[bytes], reply: dict[str, Any]) -> None:
    pipe.write(json.dumps(reply).encode() + b"\n")


def _arm(seconds: float) -> None:
    """Let the system end this process later: a worker whose caller has died must not run on."""
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
