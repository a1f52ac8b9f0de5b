"""Names of answers: `x = 5`, `f(x) = x^2`, `(x, y) = (1, 2)`."""

from __future__ import annotations

from srenv.verifier.reading.nodes import Node, names
from srenv.verifier.reading.structure import (
    Answer,
    Combined,
    Items,
    Matrix,
    Relation,
    Value,
    is_bare,
)


def name_of(answer: Answer) -> str | None:
    """Returns the name that an answer gives to a value, as in ``x = 5`` and ``f(x) = x^2``."""
    if not isinstance(answer, Relation) or answer.signs[0] not in ("=", "in"):
        return None
    if set(answer.signs) - {answer.signs[0]}:
        return None
    subject = answer.items[0]
    if isinstance(subject, Items) and subject.brackets == "()":
        names = [_label(i.node) if isinstance(i, Value) else None for i in subject.items]
        return "(" + ",".join(map(str, names)) + ")" if all(names) else None
    return _label(subject.node) if isinstance(subject, Value) else None


def _label(node: Node) -> str | None:
    """Returns the name of a lone variable, an unknown function or a segment `AB`."""
    if node.op == "name" and node.value not in ("pi", "e", "i", "infinity"):
        return node.value
    if node.op == "apply":
        return node.value + "()"
    if node.op == "multiply":
        parts = [_label(arg) for arg in node.args]
        if all(part is not None and part.isupper() for part in parts):
            return "".join(map(str, parts))
        # `P(x) = ...`: a letter before brackets that hold a variable or a number
        if node.args[0].op == "name" and node.args[1].op in ("name", "number"):
            return f"{node.args[0].value}()" if node.args[0].value.isupper() else None
    return None


def value_of(answer: Answer) -> Answer:
    """Returns what a named answer says; a chain that computes (`x = 2 + 3 = 5`) ends in it."""
    return answer.items[-1] if isinstance(answer, Relation) else answer


def without_repeated_names(answer: Answer) -> Answer:
    """Drops the names that a list repeats: `x = 1, x = 2` and `x = 1, 2` are 1 and 2."""
    if not isinstance(answer, Items) or answer.brackets:
        return answer
    named = [name_of(item) for item in answer.items]
    if named[0] and all(name in (None, named[0]) for name in named):
        values = [
            value_of(item) if name else item for item, name in zip(answer.items, named, strict=True)
        ]
        flat = [v for value in values for v in (value.items if is_bare(value) else (value,))]
        return Items("", tuple(flat))
    return answer


def letters_of(answer: Answer) -> frozenset[str]:
    """Returns the variables of an answer, whatever its kind."""
    if isinstance(answer, Value):
        return names(answer.node)
    return frozenset().union(*map(letters_of, _parts(answer)))


def rename(answer: Answer, old: str, new: str) -> Answer:
    """Puts one variable in the place of another, in an expression, list or relation."""
    if isinstance(answer, Value):
        return Value(_rename(answer.node, old, new))
    if isinstance(answer, Items):
        items = tuple(rename(item, old, new) for item in answer.items)
        return Items(answer.brackets, items, answer.choice)
    if isinstance(answer, Relation):
        return Relation(tuple(rename(item, old, new) for item in answer.items), answer.signs)
    return answer


def _rename(node: Node, old: str, new: str) -> Node:
    value = new if node.op == "name" and node.value == old else node.value
    return Node(node.op, tuple(_rename(arg, old, new) for arg in node.args), value)


def _parts(answer: Answer) -> tuple[Answer, ...]:
    if isinstance(answer, (Items, Relation)):
        return answer.items
    if isinstance(answer, Combined):
        return answer.parts
    return sum(answer.rows, ()) if isinstance(answer, Matrix) else ()
