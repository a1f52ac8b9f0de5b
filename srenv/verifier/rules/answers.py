"""Compares two answers that were read: kind by kind, element by element.

Every function returns a `Decision`, whose first part has three values: an element that cannot be
decided leaves the whole undecided, unless another element refutes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from srenv.verifier.grade import Decision
from srenv.verifier.reading.labels import letters_of, name_of, value_of, without_repeated_names
from srenv.verifier.reading.nodes import Node, names, operations
from srenv.verifier.reading.structure import (
    CONVERSE,
    Answer,
    Combined,
    Domain,
    Items,
    Matrix,
    Opaque,
    Relation,
    Value,
)
from srenv.verifier.rules.chains import (
    ContradictionError,
    is_worded,
    names_a_quantity,
    simplify_chain,
)
from srenv.verifier.rules.equations import compare_equations, zero_form
from srenv.verifier.rules.expressions import compare_expressions
from srenv.verifier.rules.real_sets import NotASetError, RealSet, real_set
from srenv.verifier.trace import note
from srenv.verifier.values import equality

ITEMS_LIMIT = 200
CHOICES_LIMIT = 4
PAIRS_LIMIT = 900

_ORDER = frozenset(["<", ">", "<=", ">=", "!="])


def compare_answers(gold: Answer, answer: Answer) -> Decision:
    """Compares two answers.

    Args:
        gold: The gold answer.
        answer: The answer to check.

    Returns:
        The decision and the rule that made it.
    """
    decision = _compare_said(gold, answer)
    note("compare", gold, "with", answer, "->", *decision)
    return decision


def _compare_said(gold: Answer, answer: Answer) -> Decision:
    """Compares two answers once chains and choices are reduced to what they say."""
    try:
        gold = _reduce(gold)
    except ContradictionError:
        return (True, "text") if gold == answer else (None, "contradiction")
    try:
        answer = _reduce(answer)
    except ContradictionError:
        return False, "contradiction"
    return _compare(without_repeated_names(gold), without_repeated_names(answer))


def _reduce(answer: Answer) -> Answer:
    """Returns what a chain of equalities says, and the one value that all choices are forms of."""
    if isinstance(answer, Relation):
        return simplify_chain(answer)
    if isinstance(answer, Items) and answer.choice and len(answer.items) <= CHOICES_LIMIT:
        first, *others = answer.items
        if all(_is_form(first, other) for other in others):
            return _reduce(first)
    return answer


def _is_form(first: Answer, other: Answer) -> bool:
    return compare_answers(first, other)[0] is True


def _compare(gold: Answer, answer: Answer) -> Decision:
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _with_relation(gold, answer)
    if isinstance(gold, Value) and isinstance(answer, Value):
        return compare_expressions(gold.node, answer.node)
    if isinstance(gold, Opaque) or isinstance(answer, Opaque):
        return (True, "text") if gold == answer else (None, "undecided")
    if isinstance(gold, Matrix) and isinstance(answer, Matrix):
        return _matrices(gold, answer)
    if isinstance(gold, Domain) and isinstance(answer, Domain):
        return gold.name == answer.name, "set"
    if _is_ratio(gold) or _is_ratio(answer):
        return _ratios(gold, answer)
    if isinstance(gold, Items) and isinstance(answer, Items):
        return _items(gold, answer)
    by_cases = [isinstance(side, Items) and side.brackets == "cases" for side in (gold, answer)]
    if any(by_cases) and letters_of(gold) and letters_of(answer):
        return None, "undecided"  # `|x|` has other forms
    if isinstance(gold, (Domain, Combined)) or isinstance(answer, (Domain, Combined)):
        return _sets(gold, answer)
    if isinstance(gold, Items) and gold.brackets == "{}" and len(gold.items) == 1:
        return compare_answers(gold.items[0], answer)
    if isinstance(answer, Items) and answer.brackets == "{}" and len(answer.items) == 1:
        return compare_answers(gold, answer.items[0])
    if isinstance(answer, Items) and not answer.ordered:
        return False, "hedged"
    return False, "kind"


def all_of(decisions: Iterable[Decision], reason: str) -> Decision:
    """Joins the decisions on all elements: one that differs refutes the whole."""
    undecided: Decision | None = None
    for decision in decisions:
        if decision[0] is False:
            return False, reason
        if decision[0] is None:
            undecided = decision
    return undecided or (True, reason)


# --- several values ----------------------------------------------------------------------------


def _items(gold: Items, answer: Items) -> Decision:
    if len(gold.items) > ITEMS_LIMIT or len(answer.items) > ITEMS_LIMIT:
        return None, "too_large"
    if gold.ordered and answer.ordered:
        if _shape(gold) != _shape(answer):
            return False, "brackets"
        if len(gold.items) != len(answer.items):
            return False, "length"
        return all_of(map(compare_answers, gold.items, answer.items), "tuple")
    if gold.ordered != answer.ordered:
        named, values = (gold, answer) if answer.ordered else (answer, gold)
        in_order = _as_tuple(named)
        if in_order is not None:
            return _items(in_order, values)
        both = [len(side.items) > 1 or not side.ordered for side in (gold, answer)]
        return (False, "kind") if all(both) else (False, "hedged")
    return _named_lists(gold, answer) or _unordered(gold, answer)


def _shape(items: Items) -> str:
    return items.brackets.replace("<", "(").replace(">", ")")


def _as_tuple(items: Items) -> Items | None:
    """Returns `x = 1, y = 2` as (1, 2): variables in alphabetical order are coordinates."""
    names = [name_of(item) for item in items.items]
    if not items.brackets and all(names) and names == sorted(set(map(str, names))):
        return Items("()", tuple(map(value_of, items.items)))
    return None


def _named_lists(gold: Items, answer: Items) -> Decision | None:
    """Compares lists of named values by name; one without names is taken in order."""
    gold_names, answer_names = ([name_of(item) for item in side.items] for side in (gold, answer))
    if len(set(gold_names)) < len(gold_names) and len(set(answer_names)) < len(answer_names):
        return None
    if all(gold_names) and all(answer_names):
        if sorted(map(str, gold_names)) != sorted(map(str, answer_names)):
            return False, "names"
        by_name = dict(zip(answer_names, answer.items, strict=True))
        pairs = [
            (value_of(g), value_of(by_name[n])) for g, n in zip(gold.items, gold_names, strict=True)
        ]
        return all_of([compare_answers(g, a) for g, a in pairs], "names")
    if (all(gold_names) and not any(answer_names)) or (all(answer_names) and not any(gold_names)):
        if len(gold_names) != len(answer_names):
            return False, "length"
        values = [[value_of(i) if name_of(i) else i for i in side.items] for side in (gold, answer)]
        return all_of(map(compare_answers, *values), "list")
    return None


def _unordered(gold: Items, answer: Items) -> Decision:
    """Matches the elements of two lists; in a set, an element may be written twice."""
    as_sets = "{}" in (gold.brackets, answer.brackets)
    if not as_sets and len(gold.items) != len(answer.items):
        return False, "hedged" if len(gold.items) < len(answer.items) else "length"
    keys = {id(item): _key(item) for side in (gold, answer) for item in side.items}
    if len(gold.items) * len(answer.items) > PAIRS_LIMIT and None in keys.values():
        return None, "too_large"
    rest = list(answer.items)
    undecided = False
    for item in gold.items:
        decisions = [_match(item, other, keys) for other in rest]
        if True in decisions:
            if not as_sets:
                del rest[decisions.index(True)]
        elif None in decisions:
            undecided = True
        else:
            return False, "set"
    if as_sets:
        for item in answer.items:
            decisions = [_match(other, item, keys) for other in gold.items]
            if True not in decisions and None not in decisions:
                return False, "set"
    return (None, "undecided") if undecided else (True, "set")


_Key = tuple[complex, ...] | None


def _match(first: Answer, second: Answer, keys: dict[int, _Key]) -> bool | None:
    a, b = keys[id(first)], keys[id(second)]
    if a is not None and b is not None and (len(a) != len(b) or any(map(_far, a, b))):
        return False
    return compare_answers(first, second)[0]


def _far(a: complex, b: complex) -> bool:
    return abs(a - b) > 1e-9 * max(abs(a), abs(b), 1e-300)


def _key(answer: Answer) -> _Key:
    """Returns rough values, which tell most elements apart at once."""
    if isinstance(answer, Value) and "log" not in operations(answer.node):
        value = equality.sketch(answer.node)
        return None if value is None else (value,)
    if isinstance(answer, Items) and answer.ordered:
        keys = [_key(item) for item in answer.items]
        return None if None in keys else tuple(k for key in keys for k in key or ())
    return None


def _is_ratio(answer: Answer) -> bool:
    return isinstance(answer, Items) and answer.brackets == ":"


_ZERO = Node("number", (), "0")


def _ratios(gold: Answer, answer: Answer) -> Decision:
    """Compares ratios, of which one may be a fraction: all terms in proportion to the first."""
    gold_names, answer_names = _terms(gold), _terms(answer)
    if len(gold_names) != len(answer_names):
        return False, "kind"
    if any(
        equality.compare_values(terms[0], _ZERO) != "unequal"
        for terms in (gold_names, answer_names)
    ):
        return all_of(
            [compare_expressions(a, b) for a, b in zip(gold_names, answer_names, strict=True)],
            "ratio",
        )
    products = [
        (Node("multiply", (a, answer_names[0])), Node("multiply", (b, gold_names[0])))
        for a, b in zip(gold_names[1:], answer_names[1:], strict=True)
    ]
    return all_of([compare_expressions(a, b) for a, b in products], "ratio")


def _terms(answer: Answer) -> list[Node]:
    """Returns the terms of a ratio; a value is in the ratio of itself to 1."""
    if isinstance(answer, Value):
        return [answer.node, Node("number", (), "1")]
    items = answer.items if isinstance(answer, Items) and answer.brackets == ":" else ()
    return [item.node for item in items if isinstance(item, Value)]


def _matrices(gold: Matrix, answer: Matrix) -> Decision:
    if (len(gold.rows), len(gold.rows[0])) != (len(answer.rows), len(answer.rows[0])):
        return False, "matrix"
    cells: Sequence[tuple[Answer, Answer]] = [
        pair for g, a in zip(gold.rows, answer.rows, strict=True) for pair in zip(g, a, strict=True)
    ]
    return all_of((compare_answers(g, a) for g, a in cells), "matrix")


def _same_set(gold: Answer, answer: Answer) -> bool | None:
    try:
        return real_set(gold) == real_set(answer)
    except NotASetError:
        return None


def _sets(gold: Answer, answer: Answer) -> Decision:
    same = _same_set(gold, answer)
    if same is not None:
        return same, "interval"
    if isinstance(gold, Combined) and isinstance(answer, Combined) and gold.joint == answer.joint:
        if gold.joint == "setminus":
            return all_of(map(compare_answers, gold.parts, answer.parts), "set")
        decision = _unordered(Items("", gold.parts), Items("", answer.parts))
        return decision if decision[0] else (None, "undecided")
    if isinstance(gold, Value) or isinstance(answer, Value):
        return False, "hedged"
    if isinstance(gold, Domain) or isinstance(answer, Domain):
        other = answer if isinstance(gold, Domain) else gold
        return (None, "undecided") if isinstance(other, Combined) else (False, "kind")
    return None, "undecided"


# --- relations ---------------------------------------------------------------------------------


def _with_relation(gold: Answer, answer: Answer) -> Decision:
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _two_relations(gold, answer)
    relation, other = (gold, answer) if isinstance(gold, Relation) else (answer, gold)
    assert isinstance(relation, Relation)
    if name_of(relation) is not None or _names_a_quantity(relation):
        value = value_of(relation)
        return compare_answers(value, other) if relation is gold else compare_answers(other, value)
    if not set(relation.signs) <= {"=", "in"} or isinstance(other, Combined):
        if isinstance(other, Value):
            return False, "hedged"
        return _sets(gold, answer)
    constant = _computed(relation)
    if constant is not None:
        return (
            compare_answers(constant, other)
            if relation is gold
            else compare_answers(other, constant)
        )
    value = value_of(relation)
    if names_a_quantity(relation.items[0]) is None and compare_answers(value, other)[0]:
        return None, "unsolved"  # perhaps the quantity that was asked for
    return False, "equation"


def _names_a_quantity(relation: Relation) -> bool:
    if set(relation.signs) != {"="}:
        return False
    label, value = relation.items[0], relation.items[-1]
    if isinstance(value, (Matrix, Domain)) or isinstance(label, Combined):
        return True
    return names_a_quantity(label) is True


def _computed(relation: Relation) -> Value | None:
    """Returns the value of `2^{10} = 1024`, a chain of equal constants."""
    if set(relation.signs) != {"="}:
        return None
    nodes = [item.node for item in relation.items if isinstance(item, Value)]
    if len(nodes) < len(relation.items) or any(map(names, nodes)):
        return None
    if all(equality.compare_values(nodes[0], node) == "equal" for node in nodes[1:]):
        return Value(nodes[-1])
    return None


def _two_relations(gold: Relation, answer: Relation) -> Decision:
    gold_names, answer_names = name_of(gold), name_of(answer)
    if gold_names is not None and gold_names == answer_names:
        decision = compare_answers(value_of(gold), value_of(answer))
        return decision if decision[0] is not None else (None, decision[1])
    if _names_a_quantity(gold) and _names_a_quantity(answer) and None in (gold_names, answer_names):
        decision = compare_answers(value_of(gold), value_of(answer))
        if decision[0]:
            worded = is_worded(gold.items[0]) or is_worded(answer.items[0])
            same = compare_answers(gold.items[0], answer.items[0])[0]
            return decision if worded or same else (None, "names")
    if gold.signs == answer.signs == ("=",) and zero_form(gold) and zero_form(answer):
        if (gold_names is None) != (answer_names is None) and _is_solved(
            gold if gold_names else answer
        ):
            return False, "unsolved"
        return compare_equations(gold, answer)
    if set(gold.signs) & _ORDER and set(answer.signs) & _ORDER:
        return _inequalities(gold, answer)
    if not (set(gold.signs) & _ORDER or set(answer.signs) & _ORDER):
        return _chains(gold, answer)
    return _sets(gold, answer) if {"in"} & {*gold.signs, *answer.signs} else (False, "equation")


def _is_solved(relation: Relation) -> bool:
    value = value_of(relation)
    return not (isinstance(value, Value) and names(value.node))


def _inequalities(gold: Relation, answer: Relation) -> Decision:
    solved = [_solved_set(side) for side in (gold, answer)]
    if solved[0] is not None and solved[1] is not None:
        return _same_set(gold, answer), "inequality"
    if (solved[0] is None) != (solved[1] is None):
        return None, "unsolved"  # it may be no more than the problem
    if len(gold.signs) == len(answer.signs) == 1 and zero_form(gold) and zero_form(answer):
        return compare_equations(gold, answer)
    return _chains(gold, answer)


def _solved_set(relation: Relation) -> RealSet | None:
    try:
        return real_set(relation)
    except NotASetError:
        return None


def _chains(gold: Relation, answer: Relation) -> Decision:
    """Compares chains such as `a < b < c` step by step, forwards and backwards."""
    reverse = Relation(
        answer.items[::-1], tuple(CONVERSE.get(sign, sign) for sign in answer.signs[::-1])
    )
    decisions: list[Decision] = []
    for form in (answer, reverse):
        if form.signs != gold.signs:
            decisions.append((False, "relation"))
        else:
            decisions.append(all_of(map(compare_answers, gold.items, form.items), "relation"))
    return max(decisions, key=lambda d: (d[0] is True, d[0] is None))
