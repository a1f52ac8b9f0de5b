r"""What an answer holds for, and what its letters stand for."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("2k\\pi", "2k\\pi, k \\in \\mathbb{Z}"),
    ("x = 2\\pi n, n \\in \\mathbb{Z}", "x = 2\\pi m, m \\in \\mathbb{Z}"),
    ("x = 5n + 2", "x = 5n + 2 \\text{ for any integer } n"),
    ("f(x) = x^2", "f(x) = x^2 \\text{ for every } x \\in \\mathbb{R}"),
    ("f(n) = 2n", "f(n) = 2n \\quad \\forall n \\in \\mathbb{N}"),
    ("\\frac{1}{x-1}", "\\frac{1}{x-1}, x \\ne 1"),
    ("a_n = 3n - 1", "a_n = 3n - 1 \\ (n \\in \\mathbb{N}^*)"),
    ("f(x) = ax", "f(x) = kx, \\text{ where } k \\text{ is a real constant}"),
    ("x^3 + C", "x^3 + C, \\text{ where } C \\text{ is a constant}"),
    ("\\frac{x}{x+1}", "\\frac{x}{x+1} \\text{ for } x \\neq -1"),
]
WRONG = [
    ("n = 3k", "n = 2k, k \\in \\mathbb{Z}"),
    ("f(x) = x", "f(x) = 2x \\text{ for all } x"),
    ("f(x) = cx", "f(x) = cx^2, c \\in \\mathbb{R}"),
    ("4", "4 if x > 0, 5 otherwise"),
    ("4", "4 \\text{ for } x > 0 \\text{ and } 5 \\text{ for } x < 0"),
    ("x > 3", "x > 3, x \\ne 5"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_answer_with_a_condition_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_other_answer_with_a_condition_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form
