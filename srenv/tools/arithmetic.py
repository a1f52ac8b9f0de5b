"""Exact arithmetic on rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

from srenv.tools.expression import ExpressionError, Node, parse

MAX_BITS = 1_000
"""Maximum bits of a numerator or denominator (300 digits); larger ones are never computed."""


def calculate(text: str) -> str:
    """Evaluates a formula of numbers exactly.

    Supports ``+ - * / ^`` with integer exponents, parentheses, and ``sqrt``, ``abs``, ``gcd``,
    ``lcm``, ``mod``, ``floor`` and ``factorial``, as long as the value is rational.

    Args:
        text: The formula, such as ``(3/4)*12 - 2^5``. Hostile text is refused in microseconds.

    Returns:
        An integer such as ``-23``, or a fraction in lowest terms such as ``-23/2``.

    Raises:
        ExpressionError: It cannot be evaluated; the message says why in a few words.

    Example:
        >>> calculate("(3/4)*12 - 2^5"), calculate("1/3 + 1/6"), calculate("0.1 + 0.2")
        ('-23', '1/2', '3/10')
    """
    return str(_value(parse(text)))


def _value(node: Node) -> Fraction:
    kind = node[0]
    if kind == "number":
        return Fraction(node[1])
    if kind == "negate":
        return -_value(node[1])
    if kind == "call":
        return _call(node[1], [_value(argument) for argument in node[2]])
    if kind in ("name", "="):
        raise ExpressionError("numbers only")
    left, right = _value(node[1]), _value(node[2])
    if kind == "^":
        return _power(left, right)
    if kind == "/":
        if not right:
            raise ExpressionError("division by zero")
        return _bounded(left / right)
    return _bounded({"+": left + right, "-": left - right, "*": left * right}[kind])


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounded(value: Fraction) -> Fraction:
    if _bits(value) > MAX_BITS:
        raise ExpressionError("too large")
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        if exponent == Fraction(1, 2):
            return _sqrt(base)
        raise ExpressionError("integer exponents only")
    if not base and exponent < 0:
        raise ExpressionError("division by zero")
    if _bits(base) * abs(exponent.numerator) > MAX_BITS and abs(base) not in (0, 1):
        raise ExpressionError("too large")
    power = exponent.numerator if abs(base) not in (0, 1) else exponent.numerator % 2 or 2
    return Fraction(base) ** (power if exponent else 0)


def _sqrt(value: Fraction) -> Fraction:
    if value < 0:
        raise ExpressionError("no real root")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        raise ExpressionError("not rational")
    return Fraction(top, bottom)


def _call(name: str, values: list[Fraction]) -> Fraction:
    if name == "sqrt" and len(values) == 1:
        return _sqrt(values[0])
    if name == "abs" and len(values) == 1:
        return abs(values[0])
    if name == "floor" and len(values) == 1:
        return Fraction(math.floor(values[0]))
    if any(value.denominator != 1 for value in values):
        raise ExpressionError(f"{name} takes integers")
    integers = [value.numerator for value in values]
    if name in ("gcd", "lcm"):
        result = math.gcd(*integers) if name == "gcd" else _lcm(integers)
        return Fraction(result)
    if name == "mod" and len(integers) == 2:
        if not integers[1]:
            raise ExpressionError("division by zero")
        return Fraction(integers[0] % integers[1])
    if name == "factorial" and len(integers) == 1:
        if not 0 <= integers[0] <= 150:
            raise ExpressionError("too large")
        return Fraction(math.factorial(integers[0]))
    raise ExpressionError(f"unknown function {name} of {len(values)}")


def _lcm(integers: list[int]) -> int:
    result = 1
    for integer in integers:
        result = math.lcm(result, integer)
        _bounded(Fraction(result))
    return result
