"""The tree that an expression is read into, and questions about its shape."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import NamedTuple

from srenv.verifier.reading.tokens import UnreadableError

VECTORS = frozenset(["vec", "overrightarrow", "hat", "mathbf", "widehat"])
"""Commands that make a letter a vector."""


class Node(NamedTuple):
    """One node of an expression.

    Attributes:
        op: ``number``, ``name``, ``add``, ``multiply``, ``divide``, ``power``, ``negate``,
            ``factorial``, ``degrees``, ``apply`` (an unknown function), ``bound`` (a sum, product,
            integral or limit over a variable) or a function's name.
        args: The operands; of ``bound``, the limits and last the body.
        value: The number (as written), the name, or for ``bound`` its kind and variable.
    """

    op: str
    args: tuple[Node, ...] = ()
    value: str = ""

    def __str__(self) -> str:
        """Writes the tree on one line: ``multiply(2, root(3, 2))``."""
        if not self.args:
            return self.value or self.op
        return f"{self.value or self.op}({', '.join(map(str, self.args))})"


MINUS_ONE = Node("negate", (Node("number", (), "1"),))


def quotient(top: Node, bottom: Node) -> Node:
    """Divides; `dy/dx` is a name, in which nothing cancels."""
    parts = [n.args[0] if n.op in ("multiply", "power") else n for n in (top, bottom)]
    parts = [n.args[0] if n.op == "power" else n for n in parts]
    if all(n == Node("name", (), "d") for n in parts) and bottom.op != "name":
        if top.op != "multiply" or any(n.op != "name" for n in (top.args[1], bottom.args[1])):
            raise UnreadableError
        return Node("name", (), f"d{top.args[1].value}/d{bottom.args[1].value}")
    return Node("divide", (top, bottom))


def is_integer(node: Node) -> bool:
    """Whether a node is a literal integer."""
    return node.op == "number" and node.value.isdigit()


def ends_in_factorial(node: Node) -> bool:
    """Whether a product ends in a factorial, which a number may follow: `3!4!`."""
    return node.op == "factorial" or (node.op == "multiply" and ends_in_factorial(node.args[-1]))


def is_proper(node: Node) -> bool:
    """Whether a node is a fraction of two literal integers between 0 and 1."""
    if node.op != "divide" or not all(map(is_integer, node.args)):
        return False
    return 0 < int(node.args[0].value) < int(node.args[1].value)


def is_vector(node: Node) -> bool:
    """Whether an expression holds a vector."""
    if node.op == "name":
        return node.value.split(" ")[0] in VECTORS
    return any(map(is_vector, node.args))


def radians(node: Node) -> Node:
    """Puts degrees into radians, as trigonometric functions need them."""
    if node.op == "degrees":
        turn = Node("divide", (Node("name", (), "pi"), Node("number", (), "180")))
        return Node("multiply", (node.args[0], turn))
    return Node(node.op, tuple(map(radians, node.args)), node.value)


def literal(node: Node) -> Fraction:
    """Returns the value of a ``number`` node; ``0.1(6)`` repeats its 6."""
    text = node.value
    if "(" not in text:
        return Fraction(text if text[-1] != "." else text[:-1])
    head, _, period = text.rstrip(")").partition("(")
    places = len(head.partition(".")[2])
    base = Fraction(head if head[-1] != "." else head[:-1])
    return base + Fraction(int(period), (10 ** len(period) - 1) * 10**places)


@functools.lru_cache(maxsize=4096)
def names(node: Node) -> frozenset[str]:
    """Returns the variables of an expression."""
    if node.op == "name":
        return (
            frozenset() if node.value in ("pi", "e", "i", "infinity") else frozenset([node.value])
        )
    if node.op == "bound":
        variable = node.value.partition(" ")[2]
        return frozenset().union(*map(names, node.args[:-1]), names(node.args[-1]) - {variable})
    return frozenset().union(*map(names, node.args)) if node.args else frozenset()


def bind(kind: str, limits: tuple[Node, ...], body: Node, variable: str) -> Node:
    """Makes a sum, product or integral, with a name of its own for the variable that it binds.

    Args:
        kind: ``sum``, ``prod`` or ``int``.
        limits: The lower and the upper limit, or none.
        body: What is summed; `F_k` is a function of its index.
        variable: The variable as written.
    """
    own = f"#{_nesting(body)}"
    return Node("bound", (*limits, _bound_body(body, variable, own)), f"{kind} {own}")


def _nesting(node: Node) -> int:
    return (node.op == "bound") + max(map(_nesting, node.args), default=0)


def _bound_body(node: Node, variable: str, own: str) -> Node:
    head, _, index = node.value.partition("_")
    if node.op == "name" and node.value == variable:
        return Node("name", (), own)
    if node.op == "name" and index == variable:
        return Node("apply", (Node("name", (), own),), f"{head}_")
    return Node(node.op, tuple(_bound_body(arg, variable, own) for arg in node.args), node.value)


def operations(node: Node) -> frozenset[str]:
    """Returns the operations of an expression, and the constants it names."""
    own = frozenset([node.value if node.op == "name" else node.op])
    return own.union(*map(operations, node.args))


def count(node: Node) -> int:
    """Returns the number of nodes."""
    return 1 + sum(map(count, node.args))
