r"""Sums, integrals, functions by cases, and numbers too large to write down."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("\\sum_{k=1}^n k^2", "\\sum_{i=1}^n i^2"),
    ("\\sum_{k=0}^n a_k b_{n-k}", "\\sum_{j=0}^{n} b_{n-j} a_j"),
    ("G_n = \\sum_{k=1}^{n} G_{n-k-1}", "G_n = \\sum_{m=1}^{n} G_{n-1-m}"),
    ("\\int_0^1 x^2 dx", "\\int_0^1 t^2\\,dt"),
    ("55", "\\sum_{k=1}^{10} k"),
    ("120", "\\prod_{k=1}^{5} k"),
    (
        "f(x)=\\begin{cases} x & x>0\\\\ 0 & x\\le 0\\end{cases}",
        "\\begin{cases} 0 & \\text{if } x\\le 0\\\\ x & \\text{if } 0 < x\\end{cases}",
    ),
    ("\\frac{1}{3000!}", "(3000!)^{-1}"),
    ("\\frac{2^{50000}}{3}", "\\frac13 \\cdot 2^{50000}"),
]
NOT_ACCEPTED = [
    ("\\sum_{k=1}^n k^2", "\\sum_{k=1}^{n} k^3"),
    ("\\sum_{k=1}^n k", "\\sum_{k=0}^n k"),
    ("\\frac{1}{3000!}", "(3001!)^{-1}"),
    ("20", "\\sum_{k=1}^{6} k"),
    ("\\int_0^1 x^2 dx", "\\int_0^2 x^2 dx"),
    (
        "\\begin{cases} x & x>0\\\\ 0 & x\\le 0\\end{cases}",
        "\\begin{cases} x & x>1\\\\ 0 & x\\le 1\\end{cases}",
    ),
    ("2", "\\sum_{k=0}^{\\infty} 2^{-k} + 1"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_order_and_names_of_bound_variables_do_not_matter(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is True
    assert verify(answer, gold).correct is True


@pytest.mark.parametrize(("gold", "answer"), NOT_ACCEPTED)
def test_other_sums_and_cases_are_not_accepted(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is not True


def test_finite_sum_of_numbers_is_evaluated() -> None:
    assert verify("20", r"\sum_{k=1}^{6} k").correct is False


def test_infinite_sum_is_undecided() -> None:
    assert verify("2", r"\sum_{k=0}^{\infty} 2^{-k}").correct is None
