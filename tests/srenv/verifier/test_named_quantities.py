r"""Quantities set equal to a value: the value counts, and the chain must be consistent."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("11", "\\operatorname{tr}(A) = 11"),
    ("3", "\\operatorname{rank} B = 3"),
    ("\\frac{2}{5}", "\\mathbb{P}(X > 3) = \\frac25"),
    ("12", "\\int_0^3 f(t)\\,dt = 12"),
    ("9", "\\sum_{k=1}^{m} a_k = 9"),
    ("4", "\\lim_{x \\to 2} f(x) = 4"),
    ("10", "\\text{Perimeter} = 10\\text{ cm}"),
    ("8", "[ABCD] = 8"),
    ("30", "\\angle ABC = 30^\\circ"),
    ("120", "\\text{the number of orders is } 120"),
    ("6", "\\text{lcm}(2, 3) = 6"),
    ("4", "4 = \\dim V"),
    ("13", "\\|\\mathbf{v}\\| = 13"),
    ("6", "x_{\\text{max}} = 6"),
    ("3", "y_{\\min} = 3"),
    ("-1", "\\vec{u} \\cdot \\vec{v} = -1"),
    ("\\sqrt{5}", "AB = \\sqrt{5}"),
    ("7", "p + q + r = 7"),
    ("41", "10a + b = 41"),
    ("2", "e = 2"),
    ("9", "t := 9"),
    ("5", "\\log_3 243 = 5"),
    ("24", "4! = 24"),
    ("x^2 + 1", "(g \\circ f)(x) = x^2 + 1"),
    ("3x^2", "g'(x) = 3x^2"),
    ("\\frac{x}{3}", "h^{-1}(x) = \\frac{x}{3}"),
    (
        "\\begin{pmatrix} 1 \\\\ 0 \\end{pmatrix}",
        "\\vec{w} = \\begin{pmatrix} 1 \\\\ 0 \\end{pmatrix}",
    ),
    ("h^{-1}(x) = x", "x"),
]
WRONG = [
    ("5", "x = 6 = 5"),
    ("5", "\\det A = 4 = 5"),
    ("8", "2^3 = 9"),
    ("8", "8 = 2^4"),
    ("6", "3! = 3"),
    ("7", "x + 2 = 7"),
    ("7", "2x = 7"),
    ("7", "|x - 3| = 7"),
    ("9", "x^2 = 9"),
    ("4", "x = 4y"),
    ("7", "P(B) = 6"),
    ("0", "a^2 + b = 0"),
    ("2x", "f'(x) = 3x"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_value_of_a_named_quantity_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_unsolved_or_contradictory_chain_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form


def test_difference_of_unknowns_may_be_the_quantity_asked_for() -> None:
    grade = verify("5", "x - y = 5")
    assert (grade.correct, grade.reason) == (None, "unsolved")


def test_variables_with_other_names_differ() -> None:
    assert verify("x = 5", "y = 5").correct is False
