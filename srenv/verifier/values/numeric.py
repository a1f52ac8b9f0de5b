"""Gives an expression many digits, at a point where it has variables.

Every step is bounded before it is taken: the logarithm of a real number never grows beyond
`BIT_LIMIT` bits, and neither does the time of all steps beyond `exact.CLOCK_LIMIT`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from srenv.verifier.reading.nodes import Node, literal, names
from srenv.verifier.reading.tokens import TooLargeError
from srenv.verifier.values.exact import (
    BIT_LIMIT,
    FACTORIAL_LIMIT,
    NotRationalError,
    UndefinedError,
    bits,
    bounded_integer,
    check_clock,
    exact,
    exact_function,
)

TERMS_LIMIT = 200
"""Terms of a sum that are added up, at most."""

_INDICES = (3, 5, 8)  # where the bodies of sums and integrals are compared


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
        """Returns the value as a real or complex number of the context.

        Raises:
            UndefinedError: The expression has no finite value.
            TooLargeError: A value on the way is too large or too small.
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
            self.height += bits(number)
            return self.mp.mpf(number.numerator) / number.denominator
        if op == "name":
            return self._named(node.value)
        if op == "bound":
            return self._bound_operator(node)
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
            return mp.mpf(math.factorial(bounded_integer(whole[0], FACTORIAL_LIMIT)))
        return mp.mpf(exact_function(op, whole).numerator)

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
        """Puts a value that is an integer up to rounding on the integer."""
        nearest = self.mp.nint(x)
        close = abs(x - nearest) * 2 ** (self.mp.prec // 2) <= self.scale
        return nearest if close else x

    def _bound_operator(self, node: Node) -> Any:
        """Gives a sum, product or integral a value that depends on its limits and its body.

        A short sum or product of numbers has its true value; another one is an unknown function, so
        that it is equal to what only renames its variable or reorders its body.
        """
        kind, _, variable = node.value.partition(" ")
        *limits, body = node.args
        ends = [self.value(limit) for limit in limits]
        if kind in ("sum", "prod") and all(self.mp.isint(end) for end in ends) and not names(node):
            if ends[1] - ends[0] > TERMS_LIMIT:
                raise TooLargeError
            terms = [self._at(body, variable, k) for k in range(int(ends[0]), int(ends[1]) + 1)]
            return self.mp.fsum(terms) if kind == "sum" else self.mp.fprod(terms)
        return self._unknown(kind, [*ends, *(self._at(body, variable, k) for k in _INDICES)])

    def _at(self, body: Node, variable: str, value: int) -> Any:
        outer, self.point = self.point, {**self.point, variable: self.mp.mpf(value)}
        try:
            return self.value(body)
        finally:
            self.point = outer

    def _unknown(self, name: str, args: list[Any]) -> Any:
        """Gives an unknown function a value that depends on its arguments only."""
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
