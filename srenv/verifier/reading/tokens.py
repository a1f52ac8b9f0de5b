r"""Splits a normalized answer into tokens, within hard limits of size.

This and `grammar` are the only reader of mathematics that runs in the caller's process. They build
plain tuples and call nothing by a name found in the text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LENGTH_LIMIT = 2_000
TOKEN_LIMIT = 800
DEPTH_LIMIT = 24
DIGIT_LIMIT = 1_500


class UnreadableError(Exception):
    """The text is nothing that this parser reads."""


class TooLargeError(Exception):
    """The text, or a value it asks for, is beyond the limits."""


class TooSlowError(TooLargeError):
    """The comparison has used up its time."""


class Token(NamedTuple):
    """One token: its kind, its text, and whether space precedes it.

    Kinds are ``number``, ``name`` (a letter, a Greek letter), ``function``, ``command``, ``word``
    (and, or, to), and the mark itself for brackets, operators and relations.
    """

    kind: str
    text: str
    spaced: bool = False


FUNCTIONS = {
    **{
        name: name
        for name in [
            "sin",
            "cos",
            "tan",
            "cot",
            "sec",
            "csc",
            "sinh",
            "cosh",
            "tanh",
            "coth",
            "sech",
            "csch",
        ]
    },
    **{
        name: name
        for name in ["arcsin", "arccos", "arctan", "arccot", "arcsinh", "arccosh", "arctanh"]
    },
    **{
        name: name
        for name in [
            "ln",
            "log",
            "lg",
            "exp",
            "sqrt",
            "abs",
            "floor",
            "ceil",
            "gcd",
            "lcm",
            "min",
            "max",
            "cbrt",
        ]
    },
    **{"asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot"},
    **{"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "cosec": "csc"},
    **{"arsinh": "arcsinh", "arcosh": "arccosh", "artanh": "arctanh", "arctg": "arctan"},
    **{"ceiling": "ceil", "acot": "arccot"},
}
"""Functions by the names they are written by; the values are the names used here."""

GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "varrho",
        "sigma",
        "varsigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
    ]
)
_MARKS = {
    **{"le": "<=", "ge": ">=", "lt": "<", "gt": ">", "ne": "!=", "in": "in", "approx": "~="},
    **{"times": "x", "cdot": "*", "ast": "*", "div": "/", "pm": "+-", "mp": "-+", "cup": "cup"},
    **{"eq": "=", "forall": "forall", "longrightarrow": "to", "rightarrow": "to"},
    **{"cap": "cap", "setminus": "setminus", "backslash": "setminus", "lvert": "|", "rvert": "|"},
    **{"vert": "|", "mid": "|", "langle": "<<", "rangle": ">>", "bmod": "mod", "mod": "mod"},
    **{"infty": "infinity", "land": "and", "lor": "or", "wedge": "and", "vee": "or"},
    **{
        "simeq": "~=",
        "doteq": "~=",
        "notin": "notin",
        "equiv": "equiv",
        "implies": "implies",
        "to": "to",
    },
}
_PLAIN_MARKS = {
    "**": "^",
    "<=": "<=",
    ">=": ">=",
    "!=": "!=",
    "==": "=",
    "=<": "<=",
    "=>": ">=",
    ":=": "=",
}
_WORDS = {"and", "or", "to", "mod", "for", "if", "where", "with"}

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>(?:\d+(?:\.\d*)?|\.\d+))|\\(?P<command>[A-Za-z]+)|"
    r"\\(?P<escaped>[{}%|$])|(?P<word>[A-Za-z]+)|(?P<double>\*\*|<=|>=|!=|==|=<|=>|:=)|"
    r"(?P<mark>[-+*/^_(){}\[\]|!,;:=<>'&%])|(?P<newline>\\\\)",
    re.ASCII,
)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,]|\.\d*,)")
_EXPONENT = re.compile(r"(?<=\d)[eE]([+-]?\d{1,6})(?![\dA-Za-z.])")
_NAMES = re.compile("|".join(sorted([*FUNCTIONS, "pi", *GREEK], key=len, reverse=True)) + "|.")


def tokenize(text: str) -> list[Token]:
    """Splits a normalized answer.

    Raises:
        UnreadableError: A character has no place in mathematics.
        TooLargeError: The text is beyond the limits.
    """
    if len(text) > LENGTH_LIMIT:
        raise TooLargeError
    if "," in text and not re.search(r"[(\[{]", text):
        text = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text)
    if "e" in text or "E" in text:
        text = _EXPONENT.sub(r"*10^{\1}", text)
    tokens: list[Token] = []
    at, spaced = 0, False
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnreadableError
        at = match.end()
        kind, part = match.lastgroup, match.group()
        if kind == "space":
            spaced = True
            continue
        if kind == "number" and len(part) > DIGIT_LIMIT:
            raise TooLargeError
        if kind == "number":
            tokens.append(Token("number", part, spaced))
        elif kind == "word":
            tokens += _letters(part, spaced)
        elif kind == "command":
            tokens.append(_command(match["command"], spaced))
        elif kind == "escaped":
            mark = match["escaped"]
            tokens.append(Token({"{": "{{", "}": "}}"}.get(mark, mark), part, spaced))
        elif kind == "newline":
            tokens.append(Token("newline", part, spaced))
        else:
            tokens.append(Token(_PLAIN_MARKS.get(part, part), part, spaced))
        spaced = False
    if len(tokens) > TOKEN_LIMIT:
        raise TooLargeError
    _check_depth(tokens)
    return tokens


def _command(name: str, spaced: bool) -> Token:
    if name in _MARKS:
        return Token(_MARKS[name], "\\" + name, spaced)
    if name in FUNCTIONS and name not in ("sqrt", "abs"):
        return Token("function", FUNCTIONS[name], spaced)
    if name in GREEK or name == "pi":
        return Token("name", name.replace("var", "") if name != "varsigma" else "sigma", spaced)
    if name in ("imath", "jmath"):
        return Token("name", name[0], spaced)
    return Token("command", name, spaced)


def _letters(run: str, spaced: bool) -> list[Token]:
    """Reads a run of letters as a word that joins answers, or as functions and variables."""
    if run in _WORDS:
        return [Token(run, run, spaced)]
    if run.lower() in ("inf", "infinity", "oo"):
        return [Token("infinity", run, spaced)]
    tokens = []
    for match in _NAMES.finditer(run):
        name = match.group()
        kind = "function" if name in FUNCTIONS else "name"
        tokens.append(Token(kind, FUNCTIONS.get(name, name), spaced and not match.start()))
    return tokens


def _check_depth(tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        if depth > DEPTH_LIMIT:
            raise TooLargeError


OPENING = frozenset(["(", "[", "{", "{{", "<<"])
CLOSING = frozenset([")", "]", "}", "}}", ">>"])
