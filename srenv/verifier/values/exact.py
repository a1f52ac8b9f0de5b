"""Gives a rational expression its exact value, within limits.

Every step is bounded before it is taken: an integer never grows beyond `BIT_LIMIT` bits. What would
is a `TooLargeError`.
"""

from __future__ import annotations

import functools
import gc
import math
import threading
import time
from fractions import Fraction

from srenv.verifier.reading.nodes import Node, literal
from srenv.verifier.reading.tokens import TooLargeError, TooSlowError

BIT_LIMIT = 16_384
FACTORIAL_LIMIT = 2_000


CLOCK_LIMIT = 0.25
"""Seconds of processor time of one thread that evaluating may take for one pair of answers."""

_clock = threading.local()


def start_clock() -> None:
    """Starts the time of a pair of answers, on this thread."""
    _clock.end = time.thread_time() + CLOCK_LIMIT


def check_clock() -> None:
    """Raises `TooSlowError` once the time of this pair is over."""
    if time.thread_time() > getattr(_clock, "end", math.inf):
        raise TooSlowError


def _leave_out_collections(phase: str, info: dict[str, int]) -> None:
    """Stops the clock while the garbage of the whole process is collected, which may take long."""
    if info["generation"] < 2:
        return
    now = time.thread_time()
    if phase == "start":
        _clock.paused = now
    else:
        _clock.end = getattr(_clock, "end", math.inf) + now - getattr(_clock, "paused", now)


gc.callbacks.append(_leave_out_collections)


class UndefinedError(Exception):
    """The expression has no finite value, as in a division by zero."""


class NotRationalError(Exception):
    """The expression is not built from rational operations alone."""


def exact(node: Node) -> Fraction:
    """Returns the exact value of a rational expression.

    Raises:
        NotRationalError: The expression holds a variable, an irrational constant or a function.
        UndefinedError: The expression divides by zero.
        TooLargeError: A value on the way exceeds `BIT_LIMIT`.
    """
    check_clock()
    if node.op == "number":
        return literal(node)
    if node.op in ("negate", "degrees", "add", "multiply", "divide", "power", "factorial", "abs"):
        return _checked(_exact_operation(node.op, [exact(arg) for arg in node.args]))
    if node.op in ("binom", "floor", "ceil", "gcd", "lcm", "min", "max"):
        return _checked(exact_function(node.op, [exact(arg) for arg in node.args]))
    if node.op == "root":
        return _exact_root(exact(node.args[0]), exact(node.args[1]))
    raise NotRationalError


def _exact_operation(op: str, args: list[Fraction]) -> Fraction:
    if op == "negate":
        return -args[0]
    if op == "degrees":
        return args[0]
    if op == "abs":
        return abs(args[0])
    if op == "add":
        return sum(args, Fraction(0))
    if op == "multiply":
        return args[0] * args[1]
    if op == "divide":
        if not args[1]:
            raise UndefinedError
        return args[0] / args[1]
    if op == "power":
        return _exact_power(*args)
    return Fraction(math.factorial(bounded_integer(args[0], FACTORIAL_LIMIT)))


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        root = _exact_root(base, Fraction(exponent.denominator))
        return _exact_power(root, Fraction(exponent.numerator))
    if not base and exponent <= 0:
        raise UndefinedError
    if base in (0, 1, -1):
        return base if exponent.numerator % 2 or base != -1 else Fraction(1)
    if abs(exponent) * bits(base) > BIT_LIMIT:
        raise TooLargeError
    return base**exponent.numerator


def _exact_root(value: Fraction, index: Fraction) -> Fraction:
    if index.denominator != 1 or index < 1:
        raise NotRationalError
    n = index.numerator
    if value < 0 and n % 2 == 0:
        raise NotRationalError
    top, bottom = _integer_root(abs(value.numerator), n), _integer_root(value.denominator, n)
    return Fraction(top if value >= 0 else -top, bottom)


def _integer_root(value: int, n: int) -> int:
    if value in (0, 1):
        return value
    if n >= value.bit_length():
        raise NotRationalError
    if n == 2:
        root = math.isqrt(value)
    else:
        root = 1 << -(-value.bit_length() // n)
        while (better := ((n - 1) * root + value // root ** (n - 1)) // n) < root:
            root = better
    if root**n != value:
        raise NotRationalError
    return root


def exact_function(op: str, args: list[Fraction]) -> Fraction:
    """Applies one of the functions that keep rational numbers rational."""
    if op == "floor":
        return Fraction(math.floor(args[0]))
    if op == "ceil":
        return Fraction(math.ceil(args[0]))
    if op == "min":
        return min(args)
    if op == "max":
        return max(args)
    if any(arg.denominator != 1 for arg in args):
        raise UndefinedError
    if op in ("gcd", "lcm"):
        fold = math.gcd if op == "gcd" else math.lcm
        return Fraction(functools.reduce(fold, (arg.numerator for arg in args)))
    n, k = args
    if n < 0 or k < 0:
        raise UndefinedError
    if k > n:
        return Fraction(0)
    return Fraction(math.comb(bounded_integer(n, FACTORIAL_LIMIT), k.numerator))


def bounded_integer(value: Fraction, limit: int) -> int:
    """Returns a natural number as an int, or raise: it is none, or beyond the limit."""
    if value.denominator != 1 or value < 0:
        raise UndefinedError
    if value > limit:
        raise TooLargeError
    return value.numerator


def bits(value: Fraction) -> int:
    """Returns the size of a fraction."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _checked(value: Fraction) -> Fraction:
    if bits(value) > BIT_LIMIT:
        raise TooLargeError
    return value
