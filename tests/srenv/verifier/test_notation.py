r"""Dress and notation: styles, fractions, combinations, brackets of other countries, quotes."""

from __future__ import annotations

import pytest

from srenv.verifier import verify

RIGHT = [
    ("\\frac{5}{6}", "\\mathbf{\\dfrac{5}{6}}"),
    ("17", "\\underline{\\mathbf{17}}"),
    ("x+1", "\\bm{x+1}"),
    ("\\frac{7}{8}", "{7 \\over 8}"),
    ("35", "{}_7C_3"),
    ("35", "{}^7C_3"),
    ("210", "{}_7P_3"),
    ("8", "8\\ \\checkmark"),
    ("8", "\\therefore 8"),
    ("8", "'8'"),
    ("8", "8\\\\"),
    ("8", "8,"),
    ("[1, 2, 3]", "['1', '2', '3']"),
    ("8", "\\begin{aligned}8\\end{aligned}"),
    ("5", "x=\\boxed{5}"),
    ("3\\sqrt{7}", "3\\sqrt(7)"),
    ("\\frac23", "\\left. \\frac{2}{3} \\right."),
    ("\\frac23", "\\text{$\\frac{2}{3}$}"),
    ("(2,5)", "]2,5["),
    ("[0,1)", "[0,1["),
    ("(-\\infty,1]", "]-\\infty,1]"),
    ("(-\\infty,0) \\cup (1,\\infty)", "(-\\infty,0) U (1,inf)"),
    ("(0,1) \\cup (2,3)", "(0,1) \\bigcup (2,3)"),
    ("(-\\infty,2) \\cup (2,\\infty)", "\\text{all reals except } 2"),
    ("\\mathbb{Z}", "\\text{all integers}"),
    ("(-\\infty,-3] \\cup [3,\\infty)", "|x| \\ge 3"),
    ("(-2,2)", "|x| < 2"),
    ("-1, 2", "-1或2"),
    ("2, 5", "2和5"),
    ("\\sqrt{2}", "根号2"),
    ("x=1, y=2", "x=1 \\quad y=2"),
    ("x=1, y=2", "\\begin{cases} x=1 \\\\ y=2 \\end{cases}"),
    ("3 cats, 4 dogs", "4 dogs and 3 cats"),
    ("52_8", "52 \\text{ (base 8)}"),
    ("1/3", "0.\\dot{3}"),
    ("1/3", "0.(3)"),
    ("x \\equiv 3 \\pmod{7}", "x \\equiv 10 \\ (\\mathrm{mod}\\ 7)"),
    ("x=1, y=2", "\\left\\{\\begin{array}{l} x=1 \\\\ y=2 \\end{array}\\right."),
]
WRONG = [
    ("(2,5)", "[2,5["),
    ("(2,5)", "]2,5]"),
    ("\\mathbb{R}", "\\text{all real numbers except }0"),
    ("10", "{}_5C_3 + 1"),
    ("3 cats, 4 dogs", "4 cats and 3 dogs"),
    ("[3,5]", "|x| \\le 5"),
    ("x \\equiv 3 \\pmod{7}", "x \\equiv 4 \\pmod{7}"),
    ("52_8", "52 \\text{ (base 9)}"),
]


@pytest.mark.parametrize(("gold", "answer"), RIGHT)
def test_same_answer_in_other_notation_is_right(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is True, form


@pytest.mark.parametrize(("gold", "answer"), WRONG)
def test_other_answer_in_that_notation_is_wrong(gold: str, answer: str) -> None:
    for form in (answer, rf"Hence $\boxed{{{answer}}}$."):
        assert verify(gold, form).correct is False, form
