r"""What a chain of equalities says: the quantity that it names, and its value.

`S = 2 + 3 = 5`, `P(A \cap B) = \frac13 \approx 0.33`, `7 = x`. Its constants must agree, or it says
nothing; its first side that is no constant names the quantity.
"""

from __future__ import annotations

import itertools
import operator
from fractions import Fraction
from typing import TypeGuard

from srenv.verifier.reading.nodes import Node, literal, names, operations
from srenv.verifier.reading.structure import Answer, Items, Opaque, Relation, Value
from srenv.verifier.reading.tokens import TooLargeError
from srenv.verifier.rules.numbers import rounds
from srenv.verifier.values import equality
from srenv.verifier.values.exact import UndefinedError

# Letters that are unknowns of an equation rather than quantities that were asked for.
_UNKNOWNS = frozenset("xyzwuvt")
_FUNCTIONS_OF_UNKNOWNS = frozenset(["ln", "log", "root", "power", "abs", "factorial", "divide"])


class ContradictionError(Exception):
    """The constants of a chain differ: `x = 6 = 5`."""


def simplify_chain(relation: Relation) -> Answer:
    r"""Returns what a chain of equalities says: its value, or its name and its value.

    A chain without constants, or with other relations, is returned with its approximations taken
    for equalities.

    Raises:
        ContradictionError: Two of its constants differ, or one is no rounding of the other.
    """
    if not set(relation.signs) <= {"=", "~="}:
        return Relation(relation.items, tuple("=" if s == "~=" else s for s in relation.signs))
    relation = Relation((_as_label(relation.items[0]), *relation.items[1:]), relation.signs)
    rounded = [
        False,
        *itertools.accumulate((sign == "~=" for sign in relation.signs), operator.or_),
    ]
    constants = [
        (item, approximate)
        for item, approximate in zip(relation.items, rounded, strict=True)
        if _is_constant(item)
    ]
    labels = [item for item in relation.items if not _is_constant(item)]
    if not constants:
        return Relation(relation.items, ("=",) * len(relation.signs))
    if len(constants) == 1 and len(labels) == 1:
        return Relation((labels[0], constants[0][0]), ("=",))
    exact = [item for item, approximate in constants if not approximate]
    value = (exact or [item for item, _ in constants])[-1]
    value = next((v for v in exact if not _is_decimal(v.node)), value) if len(exact) > 1 else value
    for item, _ in constants:
        _agree(value.node, item.node, approximate=(item, True) in constants)
    if len(labels) == len(relation.items) - len(constants) and labels:
        return Relation((labels[0], value), ("=",))
    return value


def _as_label(item: Answer) -> Answer:
    """Takes a lone `e` or `i` that is set equal to something for the name of a quantity."""
    lone = isinstance(item, Value) and item.node.op == "name" and item.node.value in ("e", "i")
    return Opaque(item.node.value) if lone and isinstance(item, Value) else item


def _is_constant(item: Answer) -> TypeGuard[Value]:
    if not isinstance(item, Value) or names(item.node):
        return False
    return "apply" not in operations(item.node) and item.node.value != "infinity"


def _is_decimal(node: Node) -> bool:
    inner = node.args[0] if node.op == "negate" else node
    return inner.op == "number" and "." in inner.value


def _agree(value: Node, other: Node, approximate: bool) -> None:
    """Raises `ContradictionError` if two constants differ by more than rounding explains."""
    if equality.compare_values(value, other) != "unequal":
        return
    if not (approximate or (_is_decimal(other) and not _is_terminating(value))):
        raise ContradictionError
    if not is_rounding(other, value, coarse=approximate):
        raise ContradictionError


def _is_terminating(node: Node) -> bool:
    """Whether a constant is a finite decimal, which need not be rounded."""
    value = equality.rational(node)
    if value is None:
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def is_rounding(decimal: Node, value: Node, coarse: bool) -> bool:
    """Whether a decimal is a value up to one unit of its last place.

    Args:
        decimal: What may be the rounding of a value.
        value: The value, a constant.
        coarse: Whether two digits are enough; else three.
    """
    try:
        size, other = equality.magnitude(value), equality.magnitude(decimal)
    except (UndefinedError, TooLargeError):
        return False
    if size is None or other is None:
        return False
    gap = abs(equality.as_fraction(size) - equality.as_fraction(other))
    inner = decimal.args[0] if decimal.op == "negate" else decimal
    if inner.op != "number":
        return gap * 100 <= abs(equality.as_fraction(size))
    places = len(inner.value.partition(".")[2])
    digits = len(str(literal(inner).numerator)) if places else 3
    ulp = Fraction(10) ** -places
    exact = equality.rational(decimal)
    values = equality.as_fraction(other) if exact is None else exact, equality.as_fraction(size)
    return gap <= ulp and rounds(*values, ulp) and (coarse or digits >= 3)


# --- names of quantities -----------------------------------------------------------------------


def names_a_quantity(item: Answer) -> bool | None:
    r"""Whether the side of an equation names what was asked for, rather than holding an unknown.

    `m+n = 7`, `P(A) = 7`, `|AB| = 7` and `\det A = 7` say 7; `x+1 = 7` and `|x-1| = 7` are still to
    be solved.

    Returns:
        None if it may be either: `x - y = 7`.
    """
    if isinstance(item, Items) and item.brackets == ":":
        return all(names_a_quantity(part) for part in item.items)
    if isinstance(item, Opaque):
        return True
    if not isinstance(item, Value) or _is_constant(item):
        return False
    return _is_quantity(item.node)


def _is_quantity(node: Node) -> bool | None:
    letters = names(node)
    known = not letters & _UNKNOWNS
    if node.op in ("name", "apply"):
        return True
    if node.op == "add":
        return _is_combination(node, known)
    if _is_word(node):
        return True
    if node.op == "multiply":
        if not all(part.op in ("name", "multiply", "power", "apply") for part in node.args):
            return False
        return known or node.args[0].op == "apply" or _is_call(node)
    if node.op == "power":
        base = node.args[0]
        return base.op == "name" and base.value[0].isupper()
    if node.op == "negate":
        return False
    if node.op == "abs":
        return node.args[0].op in ("name", "multiply", "apply") and not letters & {"x", "y"}
    return known or node.op not in _FUNCTIONS_OF_UNKNOWNS


def is_worded(item: Answer) -> bool:
    """Whether a quantity is named by a word or a description, and not by letters."""
    return isinstance(item, Opaque) or (isinstance(item, Value) and _is_word(item.node))


def _is_word(node: Node) -> bool:
    """Whether a product is a word, such as `ord`, perhaps with something behind it."""
    factors = _factors(node)
    return factors[0].op == "name" and sum(factor.op == "name" for factor in factors) > 2


def _is_call(node: Node) -> bool:
    """Whether a product is an unknown function of an unknown: `P(x)`, `E(X)`."""
    first, second = node.args
    return first.op == "name" and first.value.isupper() and second.op == "name"


def _factors(node: Node) -> list[Node]:
    if node.op != "multiply":
        return [node]
    return [factor for arg in node.args for factor in _factors(arg)]


def _is_combination(node: Node, known: bool) -> bool | None:
    r"""Whether a sum combines several letters, as in `100a + b` or `\alpha + \beta`."""
    if len(names(node)) < 2:
        return False
    for term in node.args:
        inner = term.args[0] if term.op == "negate" else term
        factors = _factors(inner)
        if not names(inner) or any(f.op not in ("name", "number", "apply") for f in factors):
            return False
        if not known and any(factor.op != "name" for factor in factors):
            return False
    return True if known else None
