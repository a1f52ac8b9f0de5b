r"""The verifier: what it extracts, and what it calls equal."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srenv import verify_batch
from srenv.verifier import extract, extract_box_span, verify

# --- extraction --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "answer"),
    [
        (r"so \boxed{5}.", "5"),
        (r"first \boxed{4}, no: \boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed {x}", "x"),
        (r"\fbox{7}", "7"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed{5 \text{ or } \boxed{6}}", r"5 \text{ or } \boxed{6}"),
        (r"\boxed{5} or perhaps \boxed{6", "5"),
        (r"\boxed{6", None),
        (r"\boxed{{6}", None),
        (r"} \boxed{6}", "6"),
        (r"\boxed{}", None),
        (r"<think>\boxed{6}</think> \boxed{5}", "5"),
        (r"\boxed{5} <think>\boxed{6}</think>", "5"),
        (r"\boxed{6}</think> The answer is 5.", "5"),
        (r"\boxed{5}<think>\boxed{6}", "5"),
        (r"<think>\boxed{5}</think>", None),
        ("The answer is 3. The answer is $4$. I hope it is correct.", "$4$"),
        ("**Final Answer:** 12\nthanks", "12"),
        ("Answer: \n 12\n", "12"),
        ("Final Answer: The largest n is 34.", "34"),
        ("The answer is **7**.", "7"),
        ("The answer is 0.333...", "0.333..."),
        (r"The answer is \left. x \right.", r"\left. x \right."),
        ("a\n#### 1,080", "1,080"),
        ("no idea", None),
        ("", None),
    ],
)
def test_extract(turn: str, answer: str | None) -> None:
    assert extract(turn) == answer


def test_box_span_points_into_the_text() -> None:
    turn = r"<think>\boxed{1}</think> so \boxed{\frac{1}{2}} [VERIFY] correct"
    span = extract_box_span(turn)
    assert span is not None
    start, end, content = span
    assert turn[start:end] == r"\boxed{\frac{1}{2}}"
    assert content == r"\frac{1}{2}"
    assert extract_box_span("nothing") is None


@pytest.mark.parametrize(
    "turn",
    [
        r"\boxed{1}" * 100_000,
        r"\boxed{" * 100_000,
        r"\boxed{" * 50_000 + "}" * 50_000,
        "{" * 1_000_000,
        "<think>" * 100_000,
        "</think>" * 100_000,
        "<think></think>" * 100_000,
        "answer" + " " * 1_000_000,
        "answer is " * 100_000,
        "#" * 1_000_000,
    ],
    ids=lambda turn: turn[:15],
)
def test_extraction_time_is_linear(turn: str) -> None:
    began = time.perf_counter()
    extract(turn)
    extract_box_span(turn)
    assert time.perf_counter() - began < 2


@settings(deadline=None)
@given(st.text(alphabet="\\{}boxed fb<think>/5 ", max_size=200))
def test_span_is_consistent(text: str) -> None:
    span = extract_box_span(text)
    if span is not None:
        start, end, content = span
        assert text[start] == "\\"
        assert text[end - 1] == "}"
        assert len(content) < end - start


# --- equal and unequal -------------------------------------------------------------------------

EQUAL = [
    ("1,080", "1080", "integer"),
    ("1080", r"1{,}080", "integer"),
    ("1080", r"1\,080", "integer"),
    ("1080", r"\$1,080", "integer"),
    ("5", "+5", "integer"),
    ("-5", "−5", "text"),
    ("5", "5.", "text"),
    ("5", "$5$", "text"),
    ("5", "**5**", "text"),
    ("5", r"\text{5}", "text"),
    ("5", "x = 5", "value"),
    ("5", "x = 2 + 3 = 5", "value"),
    ("5", r"5\text{ apples}", "integer"),
    ("5 apples", "5", "integer"),
    ("1/2", "0.5", "decimal"),
    (r"\frac{3}{4}", r"\dfrac34", "rational"),
    (r"-\frac12", r"\frac{-1}{2}", "rational"),
    ("3/4", "6/8", "rational"),
    (r"2\frac{1}{3}", "7/3", "rational"),
    ("2 1/3", "7/3", "rational"),
    (r"28\%", "0.28", "percent"),
    ("28%", "28 percent", "percent"),
    ("28", r"28\%", "percent"),
    ("1.5e-7", r"1.5 \times 10^{-7}", "decimal"),
    (r"\frac{2}{7}", "0.285714285714", "decimal"),
    (r"90^\circ", "90 degrees", "integer"),
    (r"\text{(C)}", "C", "text"),
    ("Alice", r"\text{alice}", "text"),
    (r"\left( 3, 4 \right)", "(3,4)", "text"),
    (r"\sqrt{8}", r"2\sqrt{2}", "value"),
    ("x^2+2x+1", "(x+1)^2", "value"),
    (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}", "value"),
    (r"\{1,2\}", r"\{2,1\}", "set"),
    (r"(3,\infty)", "x > 3", "interval"),
    ("2", r"\sqrt{4}", "value"),
    (r"\frac{1+3i}{4+2i}", r"\frac{1}{2}+\frac{1}{2}i", "value"),
    (r"2\sqrt{3}", "2*sqrt(3)", "value"),
    ("f(x) = x + 1", "1 + x", "value"),
    (r"\boxed{\frac{1}{2}}", "1/2", "rational"),
    (r"\overrightarrow{AB}", r"\overrightarrow{AB}", "text"),
]

UNEQUAL = [
    ("1,080", "1081", "integer"),
    ("5", "-5", "integer"),
    ("5", "55", "integer"),
    ("0.28", "28", "decimal"),
    ("28", "0.28", "decimal"),
    (r"28\%", r"0.28\%", "percent"),
    ("0.28", r"2800\%", "percent"),
    ("0.5", r"0.5\%", "percent"),
    ("0.333", "0.333...", None),
    ("56", "$5$$6$", None),
    ("(1/3, 2)", "(0.3333333, 2)", "tuple"),
    ("1/3", "0.3333", "decimal"),
    ("12345678901234567890123", "12345678901234567890124", "integer"),
    (r"\frac{1}{10^{9}}", r"\frac{1}{10^{10}}", None),
    (r"\frac{1}{25!}", r"\frac{1}{27!}", None),
    ("3", "3 or 4", "hedged"),
    ("3", "1, 2, 3", "hedged"),
    ("3", r"\ge 3", "unparsable_answer"),
    ("3", r"\pm 3", "hedged"),
    ("1200", "1, 200", "hedged"),
    ("5", "5x", None),
    ("5", "5!", None),
    ("5", "2 xy", None),
    ("5", r"5 \text{ (or 6)}", None),
    ("5", r"5 \text{ million}", None),
    ("5", "5x + w = 5", "equation"),
    ("3x-y+13=0", "3x+4y+14=0", "equation"),
    ("5", "", "no_answer"),
    ("5", r"\boxed{}", "no_answer"),
    ("5", "I don't know.", None),
    ("5", r"\boxed{5", None),
    ("211_4", "211_5", "base"),
    (r"\text{even}", r"\text{odd}", "text"),
    (r"\text{(C)}", "(B)", "text"),
    ("(3,4)", "(4,3)", "tuple"),
    (r"\mathbf{v} \times \mathbf{w}", r"\mathbf{w} \times \mathbf{v}", None),
    (r"\overrightarrow{AB}", r"\overrightarrow{BA}", None),
    ("x > 3", "y > 3", "inequality"),
    ("n", "N", "value"),
    (r"\frac{0}{0}", "5", None),
    ("0", r"\frac{0}{0}", None),
    (r"\pi", r"\frac{22}{7}", "value"),
    (r"\pi", "3.14159265", "value"),
]


@pytest.mark.parametrize(("gold", "answer", "reason"), EQUAL)
def test_equal(gold: str, answer: str, reason: str) -> None:
    for form in (answer, rf"We find \boxed{{{answer}}}.", f"Hence.\nThe answer is {answer}"):
        grade = verify(gold, form)
        assert grade.correct is True, (form, grade)
    assert verify(gold, answer).reason == reason


@pytest.mark.parametrize(("gold", "answer", "reason"), UNEQUAL)
def test_unequal(gold: str, answer: str, reason: str | None) -> None:
    grade = verify(gold, answer)
    assert grade.correct is not True, grade
    assert reason is None or (grade.correct, grade.reason) == (False, reason)


@pytest.mark.parametrize(
    ("gold", "answer", "reason"),
    [
        ("", "5", "no_gold"),
        ("$$", "5", "no_gold"),
        ("@@##", "5", "unparsable_gold"),
        (r"\int_0^1 f(x)\,dx", "5", "unparsable_gold"),
        (r"5 \text{ apples}", r"5 \text{ pears}", "unit"),
        ("x", "9" * 5000, "too_large"),
        ("x", r"\sqrt{x^2}", "undecided"),
        (r"\ln 2", r"\log 2", "undecided"),
        ("x > 3", "2x + 1 > 7", "unsolved"),
        ("6:30", "1:5", "ratio"),
        ("5", "9^{9^{9^{9}}}", "too_large"),
    ],
)
def test_undecided(gold: str, answer: str, reason: str) -> None:
    grade = verify(gold, answer)
    assert (grade.correct, grade.reason) == (None, reason)


def test_unreadable_answer_to_a_readable_gold_is_wrong() -> None:
    grade = verify(r"\sqrt{2}", r"\frobnicate{2}")
    assert (grade.correct, grade.reason) == (False, "unparsable_answer")


@settings(deadline=None)
@given(st.integers(), st.integers())
def test_integers(a: int, b: int) -> None:
    assert verify(str(a), f"{a:,}").correct is True
    assert verify(f"{a:,}", rf"\boxed{{{b}}}").correct is (a == b)


@settings(deadline=None)
@given(st.fractions(), st.fractions())
def test_fractions(a: Fraction, b: Fraction) -> None:
    assert verify(str(a), rf"\frac{{{a.numerator}}}{{{a.denominator}}}").correct is True
    assert verify(str(a), str(b)).correct is (a == b)


# --- more of what equals what, both ways -------------------------------------------------------

SAME = [
    ("5", "x=5"),
    ("x=5", "5"),
    ("0.5", "1/2"),
    ("1/2", ".5"),
    (r"50\%", "0.5"),
    (r"\$18", "18 dollars"),
    ("18", "$18"),
    ("18", "18.00"),
    ("1,000", "1000"),
    ("10 000", "10000"),
    ("(1,2)", r"\left(1,\,2\right)"),
    ("[1,2)", "[1,2)"),
    ("x^2-1", "(x-1)(x+1)"),
    (r"\sqrt{x^2+1}", "(x^2+1)^{1/2}"),
    (r"\frac{1}{2}x", "x/2"),
    ("-x+1", "1-x"),
    (r"2\sin x\cos x", r"\sin(2x)"),
    (r"\frac{-1}{2}", r"-\frac{1}{2}"),
    ("3.0", "3"),
    ("2^{10}", "1024"),
    ("10!", "3628800"),
    (r"\binom{5}{2}", "10"),
    (r"0.\overline{3}", "1/3"),
    (r"0.\overline{142857}", r"\frac17"),
    (r"1.2\overline{3}", "37/30"),
    ("A", "(A)"),
    ("A", r"\textbf{(A)}"),
    ("A", "A)"),
    ("B", "option B"),
    ("yes", "Yes."),
    ("True", "true"),
    (r"\text{no solution}", "No solution"),
    (r"\emptyset", "no solution"),
    ("all real numbers", r"(-\infty,\infty)"),
    (r"\mathbb{R}", "all real numbers"),
    (r"x\in\mathbb{R}", r"(-\infty,\infty)"),
    ("x<3", r"(-\infty,3)"),
    ("3 > x", "x < 3"),
    (r"x \neq 2", r"(-\infty,2)\cup(2,\infty)"),
    (r"\pm 2", "2,-2"),
    (r"\pm 2", r"x=\pm 2"),
    ("2,-2", r"\{-2,2\}"),
    ("x=2 or x=-2", r"\pm 2"),
    (r"\frac{3\pm\sqrt5}{2}", r"\frac{3+\sqrt{5}}{2},\frac{3-\sqrt{5}}{2}"),
    ("y=2x+1", "2x+1"),
    ("y=2x+1", "2x - y + 1 = 0"),
    ("f(x)=x^2", "x^2"),
    (r"\log_2 8", "3"),
    (r"\ln e^3", "3"),
    (r"e^{2\ln 3}", "9"),
    ("i^2", "-1"),
    (r"e^{i\pi}", "-1"),
    ("|3-5|", "2"),
    (r"\lfloor 3.7\rfloor", "3"),
    (r"3\frac{1}{2}", "3.5"),
    ("3 1/2", "7/2"),
    (r"1.5\times 10^3", "1500"),
    ("1.5e3", "1500"),
    ("1.5E3", "1500"),
    (r"\frac{1}{x}", "x^{-1}"),
    ("a^2b", "ba^2"),
    (r"25\pi", r"25\pi \text{ square units}"),
    (r"12\sqrt{3} \text{ cm}", r"12\sqrt{3}"),
    (r"5\text{ km}", r"5000\text{ m}"),
    ("12 cm^2", r"12\text{ cm}^2"),
    ("12", r"12 \text{ cm}^2"),
    ("2:3", "4:6"),
    ("3:30 PM", "3:30 pm"),
    ("101_2", "101_{2}"),
    ("101_2", "(101)_2"),
    (r"\text{101}_2", "101_2"),
    ("July 4", "4th of July"),
    (r"\frac{1}{2}", r"\frac{2}{4}"),
    (r"\tan 45^\circ", "1"),
    (r"\sin\frac{\pi}{6}", r"\frac12"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"),
    (r"\langle 1,2\rangle", "(1,2)"),
    ("x^2+2xy+y^2", "(x+y)^2"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"\sqrt{50}", r"5\sqrt2"),
    (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt 2}"),
    ("1/3", "0.333333333333"),
    (r"-\frac{5}{3}", r"-1\frac{2}{3}"),
    (r"\left\{1,2,3\right\}", "{3,2,1}"),
    ("2x+3y=6", r"y=2-\frac{2}{3}x"),
    ("x>2", "2<x"),
    ("1<x<2", "(1,2)"),
    (r"1 \le x \le 2", "[1,2]"),
    ("n=2k+1", "2k+1"),
    (r"\frac{x}{y}", "x/y"),
    (r"\frac{x+1}{2}", "(x+1)/2"),
    ("x^{1/2}", r"\sqrt{x}"),
    (r"\sqrt[n]{x}", "x^{1/n}"),
    (r"5 \cdot 10^{-3}", "0.005"),
    (r"\text{Friday}", "friday"),
    ("June 5, 2020", "5 June 2020"),
    ("2 hours", "2"),
    (r"7\text{ hours}", "7 hrs"),
    (r"\$2.50", "2.5"),
    ("£5", "5"),
    ("€5", "5"),
    (r"20\%", "20 percent"),
    (r"20\%", r"\frac{1}{5}"),
    ("-0", "0"),
    ("0.10", "0.1"),
    ("007", "7"),
    ("(x-1)^2+(y+2)^2=9", "x^2+y^2-2x+4y-4=0"),
    ("x^2+y^2=1", "1=x^2+y^2"),
    (r"\arctan 1", r"\pi/4"),
    (r"\cos^{-1}(0)", r"\frac{\pi}{2}"),
    (r"2\pi i", r"2i\pi"),
    ("n!", "n!"),
    (r"\frac{n!}{(n-1)!}", "n"),
    ("(-1)^n", r"\cos(n\pi)"),
    (r"\overline{z}", r"\overline{z}"),
    (r"3 \text{ and } 5", "5,3"),
    ("3, 5 and 7", "7,5,3"),
    ("(3,4),(5,6)", "(5,6) and (3,4)"),
    ("x=1,y=2", "(1,2)"),
    ("(x,y)=(1,2)", "x=1,y=2"),
    (r"\{x: x>3\}", "x>3"),
    (r"\{x \mid x \ne 1\}", r"x \neq 1"),
    (r"x\ge 2 \text{ or } x\le -2", r"(-\infty,-2]\cup[2,\infty)"),
    (r"[2,\infty)", r"x\geq2"),
    (r"\infty", r"+\infty"),
    (r"-\infty", "-inf"),
    (r"\text{DNE}", "DNE"),
    ("does not exist", "Does not exist."),
    ("12.5", r"12\frac12"),
    ("10^{-3}", "0.001"),
    (r"1\frac{3}{4}", "1.75"),
    (r"\frac{7}{4}", "1 3/4"),
    ("1000000", "10^6"),
    ("1{,}000{,}000", "1 000 000"),
    ("0.05", r"5\%"),
    (r"4\sqrt{2}", r"\sqrt{32}"),
    (r"\frac{5}{\sqrt{5}}", r"\sqrt5"),
    (r"\sqrt{12}+\sqrt{27}", r"5\sqrt{3}"),
    (r"\frac{2}{3}\pi", r"2\pi/3"),
    (r"72^\circ", "72"),
    ("x^2 - 5x + 6", "(x-3)(x-2)"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"\ln 8", r"3\ln 2"),
    (r"\log_{10} 100", "2"),
    (r"\sec^2 x", r"1+\tan^2 x"),
    ("5", r"5 \quad"),
    ("5", "$$5$$"),
    ("5", r"\(5\)"),
    ("5", r"\[5\]"),
    ("5", "The final answer is $5$."),
    ("5", r"\boxed{x=5}"),
    (r"k \in [0, 1]", "[0,1]"),
    ("3x^2", r"3\,x^2"),
    ("-2", "−2"),
    (r"3\times 4", "12"),
    (r"2\times3", "6"),
    (r"x \cdot y", "xy"),
    (r"\mathrm{e}^2", "e^2"),
    ("1+2i", "2i+1"),
    ("a+bi", "bi+a"),
    (r"\frac{a}{b}", "ab^{-1}"),
    (r"\tfrac{1}{2}", "1/2"),
    (r"\frac{22}{7}", r"3\frac{1}{7}"),
    (r"99\%", r"99 \%"),
    (r"\frac{\pi}{4}", "0.785398163397"),
]

DIFFERENT = [
    ("5", "-5"),
    ("5", "5 or 6"),
    ("5", "5, 6"),
    ("5", "5;6"),
    ("5", "not 5"),
    ("5", "5?"),
    ("5", r"\approx 5 \text{ or } 6"),
    ("5", r"5 \pm 1"),
    ("5", ">5"),
    ("5", r"\ge 5"),
    ("5", "x>5"),
    ("5", "(5,6)"),
    ("5", r"\{5,6\}"),
    ("5", "5,5,6"),
    ("5", "5x"),
    ("5", "x+5"),
    ("5", "5=6"),
    ("5", "6=5"),
    ("5", "x=6=5x"),
    ("5", "5^1+1"),
    ("1/2", "2/1"),
    ("(1,2)", "(2,1)"),
    ("(1,2)", "[1,2]"),
    ("[1,2)", "(1,2]"),
    ("(1,2)", r"\{1,2\}"),
    ("x>3", r"x\ge3"),
    ("x>3", "x<3"),
    ("x^2", "x^3"),
    ("x^2", "2x"),
    (r"\sin x", r"\cos x"),
    ("0.33", "1/3"),
    ("0.333", "1/3"),
    ("3.14", r"\pi"),
    ("3.1416", r"\pi"),
    ("2.718", "e"),
    ("1.414", r"\sqrt2"),
    (r"50\%", r"50.5\%"),
    ("0.5", r"0.5\%"),
    (r"5\%", "0.5"),
    ("A", "B"),
    ("A", "A or B"),
    ("A", "A,B"),
    ("yes", "no"),
    ("true", "false"),
    ("101_2", "101_3"),
    ("3:30 PM", "3:30 AM"),
    ("2:3", "3:2"),
    ("July 4", "July 5"),
    (r"\sqrt{2}", r"\sqrt{3}"),
    (r"\sqrt[3]{2}", r"\sqrt{2}"),
    ("10^{100}", "10^{101}"),
    ("2^{100}", "2^{100}+1"),
    (r"\pi", r"\pi+10^{-30}"),
    ("1", "1+10^{-50}"),
    (r"\sqrt2", r"\sqrt{2+10^{-60}}"),
    ("1", r"\tanh(100)"),
    ("10^{-20}", r"\sin(10^{-20})"),
    (r"e^{\pi\sqrt{163}}", "262537412640768744"),
    ("640320^3+744", r"e^{\pi\sqrt{163}}"),
    ("x", "|x|"),
    ("x", r"\sqrt{x^2}"),
    ("|x-100|", "100-x"),
    (r"\lfloor x\rfloor", "x"),
    (r"\max(x,-1000)", "x"),
    ("x^{10}", "x^1 0"),
    ("12", "1 2"),
    ("12", "1,2"),
    ("5 apples", "6 apples"),
    ("5 km", "5 m"),
    ("5 cm", "5 inches"),
    (r"\$5", "5 cents"),
    ("1,2,3", "1,2"),
    ("1,2,3", "1,2,3,4"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    ("x=1,y=2", "x=2,y=1"),
    ("x=5", "y=5"),
    ("(a,b)", "(b,a)"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}2&1\end{pmatrix}"),
    (r"\emptyset", "0"),
    ("0", r"\emptyset"),
    (r"\infty", r"-\infty"),
    (r"\mathbb{R}", r"\mathbb{Q}"),
    ("x=5", "2x=10"),
    ("x=5", "x+1=6"),
    ("x > 3", "2x+1>7"),
    ("y=2x", "y=2x+10^{-30}"),
    ("10", "10.0000001"),
    (r"\frac{1}{3}", "0.3333333333"),
    ("e", "2.71828182846 or 3"),
    ("f(x)", "f(y)"),
    ("f(x+1)", "f(x)+f(1)"),
    ("g(2)", "2g"),
    (r"a \times b", "a - b"),
    ("ab", "a+b"),
    (r"\text{cat}", r"\text{act}"),
    ("xyz", "zzz"),
    ("5!", "5"),
    ("5", "5!!"),
    ("n!", "n"),
    ("i", "1"),
    ("2i", "-2i"),
    (r"\overline{AB}", r"\overline{CD}"),
    ("0", "0.0000001"),
    ("0", "10^{-100}"),
    ("0", "-0.1"),
    ("100", "1e2 or 5"),
    ("5", "5 million"),
    ("5", "5 dozen"),
    ("5", "half of 5"),
    ("5", "5 squared"),
    ("1", "0.999"),
    ("1", "0.99999999999999"),
    ("5", "four or five"),
    ("6", "between 5 and 7"),
    ("6", "about 6 or 7"),
    ("3", "the answer is either 3"),
    ("4", "4 if x>0, 5 otherwise"),
    ("4", "4 (or 5)"),
    ("4", "4/5/6"),
    ("4", "4 5"),
    ("4", "[4,5]"),
    ("4", "4..5"),
    ("4", "4-5"),
    ("4", "4 to 5"),
    ("2", "1<2"),
    ("2", "2<3"),
    ("2", "1+1=3"),
    ("3", "1+1=3"),
    ("1000", "1,00"),
    ("1000", "1.000"),
    ("1.5", "1,5"),
    (r"\ln x", r"\log_2 x"),
    (r"\frac{dy}{dx}", r"\frac{y}{x}"),
    ("2x+C", "2x+D"),
    (r"\sqrt{xy}", r"\sqrt{x}+\sqrt{y}"),
    (r"\vec{a}\times\vec{b}", r"\vec{b}\times\vec{a}"),
    (r"\frac{x}{x}", "0"),
    ("x-x", "1"),
    (r"\frac{0}{x}", "1"),
    (r"\text{undefined}", r"\infty"),
    ("3", r"3 \text{ is wrong}"),
    ("3", r"3 \text{ false}"),
    ("3", "3 I think"),
    ("3", "3 unless"),
    ("60", "60 minutes or 1 hour"),
    ("3", r"3\text{ or }3"),
    (r"\frac{5}{2},4", r"\frac52,3"),
    ("7", r"7 \text{ or } 8"),
]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_same_answers_in_other_words(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is True
    assert verify(answer, gold).correct is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_near_misses_are_never_accepted(gold: str, answer: str) -> None:
    assert verify(gold, answer).correct is not True
    assert verify(answer, gold).correct is not True


def test_a_batch_says_what_single_calls_say() -> None:
    pairs = [(gold, answer) for gold, answer, _ in EQUAL + UNEQUAL] * 2
    # These two are left to the worker processes.
    pairs += [(r"\mathbb{N}", r"\mathbb{N}_0"), (r"\min\{x, 1\}", "5")]
    judged = verify_batch(iter(pairs))
    assert [(j.correct, j.reason) for j in judged] == [
        ((j := verify(*pair)).correct, j.reason) for pair in pairs
    ]
    assert judged[0] is judged[len(EQUAL + UNEQUAL)]
    assert verify_batch([]) == []
