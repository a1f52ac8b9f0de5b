r"""Several forms of one value: one answer if they agree, a hedge if they do not."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("\\frac{1}{3}", "\\frac{1}{3} \\approx 0.333"),
    ("\\sqrt{3}", "\\sqrt{3} \\; (\\approx 1.73)"),
    ("\\pi", "\\pi \\text{ (about 3.14)}"),
    ("\\frac{1}{4}", "\\frac14 = 0.25 = 25\\%"),
    ("\\frac{5}{4}", "1.25 \\text{ or } \\frac54 \\text{ or } 1\\frac14"),
    ("10\\sqrt{2}", "10\\sqrt{2} \\approx 14.1 \\text{ cm}"),
    ("\\frac{22}{7}", "3\\frac17 \\text{ (or } \\frac{22}{7})"),
    ("9", "9 (nine)"),
    ("8", "8 \\text{ (minimum)}"),
    ("\\frac{7}{3}", "2\\frac13 \\; (=2.\\overline{3})"),
    ("e^3", "e^3 \\approx 20.09"),
    ("12", "\\text{twelve}"),
]
WRONG = [
    ("\\sqrt{2}", "\\sqrt{2} \\approx 1.5"),
    ("\\frac{1}{3}", "\\frac13 = 0.4"),
    ("5", "5 (or 6)"),
    ("5", "5 (six)"),
    ("5", "5 \\text{ or } 6"),
    ("\\sqrt{2}", "1.41"),
    ("6", "x = 5 \\approx 6"),
    ("7", "7 = 8"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_value_with_another_form_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_forms_that_disagree_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form
