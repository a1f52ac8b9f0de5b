"""Compares two values, and decimals with what they round."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from srenv.verifier.grade import Decision
from srenv.verifier.reading.nodes import Node, literal, names, operations
from srenv.verifier.reading.tokens import TooLargeError
from srenv.verifier.rules.numbers import FULL_DECIMAL, rounds
from srenv.verifier.values import equality
from srenv.verifier.values.exact import UndefinedError


def compare_expressions(gold: Node, answer: Node) -> Decision:
    """Compares two expressions."""
    ends = _infinite(gold), _infinite(answer)
    if ends[0] or ends[1]:
        return ends[0] == ends[1], "infinity"
    outcome = equality.compare_values(gold, answer)
    if outcome == "equal":
        return True, "value"
    if outcome == "too_large" and equal_but_for_huge_parts(gold, answer):
        return True, "value"
    if not (_is_closed(gold) and _is_closed(answer)):
        return None, "undecided"  # sums and integrals have other forms than are looked for
    if outcome == "unequal":
        return _rounded(gold, answer) or _rounded(answer, gold), "value"
    if outcome == "undefined":
        return _undefined(gold), "undefined"
    return None, outcome


def _is_closed(node: Node) -> bool:
    """Whether an expression has no sum or integral, or only sums of numbers that are added up."""
    if node.op == "bound" and (node.value.startswith("int") or names(node)):
        return False
    if node.op == "bound" and any("infinity" in operations(limit) for limit in node.args[:-1]):
        return False
    return all(map(_is_closed, node.args))


def equal_but_for_huge_parts(gold: Node, answer: Node) -> bool:
    """Whether two expressions agree for any value of their huge parts, such as `2004!`."""
    parts = {part: f"huge_{n}" for n, part in enumerate(sorted(_huge(gold) | _huge(answer)))}
    if not parts:
        return False
    outcome = equality.compare_values(_replace(gold, parts), _replace(answer, parts))
    return outcome == "equal"


def _huge(node: Node) -> frozenset[Node]:
    """Returns the smallest constant powers and factorials that are beyond the limits."""
    parts = frozenset[Node]().union(*map(_huge, node.args))
    if parts or node.op not in ("power", "factorial") or names(node):
        return parts
    try:
        equality.rational(node)
    except TooLargeError:
        return frozenset([node])
    except UndefinedError:
        pass
    return frozenset()


def _replace(node: Node, parts: Mapping[Node, str]) -> Node:
    if node in parts:
        return Node("name", (), parts[node])
    return Node(node.op, tuple(_replace(arg, parts) for arg in node.args), node.value)


def _undefined(gold: Node) -> bool | None:
    """An answer without a value is wrong, unless the gold answer has none either."""
    return False if equality.compare_values(gold, gold) == "equal" else None


def _infinite(node: Node) -> int:
    if node.op == "negate":
        return -_infinite(node.args[0])
    return int(node.op == "name" and node.value == "infinity")


def _rounded(decimal: Node, value: Node) -> bool:
    """Whether a decimal of full length is the rounding of a constant that never ends."""
    sign, inner = (-1, decimal.args[0]) if decimal.op == "negate" else (1, decimal)
    if inner.op != "number" or "." not in inner.value or names(value):
        return False
    written = inner.value.partition("(")[0]
    if _is_decimal(value) or len(written.replace(".", "").lstrip("0")) < FULL_DECIMAL - 2:
        return False
    try:
        exact = equality.magnitude(value)
    except (UndefinedError, TooLargeError):
        return False
    if not exact:
        return False
    # A decimal may have lost the zeros at its end: judge it at no less than twelve digits.
    places = FULL_DECIMAL - 1 - equality.decimal_exponent(exact)
    ulp = Fraction(10) ** -max(places, len(written.partition(".")[2]))
    return rounds(sign * literal(inner), equality.as_fraction(exact), ulp)


def _is_decimal(node: Node) -> bool:
    inner = node.args[0] if node.op == "negate" else node
    return inner.op == "number" and "." in inner.value
