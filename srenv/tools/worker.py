"""The worker process of `srenv.tools.algebra`: a script that builds SymPy objects from trees.

It reads trees of `srenv.tools.expression` as JSON, one a line, and answers each with one line. No
text of a model reaches SymPy's own parser, which would evaluate it as Python.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

MEMORY_LIMIT = 1 << 30
"""Bytes of address space."""

RESULT_LIMIT = 200
"""Maximum characters of a result."""

EXPONENT_LIMIT = 64
"""Maximum absolute value of a numeric exponent."""

ELEMENTARY = {
    *("sqrt", "exp", "log", "ln", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("Abs", "gcd", "lcm", "factorial", "binomial", "floor", "ceiling"),
}
ACTIONS = ("simplify", "expand", "factor", "solve", "diff", "integrate")


class _RefusedError(Exception):
    """A tree that is not transformed; the message says why."""


def _serve() -> None:
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout = sys.stderr
    import sympy

    _confine()
    replies.write(b"{}\n")  # ready
    for line in sys.stdin.buffer:
        try:
            reply = {"result": _work(sympy, json.loads(line))}
        except _RefusedError as refusal:
            reply = {"error": str(refusal)}
        except Exception:
            reply = {"error": "cannot be worked out"}
        replies.write(json.dumps(reply).encode() + b"\n")


def _confine() -> None:
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        pass


def _work(sympy: Any, node: list[Any]) -> str:
    if node[0] == "call" and node[1] in ACTIONS:
        arguments = [_build(sympy, argument) for argument in node[2]]
        result = getattr(sympy, node[1])(*arguments)
    else:
        result = sympy.simplify(_build(sympy, node))
    if isinstance(result, list):
        result = sorted(result, key=sympy.default_sort_key)
    elif result.has(sympy.zoo, sympy.nan):
        raise _RefusedError("undefined")
    written = str(result).replace("**", "^")
    if len(written) > RESULT_LIMIT:
        raise _RefusedError("the result is too long")
    return written


def _build(sympy: Any, node: list[Any]) -> Any:
    kind = node[0]
    if kind == "number":
        return sympy.Rational(node[1])
    if kind == "name":
        return _name(sympy, node[1])
    if kind == "negate":
        return -_build(sympy, node[1])
    if kind == "call":
        name = {"abs": "Abs"}.get(node[1], node[1])
        if name not in ELEMENTARY:
            raise _RefusedError(f"unknown function {node[1]}")
        return getattr(sympy, name)(*(_build(sympy, argument) for argument in node[2]))
    left, right = _build(sympy, node[1]), _build(sympy, node[2])
    if kind == "^":
        if right.is_number and abs(right.evalf()) > EXPONENT_LIMIT:
            raise _RefusedError("too large")
        return left**right
    if kind == "/":
        if right == 0:
            raise _RefusedError("division by zero")
        return left / right
    if kind == "=":
        return sympy.Eq(left, right)
    return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}[kind]()


def _name(sympy: Any, name: str) -> Any:
    constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}
    if name not in constants and len(name) > 1:
        raise _RefusedError("names have one letter")
    return constants.get(name, sympy.Symbol(name))


if __name__ == "__main__":
    _serve()
