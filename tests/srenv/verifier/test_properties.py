"""What holds of every answer: reflexive, symmetric, blind to dress, and never an exception."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srenv.verifier import extract, verify, verify_batch

NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.tuples(st.integers(-99, 99), st.integers(1, 99)).map(
        lambda p: rf"\frac{{{p[0]}}}{{{p[1]}}}"
    ),
    st.decimals(-999, 999, places=2).map(str),
    st.tuples(st.integers(2, 9), st.integers(2, 50)).map(lambda p: rf"{p[0]}\sqrt{{{p[1]}}}"),
    st.tuples(st.integers(1, 9), st.integers(2, 9)).map(lambda p: rf"\frac{{{p[0]}\pi}}{{{p[1]}}}"),
)
TERMS = st.one_of(NUMBERS, st.sampled_from(["x", "y^2", "xy", r"\sin x", "e^{x}", r"\sqrt{x+1}"]))
SUMS = st.lists(TERMS, min_size=1, max_size=4).map("+".join)
ANSWERS = st.one_of(
    SUMS,
    st.lists(SUMS, min_size=2, max_size=4).map(lambda items: f"({', '.join(items)})"),
    st.lists(SUMS, min_size=2, max_size=4).map(lambda items: rf"\{{{', '.join(items)}\}}"),
    st.integers(-9, 9).map(lambda n: rf"x \ge {n}"),
    st.integers(-9, 9).map(lambda n: rf"(-\infty, {n})"),
    SUMS.map(lambda s: f"y = {s}"),
)
HOSTILE = st.text(max_size=40) | st.text(
    alphabet="0123456789/.,%$^_{}()[]|!\\ =<>+-*xyi\nfracsqrt&;:'", max_size=60
)


@settings(deadline=None, max_examples=150)
@given(ANSWERS)
def test_reflexive(answer: str) -> None:
    assert verify(answer, answer).correct is True
    assert verify(answer, rf"Hence $\boxed{{{answer}}}$.").correct is True


@settings(deadline=None, max_examples=150)
@given(ANSWERS, ANSWERS)
def test_symmetric(first: str, second: str) -> None:
    there, back = verify(first, second), verify(second, first)
    assert there.correct == back.correct


@settings(deadline=None, max_examples=150)
@given(ANSWERS, ANSWERS)
def test_blind_to_dress(gold: str, answer: str) -> None:
    expected = verify(gold, answer).correct
    for dressed in (
        answer.replace(r"\frac", r"\dfrac"),
        answer.replace(r"\frac", r"\tfrac"),
        answer.replace("(", r"\left(").replace(")", r"\right)"),
        answer.replace("+", " + ").replace("=", " = "),
        f"${answer}$",
        rf"\({answer}\)",
        f"  {answer} ",
        f"{{{answer}}}",
        answer.replace("{", "{{").replace("}", "}}").replace(r"\{{", r"\{").replace(r"\}}", r"\}"),
    ):
        assert verify(gold, dressed).correct == expected, dressed


@settings(deadline=None, max_examples=100)
@given(SUMS, SUMS)
def test_sums_commute(first: str, second: str) -> None:
    assert verify(f"{first}+{second}", f"{second}+{first}").correct is True


@settings(deadline=None, max_examples=100)
@given(st.lists(NUMBERS, min_size=2, max_size=5, unique=True), st.randoms())
def test_a_list_of_guesses_never_passes(guesses: list[str], random: object) -> None:
    gold = guesses[0]
    if any(verify(gold, guess).correct is not False for guess in guesses[1:]):
        return
    for joined in (", ".join(guesses), r" \text{ or } ".join(guesses), "; ".join(guesses)):
        assert verify(gold, joined).correct is not True
        assert verify(gold, rf"\boxed{{{joined}}}").correct is not True


@settings(deadline=None, max_examples=300)
@given(HOSTILE, HOSTILE)
@example("\ud800", "\udc00")
@example("5", "5\x00")
@example("٥", "٥٥")
@example("5", "\\")
@example("{}", "}{")
@example("x", "x_")
def test_never_raises(gold: str, answer: str) -> None:
    grade = verify(gold, answer)
    assert grade.correct in (True, False, None)
    assert grade.reason not in ("", "error")
    assert grade.seconds >= 0
    assert (extract(answer) or "x").strip()
    assert verify_batch([(gold, answer)])[0].correct == grade.correct


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**30), st.integers(-2, 2))
@pytest.mark.parametrize(
    "form", ["{}", r"\boxed{{{}}}", "{}.0", r"\frac{{{}}}{{1}}", r"\sqrt{{{}^2}}"]
)
def test_long_integers_are_exact(form: str, value: int, shift: int) -> None:
    assert verify(str(value), form.format(max(value + shift, 0))).correct is (
        max(value + shift, 0) == value
    )
