r"""Extraction: the final answer of a turn."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srenv.verifier import extract, extract_box_span


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
