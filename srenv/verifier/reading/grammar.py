r"""Reads tokens as one expression: a small recursive-descent parser of LaTeX and plain formulas.

`expression` builds a tree of `Node`; `srenv.verifier.values.numeric` gives it a value. What has no
agreed reading (integrals, sums, words, primes) is refused by `UnreadableError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from srenv.verifier.reading.nodes import (
    MINUS_ONE,
    VECTORS,
    Node,
    bind,
    ends_in_factorial,
    is_integer,
    is_proper,
    is_vector,
    quotient,
    radians,
)
from srenv.verifier.reading.tokens import TOKEN_LIMIT, Token, TooLargeError, UnreadableError

END = Token("end", "")
_APPLIED = frozenset("fghFGH")
_CALLED = frozenset("pqrsuvwyPQRSTUVWLN")
_CALLS = (["(", "x", ")"], ["(", "t", ")"], ["(", "n", ")"], ["(", "z", ")"])
_OPAQUE = VECTORS | {"overline", "bar", "mathcal", "tilde", "underline", "mathscr", "mathfrak"}
_TRIGONOMETRIC = frozenset(["sin", "cos", "tan", "cot", "sec", "csc"])
_INVERSES = {f: f"arc{f}" for f in ("sin", "cos", "tan", "cot", "sinh", "cosh", "tanh")}
_STARTS = frozenset(["number", "name", "function", "command", "(", "[", "{", "|", "infinity"])
_CLOSING = frozenset(["rfloor", "rceil", "choose", "over", "unit"])
_SUBSCRIPT = frozenset(["number", "name", "+", "-", ",", "infinity", "function", "command"])
_MANY = frozenset(["gcd", "lcm", "min", "max"])
_DEPTH = 60


def expression(tokens: Sequence[Token], sign: int = 1) -> Node:
    r"""Reads all tokens as one expression.

    Args:
        tokens: From `srenv.verifier.reading.tokens.tokenize`.
        sign: Whether ``\pm`` is a plus (1) or a minus (-1); ``\mp`` is the opposite.

    Raises:
        UnreadableError: The tokens are anything else.
        TooLargeError: The tokens nest too deeply.
    """
    reader = _Reader(tokens, sign)
    node = reader.sum()
    node = reader.infix_fraction(node)
    if reader.next.kind != "end":
        raise UnreadableError
    return node


class _Reader:
    def __init__(self, tokens: Sequence[Token], sign: int) -> None:
        self.tokens = tokens
        self.sign = sign
        self.at = 0
        self.bars = 0  # `|` that are open at this point
        self.depth = 0
        self.budget = 4 * TOKEN_LIMIT

    @property
    def next(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def take(self, kind: str | None = None) -> Token:
        token = self.next
        if token is END or kind not in (None, token.kind):
            raise UnreadableError
        self.at += 1
        return token

    # --- sums, products, powers ---------------------------------------------------------------

    def sum(self) -> Node:
        self.depth += 1
        self.budget -= 1
        if self.depth > _DEPTH or self.budget < 0:
            raise TooLargeError
        terms = [self.product()]
        while self.next.kind in ("+", "-", "+-", "-+"):
            negative = self._negative(self.take().kind)
            term = self.product()
            terms.append(Node("negate", (term,)) if negative else term)
        self.depth -= 1
        return terms[0] if len(terms) == 1 else Node("add", tuple(terms))

    def _negative(self, kind: str) -> bool:
        return kind == "-" or (kind == "+-" and self.sign < 0) or (kind == "-+" and self.sign > 0)

    def product(self) -> Node:
        left = self.signed()
        while True:
            kind = self.next.kind
            if kind in ("*", "x"):
                self.take()
                right = self.signed()
                if kind == "x" and is_vector(left) and is_vector(right):
                    raise UnreadableError  # a cross product does not commute
                left = Node("multiply", (left, right))
            elif kind in ("/", ":"):
                if kind == ":":
                    raise UnreadableError
                self.take()
                left = quotient(left, self.signed())
            elif self._starts_factor():
                left = self._implicit(left)
            else:
                return left

    def _starts_factor(self) -> bool:
        kind, text, _ = self.next
        closes = (kind == "|" and self.bars > 0) or (kind == "command" and text in _CLOSING)
        return kind in _STARTS and not closes

    def _implicit(self, left: Node) -> Node:
        r"""Multiplies neighbours without a sign between them; `2\frac{1}{3}` is a mixed number."""
        start = self.at
        token = self.next
        right = self.power()
        if token.kind == "number" and not ends_in_factorial(left):
            # `2 1/3` is a mixed number; other numbers never follow something without a sign.
            bottom = self.tokens[start + 2 : start + 3]
            slashed = self.next.kind == "/" and len(bottom) == 1 and bottom[0].kind == "number"
            if not (is_integer(left) and token.spaced and slashed):
                raise UnreadableError
            self.take("/")
            right = Node("divide", (right, self.power()))
            if not is_proper(right):
                raise UnreadableError
            return Node("add", (left, right))
        if token.text == "frac" and is_integer(left) and is_proper(right):
            return Node("add", (left, right))
        return Node("multiply", (left, right))

    def signed(self) -> Node:
        negative = False
        while self.next.kind in ("+", "-", "+-", "-+"):
            negative ^= self._negative(self.take().kind)
        node = self.power()
        return Node("negate", (node,)) if negative else node

    def power(self) -> Node:
        base = self.atom()
        while True:
            kind = self.next.kind
            if kind == "!":
                self.take()
                base = Node("factorial", (base,))
            elif kind == "%":
                self.take()
                base = Node("divide", (base, Node("number", (), "100")))
            elif kind == "^":
                self.take()
                base = self._raised(base)
            elif kind == "command" and self.next.text == "unit":
                self.take()
                self.skip_group()
            else:
                return base

    def skip_group(self) -> None:
        """Passes over a unit in braces."""
        self.take("{")
        while self.next.kind != "}":
            self.take()
        self.take("}")

    def _raised(self, base: Node) -> Node:
        following = self.tokens[self.at : self.at + 3]
        if [t.text for t in following] == ["{", "circ", "}"]:
            self.at += 3
            return Node("degrees", (base,))
        exponent = self.exponent()
        if self.next.kind == "_" and base.op == "name":  # `x^2_i`
            self.take()
            base = Node("name", (), base.value + "_" + self.subscript())
        return Node("power", (base, exponent))

    def exponent(self) -> Node:
        negative = False
        while self.next.kind in ("+", "-"):
            negative ^= self.take().kind == "-"
        node = self.function() if self.next.kind == "function" else self.atom()
        while self.next.kind == "!":
            self.take()
            node = Node("factorial", (node,))
        if self.next.kind == "^":  # `9^9^9`, which associates to the right
            self.take()
            node = Node("power", (node, self.nested_exponent()))
        return Node("negate", (node,)) if negative else node

    def nested_exponent(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise TooLargeError
        node = self.exponent()
        self.depth -= 1
        return node

    # --- atoms --------------------------------------------------------------------------------

    def atom(self) -> Node:
        token = self.next
        if token.kind == "number":
            self.take()
            return self.number(token.text)
        if token.kind == "name":
            self.take()
            return self.name(token.text)
        if token.kind == "function":
            return self.function()
        if token.kind == "command":
            self.take()
            return self.command(token.text)
        if token.kind == "infinity":
            self.take()
            return Node("name", (), "infinity")
        if token.kind == "|" and not self.bars:
            return self.absolute()
        if token.kind in ("(", "[", "{"):
            return self.group()
        raise UnreadableError

    def number(self, text: str) -> Node:
        repeats = [t.text for t in self.tokens[self.at : self.at + 2]] == ["overline", "{"]
        if "." in text and repeats:
            self.at += 2
            period = self.take("number").text
            self.take("}")
            if "." not in period:
                return Node("number", (), f"{text}({period})")
            raise UnreadableError
        return Node("number", (), text)

    def group(self) -> Node:
        opening = self.take().kind
        bars, self.bars = self.bars, 0
        node = self.sum()
        if opening == "{":
            node = self.infix_fraction(node)
        self.take({"(": ")", "[": "]", "{": "}"}[opening])
        self.bars = bars
        return node

    def infix_fraction(self, top: Node) -> Node:
        r"""Reads the rest of `n \choose k` or `a \over b`, which reach as far as their group."""
        if self.next.kind == "command" and self.next.text in ("choose", "over"):
            name = self.take().text
            bottom = self.sum()
            return Node("binom", (top, bottom)) if name == "choose" else quotient(top, bottom)
        return top

    def absolute(self) -> Node:
        self.take("|")
        self.bars += 1
        node = self.sum()
        self.take("|")
        self.bars -= 1
        return Node("abs", (node,))

    def name(self, name: str) -> Node:
        if self.next.kind == "_":
            self.take()
            index = self.index()
            if index is not None:
                return Node("apply", (index,), f"{name}_")
            name += "_" + self.subscript()
        while self.next.kind == "'":
            self.take()
            name += "'"
        if name.rstrip("'") in _APPLIED and self.next.kind == "(":
            return Node("apply", tuple(self.arguments()), name)
        following = [token.text for token in self.tokens[self.at : self.at + 3]]
        if name in _CALLED and following in _CALLS:
            return Node("apply", tuple(self.arguments()), name)
        inverse = "".join(token.text for token in self.tokens[self.at : self.at + 6])
        if name in _APPLIED and inverse == "^{-1}(":
            self.at += 5
            return Node("apply", tuple(self.arguments()), f"{name}^-1")
        return Node("name", (), name)

    def index(self) -> Node | None:
        """Reads a subscript that computes, as in `F_{n-k-1}`; others are part of a name."""
        end = next((i for i in range(self.at, len(self.tokens)) if self.tokens[i].kind == "}"), 0)
        inside = self.tokens[self.at + 1 : end]
        computes = any(token.kind in ("+", "-") for token in inside[1:])
        if self.next.kind != "{" or not computes or not any(t.kind == "name" for t in inside):
            return None
        self.at = end + 1
        return expression(inside, self.sign)

    def subscript(self) -> str:
        """Reads a subscript as part of a name."""
        token = self.take()
        if token.kind != "{":
            if token.kind not in ("number", "name"):
                raise UnreadableError
            if token.kind == "number" and len(token.text) > 1:
                raise UnreadableError  # `x_12` is `x_1 2` to TeX and `x_{12}` to most people
            return token.text
        parts = []
        while self.next.kind != "}":
            if self.next.kind not in _SUBSCRIPT:
                raise UnreadableError
            parts.append(self.take().text)
        self.take("}")
        return "".join(parts)

    def arguments(self) -> list[Node]:
        closing = ")" if self.take().kind == "(" else "}"
        bars, self.bars = self.bars, 0
        nodes = [self.sum()]
        while self.next.kind == ",":
            self.take()
            nodes.append(self.sum())
        self.take(closing)
        self.bars = bars
        return nodes

    # --- functions ----------------------------------------------------------------------------

    def function(self) -> Node:
        name = self.take("function").text
        if name in _MANY:
            return Node(name, tuple(self.arguments()))
        if name == "sqrt" and self.next.kind not in ("(", "{", "["):
            raise UnreadableError
        base: Node | None = None
        exponent: Node | None = None
        if name == "log" and self.next.kind == "_":
            self.take()
            base = self.argument()
        if self.next.kind == "^":
            self.take()
            exponent = self.exponent()
        if exponent is not None and name in _INVERSES and exponent == MINUS_ONE:
            name, exponent = _INVERSES[name], None
        node = self._apply(name, base)
        return node if exponent is None else Node("power", (node, exponent))

    def _apply(self, name: str, base: Node | None) -> Node:
        argument = self.function_argument()
        if name in _TRIGONOMETRIC:
            argument = radians(argument)
        if name == "lg":
            name, base = "log", Node("number", (), "10")
        if name == "exp":
            return Node("power", (Node("name", (), "e"), argument))
        if name == "cbrt":
            return Node("root", (argument, Node("number", (), "3")))
        if name == "sqrt":
            return Node("root", (argument, Node("number", (), "2")))
        return Node(name, (argument,) if base is None else (argument, base))

    def function_argument(self) -> Node:
        r"""Reads what a function is applied to: a group, or the product behind it (`\sin 2x`)."""
        if self.next.kind in ("(", "{", "["):
            return self.group()  # `\sin(x)^2` leaves its power to the function
        if self.next.kind in ("-", "+"):
            negative = self.take().kind == "-"
            node = self.function_argument()
            return Node("negate", (node,)) if negative else node
        node = self.power()
        while self.next.kind in ("name", "number", "command", "infinity"):
            if self.next.kind == "command" and self.next.text not in ("frac", "sqrt"):
                break
            node = self._implicit(node)
        return node

    def command(self, name: str) -> Node:
        if name == "frac":
            return quotient(self.argument(), self.argument())
        if name == "binom":
            return Node("binom", (self.argument(), self.argument()))
        if name == "sqrt":
            index = Node("number", (), "2")
            if self.next.kind == "[":
                index = self.group()
            under = self.group() if self.next.kind == "(" else self.argument()
            return Node("root", (under, index))
        if name in ("lfloor", "lceil"):
            bars, self.bars = self.bars, 0
            node = self.sum()
            if self.take("command").text != "r" + name[1:]:
                raise UnreadableError
            self.bars = bars
            return Node("floor" if name == "lfloor" else "ceil", (node,))
        if name in ("sum", "prod"):
            return self.summation(name)
        if name == "int":
            return self.integral()
        if name in _OPAQUE:
            return Node("name", (), f"{name} {self.raw()}")
        raise UnreadableError

    def summation(self, name: str) -> Node:
        r"""Reads `\sum_{k=0}^{n} a_k`, which reaches as far as a product does."""
        self.take("_")
        self.take("{")
        variable = self.take("name").text
        self.take("=")
        low = self.sum()
        self.take("}")
        self.take("^")
        high = self.argument()
        return bind(name, (low, high), self.product(), variable)

    def integral(self) -> Node:
        r"""Reads `\int_0^1 f(x) dx`, whose variable follows the `d`."""
        limits = []
        for mark in ("_", "^"):
            if self.next.kind == mark:
                self.take()
                limits.append(self.argument())
        if len(limits) == 1:
            raise UnreadableError
        end = next((i for i in range(self.at, len(self.tokens)) if self._is_differential(i)), None)
        if end is None:
            raise UnreadableError
        variable = self.tokens[end + 1].text
        body = expression(self.tokens[self.at : end], self.sign)
        self.at = end + 2
        return bind("int", tuple(limits), body, variable)

    def _is_differential(self, at: int) -> bool:
        following = self.tokens[at : at + 2]
        return len(following) == 2 and following[0].text == "d" and following[1].kind == "name"

    def argument(self) -> Node:
        r"""Reads an argument of a LaTeX command: a group or one token, `\frac12`."""
        token = self.next
        if token.kind == "{":
            return self.group()
        if token.kind == "number" and len(token.text) > 1:
            if "." in token.text:
                raise UnreadableError
            rest = Token("number", token.text[1:])
            self.tokens = [*self.tokens[: self.at], rest, *self.tokens[self.at + 1 :]]
            return Node("number", (), token.text[0])
        if token.kind in ("number", "name"):
            self.take()
            return Node(token.kind, (), token.text)
        if token.kind == "command":
            self.take()
            return self.command(token.text)
        raise UnreadableError

    def raw(self) -> str:
        """Reads letters and digits that are not looked into."""
        if self.next.kind != "{":
            return self.take("name").text
        self.take()
        parts = []
        while self.next.kind in ("name", "number"):
            parts.append(self.take().text)
        self.take("}")
        return "".join(parts)
