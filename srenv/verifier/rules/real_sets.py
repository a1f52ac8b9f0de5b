r"""Sets of real numbers: intervals, their unions, solved inequalities.

A set is a sorted list of disjoint pieces. End points are constants; they are ordered by value and
compared exactly by `srenv.verifier.values.equality`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from srenv.verifier.reading.nodes import Node, names
from srenv.verifier.reading.structure import (
    CONVERSE,
    Answer,
    Combined,
    Domain,
    Items,
    Relation,
    Value,
)
from srenv.verifier.reading.tokens import TooLargeError
from srenv.verifier.values import equality
from srenv.verifier.values.exact import UndefinedError

PIECES_LIMIT = 40

_INFINITY = Node("name", (), "infinity")


class NotASetError(Exception):
    """The answer describes no set of real numbers that this module knows."""


@functools.total_ordering
class End:
    """An end point: a real constant, or plus or minus infinity; equal ones compare equal."""

    def __init__(self, node: Node) -> None:
        sign, inner = (-1, node.args[0]) if node.op == "negate" else (1, node)
        self.node = node
        self.infinite = sign if inner == _INFINITY else 0
        self.value: Any = 0
        if not self.infinite:
            self.value = equality.magnitude(node)
            if self.value is None:
                raise NotASetError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, End):
            return NotImplemented
        if self.infinite or other.infinite:
            return self.infinite == other.infinite
        gap, size = abs(self.value - other.value), abs(self.value) + abs(other.value) + 1
        if gap * 2**60 > size:
            return False
        outcome = equality.compare_values(self.node, other.node)
        if outcome not in ("equal", "unequal"):
            raise NotASetError
        return outcome == "equal"

    def __lt__(self, other: End) -> bool:
        if self == other:
            return False
        if self.infinite or other.infinite:
            return self.infinite < other.infinite
        return bool(self.value < other.value)


@dataclass(frozen=True)
class Piece:
    """All numbers between two end points, with or without them."""

    low: End
    low_closed: bool
    high: End
    high_closed: bool

    @property
    def empty(self) -> bool:
        """Whether no number lies in it."""
        if self.low == self.high:
            return not (self.low_closed and self.high_closed) or bool(self.low.infinite)
        return self.high < self.low


@dataclass(frozen=True)
class RealSet:
    """A set of real numbers, and the variable that it was described by, if any."""

    pieces: tuple[Piece, ...]
    variable: str = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RealSet):
            return NotImplemented
        if self.variable and other.variable and self.variable != other.variable:
            return False
        return self.pieces == other.pieces


def real_set(answer: Answer) -> RealSet:
    """Returns the set that an answer describes.

    Raises:
        NotASetError: The answer describes no set, or is an inequality still to be solved.
    """
    try:
        return _real_set(answer)
    except (UndefinedError, TooLargeError):
        raise NotASetError from None


def _real_set(answer: Answer) -> RealSet:
    if isinstance(answer, Domain):
        if answer.name == "empty":
            return RealSet(())
        if answer.name == "R":
            return RealSet((_everything(),))
    if isinstance(answer, Items):
        return _from_items(answer)
    if isinstance(answer, Relation):
        return _from_relation(answer)
    if isinstance(answer, Combined):
        return _combine(answer.joint, [_real_set(part) for part in answer.parts])
    raise NotASetError


def _from_items(answer: Items) -> RealSet:
    nodes = [item.node for item in answer.items if isinstance(item, Value)]
    if len(nodes) != len(answer.items):
        raise NotASetError
    if answer.brackets == "{}":
        points = [End(node) for node in nodes]
        return RealSet(_merge([Piece(p, True, p, True) for p in points]))
    if len(nodes) != 2 or len(answer.brackets) != 2 or answer.brackets == "<>":
        raise NotASetError
    low, high = End(nodes[0]), End(nodes[1])
    if not low < high:
        raise NotASetError
    piece = Piece(low, answer.brackets[0] == "[", high, answer.brackets[1] == "]")
    return RealSet((_open_at_infinity(piece),))


def _open_at_infinity(piece: Piece) -> Piece:
    low, high = piece.low_closed and not piece.low.infinite, piece.high_closed
    return Piece(piece.low, low, piece.high, high and not piece.high.infinite)


def _from_relation(relation: Relation) -> RealSet:
    if relation.signs == ("in",):
        subject, content = relation.items
        name = _lone_name(subject)
        if not name:
            raise NotASetError
        return RealSet(_real_set(content).pieces, name)
    if any(sign not in CONVERSE for sign in relation.signs):
        raise NotASetError
    steps = zip(relation.items, relation.signs, relation.items[1:], strict=False)
    return _combine("and", [_solved(*step) for step in steps])


def _solved(left: Answer, sign: str, right: Answer) -> RealSet:
    """Returns the set of one solved inequality: a multiple of a variable, and a constant."""
    if isinstance(left, Items) and not left.brackets and not isinstance(right, Items):
        raise NotASetError
    if isinstance(right, Items) and sign == "!=" and isinstance(left, Value) and not right.brackets:
        return _combine("and", [_solved(left, sign, item) for item in right.items])
    if not isinstance(left, Value) or not isinstance(right, Value):
        raise NotASetError
    if names(right.node):
        left, right, sign = right, left, CONVERSE[sign]
    if left.node.op == "abs" and sign[0] in "<>":
        return _absolute(left.node.args[0], sign, right.node)
    variables = names(left.node)
    if len(variables) != 1 or names(right.node):
        raise NotASetError
    (name,) = variables
    factor = _factor(left.node, name)
    if factor == 0:
        raise NotASetError
    if factor < 0:
        sign = CONVERSE[sign]
    number = Node("number", (), str(abs(factor.numerator)))
    if abs(factor) == 1:
        bound = right.node
    else:
        divisor = Node("divide", (number, Node("number", (), str(factor.denominator))))
        bound = Node("divide", (right.node, divisor))
    return RealSet(_half_line(sign, Node("negate", (bound,)) if factor < 0 else bound), name)


def _absolute(inside: Node, sign: str, bound: Node) -> RealSet:
    """Returns the set of `|x| < a` or `|x| > a`: between the bounds, or outside."""
    above = _solved(Value(inside), sign, Value(bound))
    below = _solved(Value(inside), CONVERSE[sign], Value(Node("negate", (bound,))))
    return _combine("and" if sign[0] == "<" else "or", [above, below])


def _factor(node: Node, name: str) -> Fraction:
    """Returns c of a node `c x`; other nodes raise."""
    if node == Node("name", (), name):
        return Fraction(1)
    if node.op == "negate":
        return -_factor(node.args[0], name)
    if node.op == "multiply" and not names(node.args[0]):
        value = equality.rational(node.args[0])
        if value is not None:
            return value * _factor(node.args[1], name)
    raise NotASetError


def _half_line(sign: str, bound: Node) -> tuple[Piece, ...]:
    end = End(bound)
    low, high = End(Node("negate", (_INFINITY,))), End(_INFINITY)
    if end.infinite:
        inside = (sign in ("<", "<=") and end.infinite > 0) or (sign[0] == ">" and end.infinite < 0)
        if not inside:
            raise NotASetError
        return (Piece(low, False, high, False),)
    if sign == "=":
        return (Piece(end, True, end, True),)
    if sign == "!=":
        return (Piece(low, False, end, False), Piece(end, False, high, False))
    if sign in ("<", "<="):
        return (Piece(low, False, end, sign == "<="),)
    return (Piece(end, sign == ">=", high, False),)


def _everything() -> Piece:
    return Piece(End(Node("negate", (_INFINITY,))), False, End(_INFINITY), False)


def _lone_name(answer: Answer) -> str:
    if isinstance(answer, Value) and answer.node.op == "name" and answer.node.value != "infinity":
        return answer.node.value
    return ""


# --- algebra of sets ---------------------------------------------------------------------------


def _combine(joint: str, sets: list[RealSet]) -> RealSet:
    variables = {s.variable for s in sets if s.variable}
    if len(variables) > 1:
        raise NotASetError
    variable = variables.pop() if variables else ""
    result = sets[0].pieces
    for other in sets[1:]:
        if joint in ("or", "cup"):
            result = _merge([*result, *other.pieces])
        elif joint in ("and", "cap"):
            result = _intersect(result, other.pieces)
        else:
            result = _intersect(result, _complement(other.pieces))
        if len(result) > PIECES_LIMIT:
            raise NotASetError
    return RealSet(result, variable)


def _merge(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Sorts pieces, and join those that touch."""
    if len(pieces) > 2 * PIECES_LIMIT:
        raise NotASetError
    ordered = sorted((p for p in pieces if not p.empty), key=lambda p: (p.low, not p.low_closed))
    merged: list[Piece] = []
    for piece in ordered:
        last = merged[-1] if merged else None
        if last is None or not _touch(last, piece):
            merged.append(piece)
        elif last.high < piece.high:
            merged[-1] = Piece(last.low, last.low_closed, piece.high, piece.high_closed)
        elif last.high == piece.high:
            closed = last.high_closed or piece.high_closed
            merged[-1] = Piece(last.low, last.low_closed, last.high, closed)
    return tuple(merged)


def _touch(first: Piece, second: Piece) -> bool:
    if second.low == first.high:
        return first.high_closed or second.low_closed
    return second.low < first.high


def _intersect(first: tuple[Piece, ...], second: tuple[Piece, ...]) -> tuple[Piece, ...]:
    if len(first) * len(second) > PIECES_LIMIT:
        raise NotASetError
    return _merge([_overlap(a, b) for a in first for b in second])


def _overlap(a: Piece, b: Piece) -> Piece:
    low, low_closed = max((a.low, not a.low_closed), (b.low, not b.low_closed))
    high, high_closed = min((a.high, a.high_closed), (b.high, b.high_closed))
    return Piece(low, not low_closed, high, high_closed)


def _complement(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    low, closed = End(Node("negate", (_INFINITY,))), False
    gaps = []
    for piece in pieces:
        gaps.append(Piece(low, closed, piece.low, not piece.low_closed))
        low, closed = piece.high, not piece.high_closed
    gaps.append(Piece(low, closed, End(_INFINITY), False))
    return _merge([_open_at_infinity(gap) for gap in gaps])
