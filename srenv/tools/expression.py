"""A parser of formulas that a model writes, into nested tuples; no text is evaluated as code.

The grammar: numbers, one-letter names and ``pi``, ``e``, ``i``; ``+ - * / ^`` (also ``**``),
parentheses, products by juxtaposition of a number and what follows (``2x``), ``=``, and calls
``name(a, b)``. A node is one of

    ("number", "12.5"), ("name", "x"), ("negate", a), ("call", "factor", (a, ...)),
    ("+", a, b), ("-", a, b), ("*", a, b), ("/", a, b), ("^", a, b), ("=", a, b)
"""

from __future__ import annotations

import re
from typing import Any

from srenv.verifier.symbolic.screen import DEPTH_LIMIT, DIGIT_LIMIT, LENGTH_LIMIT

Node = tuple[Any, ...]

_TOKEN = re.compile(rf"\s*(?:([0-9]{{1,{DIGIT_LIMIT}}}(?:\.[0-9]{{1,{DIGIT_LIMIT}}})?)|"
                    r"([A-Za-z]{1,16})|(\*\*|[-+*/^(),=]))")  # fmt: skip
_SPELLINGS = {"×": "*", "·": "*", "−": "-", "÷": "/"}


class ExpressionError(ValueError):
    """The text is not a formula, or too large. The message is short, as a model will read it."""


def parse(text: str) -> Node:
    """Parses a formula into a node.

    Raises:
        ExpressionError: The text is not a formula, too long or too deep.
    """
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError("too long")
    for spelling, symbol in _SPELLINGS.items():
        text = text.replace(spelling, symbol)
    parser = _Parser(_tokens(text))
    node = parser.equation(DEPTH_LIMIT)
    if parser.tokens:
        raise ExpressionError(f"unexpected {parser.tokens[-1]}")
    return node


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    place, text = 0, text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError("unknown characters, or too many digits")
        tokens.append(match[match.lastindex or 0])
        place = match.end()
    if not tokens:
        raise ExpressionError("empty")
    return tokens


class _Parser:
    """A recursive-descent parser with a limited depth."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]  # the next token is the last

    def _accept(self, *symbols: str) -> str:
        return self.tokens.pop() if self.tokens and self.tokens[-1] in symbols else ""

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise ExpressionError(f"a {symbol} is missing")

    def equation(self, depth: int) -> Node:
        left = self.sum(depth)
        return ("=", left, self.sum(depth)) if self._accept("=") else left

    def sum(self, depth: int) -> Node:
        left = self.product(depth)
        while op := self._accept("+", "-"):
            left = (op, left, self.product(depth))
        return left

    def product(self, depth: int) -> Node:
        left = self.signed(depth)
        while True:
            if op := self._accept("*", "/"):
                left = (op, left, self.signed(depth))
            elif self.tokens and (self.tokens[-1] == "(" or self.tokens[-1][0].isalpha()):
                left = ("*", left, self.power(depth))  # 2x, 3(x+1)
            else:
                return left

    def signed(self, depth: int) -> Node:
        negative = False
        while sign := self._accept("-", "+"):
            negative ^= sign == "-"
        node = self.power(depth)
        return ("negate", node) if negative else node

    def power(self, depth: int) -> Node:
        if depth == 0:
            raise ExpressionError("too deep")
        base = self.atom(depth - 1)
        return ("^", base, self.exponent(depth - 1)) if self._accept("^", "**") else base

    def exponent(self, depth: int) -> Node:
        return ("negate", self.power(depth)) if self._accept("-") else self.power(depth)

    def atom(self, depth: int) -> Node:
        if self._accept("("):
            node = self.equation(depth)
            self._expect(")")
            return node
        if not self.tokens:
            raise ExpressionError("a number is missing")
        token = self.tokens.pop()
        if token[0].isdigit():
            return ("number", token)
        if not token[0].isalpha():
            raise ExpressionError(f"unexpected {token}")
        if self._accept("("):
            arguments = [self.equation(depth)]
            while self._accept(","):
                arguments.append(self.equation(depth))
            self._expect(")")
            return ("call", token, tuple(arguments))
        return ("name", token)
