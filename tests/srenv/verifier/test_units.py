r"""Quantities: units, their powers, products and multiples, and money."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("9.8 m/s^2", "9.8\\,\\mathrm{m\\,s^{-2}}"),
    ("72 km/h", "20\\text{ m/s}"),
    ("25 m/s", "90 km/h"),
    ("5", "5\\,\\text{N}"),
    ("5", "5 J"),
    ("3000", "3000\\text{ Pa}"),
    ("3000 J", "3\\text{ kJ}"),
    ("3 \\times 10^8", "3 \\times 10^8 \\text{ m/s}"),
    ("2.5 hours", "2\\text{ hours and }30\\text{ minutes}"),
    ("150 minutes", "2 h 30 min"),
    ("5 ft 6 in", "66 inches"),
    ("100 square meters", "100 \\text{ m}^2"),
    ("1 m^2", "10000\\text{ cm}^2"),
    ("3 million", "3000000"),
    ("2.5 billion", "2,500,000,000"),
    ("24", "2 dozen"),
    ("\\$5 million", "\\$5{,}000{,}000"),
    ("4\\pi \\text{ cm}^3", "4\\pi\\ \\mathrm{cm}^3"),
    ("6", "6\\ \\Omega"),
    ("12", "12平方厘米"),
    ("5厘米", "0.05米"),
    ("2小时30分钟", "150分钟"),
    ("5 元", "5"),
    ("\\$0.75", "75 cents"),
    ("90 degrees", "90^\\circ"),
    ("2\\sqrt{3} \\text{ m}", "200\\sqrt{3} \\text{ cm}"),
    ("3 км", "3000 м"),
]
WRONG = [
    ("5 m", "5 s"),
    ("5 kg", "5 m"),
    ("5 m/s", "5 km/h"),
    ("9.8 m/s^2", "9.8 m/s"),
    ("5", "5 million"),
    ("2 hours", "2 minutes"),
    ("5 cm^2", "5\\text{ cm}^3"),
    ("\\$5", "5 cents"),
    ("1 hour", "60 hours"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_same_quantity_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_other_quantity_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form


def test_counted_things_with_other_names_are_undecided() -> None:
    assert verify("5 apples", "5 pears").correct is None
