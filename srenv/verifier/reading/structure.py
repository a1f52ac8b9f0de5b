r"""Reads a normalized answer as what it is: a value, a tuple, a set, a relation, a matrix.

`read` cuts the tokens at separators outside all brackets and leaves the pieces to `grammar`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard, Union

from srenv.verifier.reading.grammar import expression
from srenv.verifier.reading.nodes import Node
from srenv.verifier.reading.tokens import (
    CLOSING,
    OPENING,
    Token,
    TooLargeError,
    UnreadableError,
    tokenize,
)


@dataclass(frozen=True, slots=True)
class Value:
    """One mathematical object that has a value."""

    node: Node

    def __str__(self) -> str:
        return str(self.node)


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers in order.

    Attributes:
        brackets: What encloses them: ``()``, ``(]``, ``{}``, ``<>``; empty for a bare list,
            ``:`` for a ratio, and ``cases`` for values with their conditions.
        items: The answers.
        choice: Whether they are joined by "or" alone.
    """

    brackets: str
    items: tuple[Answer, ...]
    choice: bool = False

    @property
    def ordered(self) -> bool:
        """Whether the order matters: it does not in sets and bare lists."""
        return self.brackets not in ("", "{}", "cases")

    def __str__(self) -> str:
        kind = {"": "list", "{}": "set", ":": "ratio"}.get(self.brackets, self.brackets)
        return f"{kind}[{'; '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain of values and the relations between them, such as ``-1 < x <= 3``."""

    items: tuple[Answer, ...]
    signs: tuple[str, ...]

    def __str__(self) -> str:
        steps = zip(self.signs, self.items[1:], strict=True)
        return str(self.items[0]) + "".join(f" {sign} {item}" for sign, item in steps)


@dataclass(frozen=True, slots=True)
class Combined:
    """Parts joined by ``and``, ``or``, ``cup``, ``cap`` or ``setminus``."""

    joint: str
    parts: tuple[Answer, ...]

    def __str__(self) -> str:
        return f" {self.joint} ".join(f"[{part}]" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of values."""

    rows: tuple[tuple[Answer, ...], ...]

    def __str__(self) -> str:
        return f"matrix[{'; '.join(', '.join(map(str, row)) for row in self.rows)}]"


@dataclass(frozen=True, slots=True)
class Domain:
    r"""A named set: ``R``, ``Z``, ``N``, ``Q``, ``C`` or ``empty``."""

    name: str

    def __str__(self) -> str:
        return f"the set {self.name}"


@dataclass(frozen=True, slots=True)
class Opaque:
    r"""One side of an equation that is not looked into, such as ``\\det A`` or an integral."""

    text: str

    def __str__(self) -> str:
        return f"<{self.text}>"


Answer = Union[Value, Items, Relation, Combined, Matrix, Domain, Opaque]  # noqa: UP007 (an alias in 3.10)

RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "in", "~="])

CONVERSE = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
"""The sign of a relation read from right to left, or of one multiplied by a negative number."""

_ENVIRONMENT = re.compile(
    r"\[?\\begin\{(?P<name>[pbBvV]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?(?P<body>.*)"
    r"\\end\{(?P=name)\}\]?",
    re.DOTALL,
)
_CASES = re.compile(
    r"(?:\\begin\{[dr]?cases\}|\\\{\\begin\{array\}(?:\{[lcr|]*\})?)(?P<body>.*)"
    r"\\end\{(?:[dr]?cases|array)\}",
    re.DOTALL,
)
_POINT = re.compile(r"^[A-Z](?=\([^()]*,[^()]*\)$)")  # `P(2, 3)`
_CONDITION_WORD = re.compile(r"^(?:(?:if|for|when|where)(?![A-Za-z])|[, ])+")
_DOMAINS = {
    r"\emptyset": "empty",
    r"\{\}": "empty",
    "all real numbers": "R",
    "all reals": "R",
    "real numbers": "R",
    "reals": "R",
    "all integers": "Z",
    "integers": "Z",
    "all rational numbers": "Q",
    "all complex numbers": "C",
    "all real x": "R",
    "all real values": "R",
    "no solution": "empty",
    "no solutions": "empty",
}
_EXCEPT = re.compile(
    r"^(?:the )?all (?:real numbers|reals|real x|x)\b ?"
    r"(?:except(?: for)?|other than|but|excluding)(?![A-Za-z]) ?"
)
_RELATION_SIGN = re.compile(r"(?<![<>!:=])=(?!=)|:=|\\(?:eq|approx|simeq)(?![A-Za-z])")
_BREAK = re.compile(r"[,;]| and | or |[<>]|\\(?:le|ge|ne|in)(?![A-Za-z])")
_NESTING = re.compile(
    r"\\[{}|]|\\(?:begin|left)(?![A-Za-z])|\\(?:end|right)(?![A-Za-z])|[(\[{]|[)\]}]"
)
_OPAQUE_LIMIT = 300
_DOMAIN = re.compile(r"\\(?:mathbb|mathbf|Bbb)\s*\{?([RZNQC])\}?|\\([RZNQ])(?![A-Za-z])")
_LIST = re.compile(r"[0-9],(?:\s|\\[,;: q])")


def is_spaced(written: str) -> bool:
    """Whether the commas of an answer separate: `1, 200` is a list, `1,200` a number."""
    return _LIST.search(written) is not None


def read(text: str, commas: bool = False) -> Answer:
    """Reads a normalized answer.

    Args:
        text: A result of `srenv.verifier.reading.normalize.normalize`.
        commas: Whether a comma always separates, even in `1,200`.

    Raises:
        UnreadableError: The text is none of the known kinds.
        TooLargeError: The text is beyond the limits.
    """
    domain = _DOMAINS.get(text.lower().removeprefix("the "))
    if domain is not None:
        return Domain(domain)
    match = _ENVIRONMENT.fullmatch(text.removeprefix("(").removesuffix(")"))
    if match is not None:
        return _matrix(match["name"], match["body"])
    text = _POINT.sub("", text)
    match = _CASES.fullmatch(text)
    if match is not None:
        return _cases(match["body"])
    if commas:
        text = text.replace(",", ", ")
    if text.startswith(("all ", "the all ", "All ")):
        text = _EXCEPT.sub(r"x \\ne ", text[0].lower() + text[1:])
    try:
        return _answer(tokenize(_in_domains(text)))
    except UnreadableError:
        return _opaque_chain(text, commas)


def _opaque_chain(text: str, commas: bool) -> Answer:
    r"""Reads a chain of equalities of which one side at least is readable: `\det A = 7`.

    Raises:
        UnreadableError: The text is no such chain.
    """
    parts, signs = _split_chain(text)
    items = tuple(_part(part.strip(), commas) for part in parts)
    readable = [not isinstance(item, Opaque) for item in items]
    if not any(readable) or not (readable[-1] or readable[0]):
        raise UnreadableError
    return Relation(items, tuple(signs))


def _split_chain(text: str) -> tuple[list[str], list[str]]:
    """Cuts a text at its signs of equality outside all brackets."""
    masked = list(text)
    depth = 0
    for match in _NESTING.finditer(text):
        mark = match.group()
        depth += (mark in "([{" or mark in (r"\{", r"\begin", r"\left")) - (
            mark in ")]}" or mark in (r"\}", r"\end", r"\right")
        )
        masked[match.start()] = "\x01" if depth > 0 else "\x02"
    depth = 0
    for at, char in enumerate(masked):
        depth = 1 if char == "\x01" else 0 if char == "\x02" else depth
        if depth:
            masked[at] = "\x01"
    outside = "".join(masked)
    cuts = list(_RELATION_SIGN.finditer(outside))
    if not cuts or _BREAK.search(outside):
        raise UnreadableError
    edges = [0, *(edge for cut in cuts for edge in cut.span()), len(text)]
    parts = [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return parts, ["=" if "=" in cut.group() or "eq" in cut.group() else "~=" for cut in cuts]


def _part(text: str, commas: bool) -> Answer:
    if not text or len(text) > _OPAQUE_LIMIT:
        raise UnreadableError
    try:
        return read(text, commas)
    except UnreadableError:
        return Opaque(text)


def _cases(body: str) -> Answer:
    """Reads a system of equations as a list, and a function by cases as values with conditions."""
    rows = [row.strip(" ,;") for row in body.split("\\\\") if row.strip(" ,;")]
    if len(rows) > 20:
        raise TooLargeError
    if not any("&" in row for row in rows):
        return _joined("", [tokenize(_in_domains(row)) for row in rows])
    pairs = [row.split("&") for row in rows]
    if any(len(pair) != 2 for pair in pairs):
        raise UnreadableError
    return Items("cases", tuple(Items("()", (read(v.strip(" ,")), _case(c))) for v, c in pairs))


def _case(text: str) -> Answer:
    condition = _CONDITION_WORD.sub("", text.strip())
    if condition in ("otherwise", "else", "elsewhere"):
        return Opaque("otherwise")
    return read(condition)


def _in_domains(text: str) -> str:
    return _DOMAIN.sub(lambda m: rf"\Domain{m[1] or m[2]} ", text)


def _matrix(name: str, body: str) -> Answer:
    if name in ("vmatrix", "Vmatrix") or "\\begin" in body:
        raise UnreadableError  # determinants and norms
    body = re.sub(r"(?<!\\)\\(?=[0-9-])", r"\\\\", body)  # a backslash that was lost
    rows = re.sub(r"\\hline", "", body).split("\\\\")
    if rows and not rows[-1].strip():
        rows.pop()
    rows = [re.sub(r"^\s*\[[0-9.]+(?:pt|em|ex|mm)\]", "", row) for row in rows]
    if sum(row.count("&") + 1 for row in rows) > 400:
        raise TooLargeError
    cells = tuple(tuple(read(cell.strip()) for cell in row.split("&")) for row in rows)
    if not cells or len({len(row) for row in cells}) > 1:
        raise UnreadableError
    return Matrix(cells)


# --- from tokens -------------------------------------------------------------------------------


def _answer(tokens: Sequence[Token]) -> Answer:
    if not tokens:
        raise UnreadableError
    for joint in ("or", "and"):
        parts = _split(tokens, joint)
        if len(parts) > 1:
            return _joined(joint, parts)
    parts = _split(tokens, ";")
    if len(parts) == 1:
        parts = _split(tokens, ",")
    if len(parts) > 1:
        return _joined("", parts)
    parts = _split(tokens, ":")
    if len(parts) > 1 and not _relation_at(tokens):
        return Items(":", tuple(Value(expression(part)) for part in parts))
    for joint in ("cup", "cap", "setminus"):
        parts = _split(tokens, joint)
        if len(parts) > 1 and not _relation_at(tokens):
            return Combined(joint, tuple(map(_answer, parts)))
    if _relation_at(tokens):
        return _relation(tokens)
    enclosed = _enclosed(tokens)
    if enclosed is not None:
        return enclosed
    return _value(tokens)


def _joined(joint: str, parts: list[Sequence[Token]]) -> Answer:
    parts = [part for part in parts if part]
    if not parts:
        raise UnreadableError
    answers = tuple(map(_answer, parts))
    if any(isinstance(a, Relation) and set(a.signs) - {"="} for a in answers):
        return answers[0] if len(answers) == 1 else Combined(joint or "and", answers)
    flat = [item for a in answers for item in (a.items if is_bare(a) else (a,))]
    choice = joint == "or" and not any(map(is_bare, answers))
    return flat[0] if len(flat) == 1 else Items("", tuple(flat), choice)


def is_bare(answer: Answer) -> TypeGuard[Items]:
    """Whether an answer is a list without brackets."""
    return isinstance(answer, Items) and not answer.brackets


def _split(tokens: Sequence[Token], kind: str) -> list[Sequence[Token]]:
    """Cuts at a separator outside all brackets."""
    if not any(token.kind == kind for token in tokens):
        return [tokens]
    parts, start = [], 0
    for at in _outside(tokens):
        if tokens[at].kind == kind:
            parts.append(tokens[start:at])
            start = at + 1
    parts.append(tokens[start:])
    return parts


def _outside(tokens: Sequence[Token]) -> Iterator[int]:
    """Yields the positions outside all brackets."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.kind in OPENING:
            depth += 1
        elif token.kind in CLOSING:
            depth -= 1
        elif depth == 0:
            yield at


def _relation_at(tokens: Sequence[Token]) -> bool:
    return any(tokens[at].kind in RELATIONS for at in _outside(tokens))


def _relation(tokens: Sequence[Token]) -> Answer:
    cuts = [at for at in _outside(tokens) if tokens[at].kind in RELATIONS]
    signs = [tokens[at].kind for at in cuts]
    edges = [-1, *cuts, len(tokens)]
    parts = [tokens[a + 1 : b] for a, b in pairwise(edges)]
    if not parts[0]:  # `= 5`, `\approx 5`
        if signs not in (["="], ["~="]):
            raise UnreadableError
        return _answer(parts[1])
    items = tuple(_answer(part) if part else _missing() for part in parts)
    return Relation(items, tuple(signs))


def _missing() -> Answer:
    raise UnreadableError


def _enclosed(tokens: Sequence[Token]) -> Answer | None:
    """Reads what one pair of brackets encloses, where it is more than a group."""
    first, last = tokens[0].kind, tokens[-1].kind
    if tokens[0].text.startswith("Domain") and len(tokens) == 1:
        return Domain(tokens[0].text[-1])
    if len(tokens) < 2 or first not in OPENING or last not in CLOSING:
        return None
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        if depth == 0 and at < len(tokens) - 1:
            return None
    inside = tokens[1:-1]
    if first == "{{" and last == "}}":
        return _set(inside)
    if first == "{" and last == "}":
        return _answer(inside)
    parts = _split(inside, ",") if len(_split(inside, ";")) == 1 else _split(inside, ";")
    if len(parts) > 1:
        brackets = ("<" if first == "<<" else first) + (">" if last == ">>" else last)
        return Items(brackets, tuple(map(_answer, parts)))
    if (first, last) in (("(", ")"), ("[", "]")):
        return _answer(inside)
    return None


def _set(inside: Sequence[Token]) -> Answer:
    if not inside:
        return Domain("empty")
    for bar in ("|", ":"):
        at = next((i for i in _outside(inside) if inside[i].kind == bar), None)
        if at is not None and at > 0:
            return _described(inside[:at], inside[at + 1 :])
    content = _answer(inside)
    if isinstance(content, Combined | Relation):
        raise UnreadableError
    return Items("{}", content.items if is_bare(content) else (content,))


def _described(subject: Sequence[Token], condition: Sequence[Token]) -> Answer:
    r"""Reads `\{x : x > 3\}`, and `\{x \in R : x > 3\}`."""
    lone = [t.kind for t in subject] == ["name"]
    over = len(subject) == 3 and subject[1].kind == "in" and subject[2].text == "DomainR"
    content = _answer(condition)
    if not (lone or over) or not isinstance(content, Relation | Combined):
        raise UnreadableError
    return content


def _value(tokens: Sequence[Token]) -> Answer:
    if len(tokens) == 1 and tokens[0].kind == "command" and tokens[0].text == "emptyset":
        return Domain("empty")
    if any(token.kind in ("+-", "-+") for token in tokens):
        first, second = expression(tokens, 1), expression(tokens, -1)
        return Items("", (Value(first), Value(second)))
    return Value(expression(tokens))
