"""`calculate`: exact arithmetic, and what it refuses."""

import time

import pytest

from srenv.tools import ExpressionError, calculate
from tests.support.formulas import HOSTILE_FORMULAS


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("2^10", "1024"),
        ("-2^2", "-4"),
        ("(-2)^2", "4"),
        ("2^-1", "1/2"),
        ("2(3+4)", "14"),
        ("7 - -3", "10"),
        ("2^3^2", "512"),
        ("sqrt(49/4)", "7/2"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("mod(-7, 3)", "2"),
        ("factorial(5)", "120"),
        ("(-1)^1000001", "-1"),
        ("0^0", "1"),
        ("3 × 4 ÷ 6 − 1", "1"),
    ],
)
def test_formulas_of_numbers_are_exact(formula, value):
    assert calculate(formula) == value


@pytest.mark.parametrize("formula", HOSTILE_FORMULAS)
def test_hostile_formulas_are_refused_at_once(formula):
    began = time.perf_counter()
    with pytest.raises(ExpressionError):
        calculate(formula)
    assert time.perf_counter() - began < 0.2
