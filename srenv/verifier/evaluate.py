"""Give an expression a value: an exact rational where it has one, else many digits of it.

Every step is bounded before it is taken: an integer never grows beyond `BIT_LIMIT` bits, and the
logarithm of a real number never beyond `BIT_LIMIT` either. What would is a `TooLargeError`.
"""

from __future__ import annotations

import functools
import hashlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from srenv.verifier.grammar import Node, literal
from srenv.verifier.tokens import TooLargeError, TooSlowError

BIT_LIMIT = 16_384
FACTORIAL_LIMIT = 2_000


CLOCK_LIMIT = 0.25
"""Seconds of processor time of one thread that evaluating may take for one pair of answers."""

_clock = threading.local()


def start_clock() -> None:
    """Begin the time of a pair of answers, on this thread."""
    _clock.end = time.thread_time() + CLOCK_LIMIT


def check_clock() -> None:
    """Raise `TooSlowError` once the time of this pair is over."""
    if time.thread_time() > getattr(_clock, "end", math.inf):
        raise TooSlowError


class UndefinedError(Exception):
    """The expression has no finite value, as in a division by zero."""


class NotRationalError(Exception):
    """The expression is not built from rational operations alone."""


# --- exact values ------------------------------------------------------------------------------


def exact(node: Node) -> Fraction:
    """Return the exact value of a rational expression.

    Raises:
        NotRationalError: If it holds a variable, an irrational constant or a function.
        UndefinedError: If it divides by zero.
        TooLargeError: If a value on the way exceeds `BIT_LIMIT`.
    """
    check_clock()
    if node.op == "number":
        return literal(node)
    if node.op in ("negate", "degrees", "add", "multiply", "divide", "power", "factorial", "abs"):
        return _checked(_exact_operation(node.op, [exact(arg) for arg in node.args]))
    if node.op in ("binom", "floor", "ceil", "gcd", "lcm", "min", "max"):
        return _checked(_exact_function(node.op, [exact(arg) for arg in node.args]))
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
    return Fraction(math.factorial(_bounded_integer(args[0], FACTORIAL_LIMIT)))


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        root = _exact_root(base, Fraction(exponent.denominator))
        return _exact_power(root, Fraction(exponent.numerator))
    if not base and exponent <= 0:
        raise UndefinedError
    if base in (0, 1, -1):
        return base if exponent.numerator % 2 or base != -1 else Fraction(1)
    if abs(exponent) * _bits(base) > BIT_LIMIT:
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


def _exact_function(op: str, args: list[Fraction]) -> Fraction:
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
    return Fraction(math.comb(_bounded_integer(n, FACTORIAL_LIMIT), k.numerator))


def _bounded_integer(value: Fraction, limit: int) -> int:
    if value.denominator != 1 or value < 0:
        raise UndefinedError
    if value > limit:
        raise TooLargeError
    return value.numerator


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _checked(value: Fraction) -> Fraction:
    if _bits(value) > BIT_LIMIT:
        raise TooLargeError
    return value


# --- many digits -------------------------------------------------------------------------------


class Evaluator:
    """Evaluates expressions with one precision, at one point.

    It also keeps what a comparison needs to know about the error: the largest size met on the way,
    and how many bits of input went in.

    Attributes:
        scale: The largest absolute value met.
        height: The sum of the sizes, in bits, of the values met.
    """

    def __init__(self, context: Any, point: Mapping[str, Any], decimal_log: bool = False) -> None:
        self.mp = context
        self.point = point
        self.decimal_log = decimal_log
        self.scale = context.one
        self.height = 0

    def value(self, node: Node) -> Any:
        """Return the value as a real or complex number of the context.

        Raises:
            UndefinedError: If there is no finite value.
            TooLargeError: If a value on the way is too large or too small.
        """
        check_clock()
        value = self._value(node)
        if value:
            size = self.mp.mag(value)
            if not -BIT_LIMIT <= size <= BIT_LIMIT:
                raise TooLargeError
            self.height += abs(int(size)) + 1
            if size > 1:
                self.scale = max(self.scale, abs(value))
        return value

    def _value(self, node: Node) -> Any:
        op = node.op
        if op == "number":
            number = literal(node)
            self.height += _bits(number)
            return self.mp.mpf(number.numerator) / number.denominator
        if op == "name":
            return self._named(node.value)
        args = [self.value(arg) for arg in node.args]
        if op == "add":
            return sum(args[1:], args[0])
        if op == "multiply":
            return args[0] * args[1]
        if op == "divide":
            if not args[1]:
                raise UndefinedError
            return args[0] / args[1]
        if op == "negate":
            return -args[0]
        if op == "power":
            return self._power(args[0], args[1], node.args[1])
        if op == "root":
            return self._root(args[0], args[1])
        if op == "degrees":
            return args[0]
        if op == "apply":
            return self._unknown(node.value, args)
        return self._function(op, args)

    def _named(self, name: str) -> Any:
        mp = self.mp
        if name == "pi":
            return +mp.pi
        if name == "e":
            return mp.exp(mp.one)
        if name == "i":
            return mp.mpc(0, 1)
        if name == "infinity":
            raise UndefinedError
        return self.point[name]

    def _power(self, base: Any, exponent: Any, written: Node) -> Any:
        mp = self.mp
        if not base:
            if isinstance(exponent, mp.mpc) or exponent <= 0:
                raise UndefinedError
            return base
        if isinstance(base, mp.mpf) and base < 0:  # real roots of negative numbers
            try:
                fraction = exact(written)
            except (NotRationalError, UndefinedError):
                fraction = Fraction(1, 2)
            if fraction.denominator % 2:
                sign = -1 if fraction.numerator % 2 else 1
                return sign * self._power(-base, exponent, written)
        growth = abs(exponent) * (abs(mp.mag(base)) + 1)
        if growth > BIT_LIMIT:
            raise TooLargeError
        self.height += int(growth)
        return base**exponent

    def _root(self, value: Any, index: Any) -> Any:
        mp = self.mp
        if not isinstance(index, mp.mpf):
            raise UndefinedError
        if not mp.isint(index) or not 1 <= index <= 1000:
            return self._power(value, 1 / index, Node("name")) if index else self._undefined()
        if index == 2:
            return mp.sqrt(value)
        if isinstance(value, mp.mpf) and value < 0 and int(index) % 2:
            return -mp.root(-value, int(index))
        return mp.root(value, int(index))

    def _undefined(self) -> Any:
        raise UndefinedError

    def _function(self, op: str, args: list[Any]) -> Any:
        mp, x = self.mp, args[0]
        if op in ("ln", "log"):
            return self._logarithm(op, args)
        if op in _SMOOTH:
            if op in _EXPONENTIAL:  # grows by as many bits as its argument has units
                self._bound(x)
            try:
                return _SMOOTH[op](mp, x)
            except ZeroDivisionError:
                raise UndefinedError from None
        if op == "abs":
            return abs(x)
        if any(isinstance(arg, mp.mpc) for arg in args):
            raise UndefinedError
        if op == "floor":
            return mp.floor(self._settled(x))
        if op == "ceil":
            return mp.ceil(self._settled(x))
        if op == "min":
            return min(args)
        if op == "max":
            return max(args)
        whole = [Fraction(int(self._integer(arg))) for arg in args]
        if op == "factorial":
            return mp.mpf(math.factorial(_bounded_integer(whole[0], FACTORIAL_LIMIT)))
        return mp.mpf(_exact_function(op, whole).numerator)

    def _logarithm(self, op: str, args: list[Any]) -> Any:
        mp = self.mp
        if not args[0]:
            raise UndefinedError
        base = args[1] if len(args) == 2 else None
        if op == "log" and base is None and self.decimal_log:
            base = mp.mpf(10)
        if base is None:
            return mp.log(args[0])
        if not base or base == 1:
            raise UndefinedError
        return mp.log(args[0]) / mp.log(base)

    def _bound(self, x: Any) -> None:
        size = abs(x)
        if size * 2 > BIT_LIMIT:
            raise TooLargeError
        self.height += int(size * 2)

    def _integer(self, x: Any) -> Any:
        nearest = self.mp.nint(x)
        if abs(x - nearest) * 2 ** (self.mp.prec // 2) > self.scale:
            raise UndefinedError
        return nearest

    def _settled(self, x: Any) -> Any:
        """Put a value that is an integer up to rounding on the integer."""
        nearest = self.mp.nint(x)
        close = abs(x - nearest) * 2 ** (self.mp.prec // 2) <= self.scale
        return nearest if close else x

    def _unknown(self, name: str, args: list[Any]) -> Any:
        """Give an unknown function a value that depends on its arguments only."""
        mp = self.mp
        key = f"{name}|{'|'.join(mp.nstr(arg, 25) for arg in args)}"
        digest = hashlib.sha256(key.encode()).digest()
        return 1 + mp.mpf(int.from_bytes(digest[:12], "big")) / 2**96


_EXPONENTIAL = frozenset(["sinh", "cosh", "tanh", "coth", "sech", "csch"])
_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot"} | {
    f"arc{name}": f"a{name}" for name in ("sinh", "cosh", "tanh")
}


def _method(name: str) -> Callable[[Any, Any], Any]:
    def call(mp: Any, x: Any) -> Any:
        return getattr(mp, name)(x)

    return call


_SMOOTH = {
    name: _method(_NAMES.get(name, name))
    for name in (*_NAMES, "sin", "cos", "tan", "cot", "sec", "csc", *_EXPONENTIAL)
}
