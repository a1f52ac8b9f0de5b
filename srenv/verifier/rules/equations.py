"""Compares equations and inequalities in several variables.

Two of them say the same where one is a constant multiple of the other: `x - y = 10` and
`2x = 2y + 20`. The factor must be positive for an inequality, or turn its sign.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from srenv.verifier.grade import Decision
from srenv.verifier.reading.nodes import Node, names
from srenv.verifier.reading.structure import CONVERSE, Relation, Value
from srenv.verifier.reading.tokens import TooLargeError, TooSlowError
from srenv.verifier.values import equality
from srenv.verifier.values.exact import NotRationalError, UndefinedError, exact

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLYNOMIAL = frozenset(["number", "name", "add", "negate", "multiply", "divide", "power"])


def zero_form(relation: Relation) -> Node | None:
    """Returns left side minus right side, of a relation with two values and a variable."""
    sides = [item.node for item in relation.items if isinstance(item, Value)]
    if len(sides) != 2 or len(relation.items) != 2:
        return None
    node = Node("add", (sides[0], Node("negate", (sides[1],))))
    return node if names(node) else None


def compare_equations(gold: Relation, answer: Relation) -> Decision:
    """Compares two relations that have a `zero_form` each."""
    left, right = zero_form(gold), zero_form(answer)
    assert left is not None
    assert right is not None
    if names(left) != names(right):
        return False, "equation"
    try:
        factor = _factor(left, right)
    except TooSlowError:
        return None, "timeout"
    except (TooLargeError, OverflowError):
        return None, "too_large"
    if factor is None:
        return None, "undecided"
    if not factor:
        return (False if _is_polynomial(left) and _is_polynomial(right) else None), "equation"
    sign, other = gold.signs[0], answer.signs[0]
    if factor < 0:
        other = CONVERSE.get(other, other)
    if sign != other:
        return False, "equation"
    scaled = Node("multiply", (_constant(factor), right))
    outcome = equality.compare_values(left, scaled)
    if outcome == "equal":
        return True, "equation"
    return (False if outcome == "unequal" else None), "equation"


def _factor(left: Node, right: Node) -> Fraction | None:
    """Returns the rational factor between two expressions: 0 where there is none, None unknown."""
    variables = sorted(names(left))
    ratios = set()
    for shift in range(3):
        point = {name: Fraction(7 + 4 * i + 3 * shift, 5 + i) for i, name in enumerate(variables)}
        try:
            first, second = exact(_at(left, point)), exact(_at(right, point))
        except UndefinedError:
            continue
        except NotRationalError:
            return (
                Fraction(1)
                if equality.compare_values(left, right) == "equal"
                else _negated(left, right)
            )
        if not first and not second:
            continue
        if not first or not second:
            return Fraction(0)
        ratios.add(first / second)
    if not ratios:
        return None
    return ratios.pop() if len(ratios) == 1 else Fraction(0)


def _negated(left: Node, right: Node) -> Fraction | None:
    outcome = equality.compare_values(left, Node("negate", (right,)))
    return Fraction(-1) if outcome == "equal" else None


def _at(node: Node, point: Mapping[str, Fraction]) -> Node:
    """Puts numbers in place of the variables."""
    if node.op == "name" and node.value in point:
        return _constant(point[node.value])
    return Node(node.op, tuple(_at(arg, point) for arg in node.args), node.value)


def _constant(value: Fraction) -> Node:
    top = Node("number", (), str(abs(value.numerator)))
    node = Node("divide", (top, Node("number", (), str(value.denominator))))
    return Node("negate", (node,)) if value < 0 else node


def _is_polynomial(node: Node) -> bool:
    if node.op not in _POLYNOMIAL:
        return False
    if node.op in ("divide", "power") and names(node.args[1]):
        return False
    return all(map(_is_polynomial, node.args))
