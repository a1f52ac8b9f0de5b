"""Reach a target from given numbers.

## Description
Found by search, checked by evaluating. Many expressions are right: a checker of its own
evaluates the answer, every given number used at most once, and never runs it as code.

## Problems
``synthetic:countdown``: endless, the prompts of ``"train"`` and ``"eval"`` disjoint.

>>> import gymnasium as gym, srenv
>>> observation, _ = gym.make("SelfCorrectCountdown-v0").reset(seed=0)
>>> print(observation.splitlines()[0])
User: Use each of 3, 5, 23, 9 at most once with + - * and parentheses to make 85.

## Version History
* v0: Initial version.
"""

from __future__ import annotations

import random
import re
from collections import Counter

from srenv.episode import Problem
from srenv.problems.source import Drawn
from srenv.verifier.grade import Grade

MAX_LENGTH = 200
MAX_DEPTH = 20

_TOKEN = re.compile(r"[0-9]{1,6}|[-+*()]")
_SPELLINGS = {
    "\\times": "*", "\\cdot": "*", "×": "*", "·": "*", "−": "-",
    "\\left": "", "\\right": "", "$": "", " ": "",
}  # fmt: skip


class NotAnExpression(ValueError):
    """The text is not a sum, difference or product of written numbers."""


def draw(rng: random.Random) -> Drawn:
    """Draws four numbers up to 25, and a target up to 999 that they reach."""
    target = 0
    while not 30 <= target <= 999:
        numbers = rng.sample(range(2, 26), 4)
        answer, target = build(rng, numbers)
    listed = ", ".join(map(str, numbers))
    prompt = f"Use each of {listed} at most once with + - * and parentheses to make {target}."
    return Drawn(prompt, answer, "countdown", {"numbers": numbers, "target": target})


def build(rng: random.Random, numbers: list[int]) -> tuple[str, int]:
    """Combines all numbers in a random order by random operations.

    Returns:
        The expression and its value.
    """
    parts = [(str(number), number, "*") for number in numbers]
    while len(parts) > 1:
        (left, a, left_op), (right, b, right_op) = (
            parts.pop(rng.randrange(len(parts))) for _ in range(2)
        )
        op = rng.choice("+-*")
        if op == "*":  # sums need parentheses inside products
            left, right = (
                text if inner == "*" else f"({text})"
                for text, inner in ((left, left_op), (right, right_op))
            )
        elif op == "-" and right_op != "*":
            right = f"({right})"
        parts.append((left + op + right, {"+": a + b, "-": a - b, "*": a * b}[op], op))
    text, value, _ = parts[0]
    return text, value


def evaluate(text: str) -> tuple[int, list[int]]:
    """Evaluates `+`, `-`, `*` and parentheses over written numbers.

    Returns:
        The value, and the numbers in the order of the text.

    Raises:
        NotAnExpression: The text is anything else, too long or too deep.
    """
    if len(text) > MAX_LENGTH:
        raise NotAnExpression("too long")
    for spelling, symbol in _SPELLINGS.items():
        text = text.replace(spelling, symbol)
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        raise NotAnExpression("unknown characters")
    parser = _Parser(tokens)
    value = parser.sum(MAX_DEPTH)
    if parser.tokens:
        raise NotAnExpression("text after the end")
    return value, parser.numbers


class _Parser:
    """A recursive-descent parser over a list of tokens; an argument bounds the depth."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]  # the next token is the last
        self.numbers: list[int] = []

    def _accept(self, symbols: str) -> str:
        return self.tokens.pop() if self.tokens and self.tokens[-1] in symbols else ""

    def sum(self, depth: int) -> int:
        negative = self._accept("-")
        value = -self.product(depth) if negative else self.product(depth)
        while op := self._accept("+-"):
            term = self.product(depth)
            value += term if op == "+" else -term
        return value

    def product(self, depth: int) -> int:
        value = self.atom(depth)
        while self._accept("*"):
            value *= self.atom(depth)
        return value

    def atom(self, depth: int) -> int:
        if self._accept("("):
            if depth == 0:
                raise NotAnExpression("too deep")
            value = self.sum(depth - 1)
            if not self._accept(")"):
                raise NotAnExpression("a parenthesis is not closed")
            return value
        if not self.tokens or not self.tokens[-1].isdigit():
            raise NotAnExpression("a number is missing")
        self.numbers.append(int(self.tokens.pop()))
        return self.numbers[-1]


def check_countdown(problem: Problem, answer: str) -> Grade:
    """Grades an expression: it reaches the target and uses each given number at most once.

    A trailing `= target`, as in `3*7+2=23`, is read as part of the working.
    """
    target = int(problem.data["target"])
    expression = re.sub(rf"\s*=\s*{target}\s*\$?\s*\Z", "", answer[: MAX_LENGTH + 1])
    try:
        value, numbers = evaluate(expression)
    except NotAnExpression:
        return Grade(False, "countdown_syntax")
    if Counter(numbers) - Counter(problem.data["numbers"]):
        return Grade(False, "countdown_numbers")
    return Grade(value == target, "countdown_value")
