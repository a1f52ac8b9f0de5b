"""Hostile text: every answer is graded in bounded time, and none is accepted."""

from __future__ import annotations

import json
import time

import pytest

from srenv.verifier import verify


def nested(pattern: str, times: int, inner: str = "x") -> str:
    for _ in range(times):
        inner = pattern % inner
    return inner


HOSTILE = [
    "好" * 20_000,
    "和或" * 10_000,
    r"a=\quad " * 2_000,
    "A! " * 7_000,
    "answer (" * 2_500,
    r"\boxed " * 3_000,
    "for all x, " * 1_500,
    "5 m/s " * 3_000,
    r"\sum_{k=0}^{" * 20,
    nested(r"\sum_{k=0}^{9} (%s)", 8),
    nested(r"\int_0^1 %s dx", 20),
    r"\begin{cases}" + r"x & x>0 \\" * 19 + r"\end{cases}",
    "x = " * 700 + "5",
    "9^{9^{9^{9}}}",
    "x" + "^x" * 30,
    r"\sin(10^{10^{10}})",
    "((9!)!)!",
    "x" + "!" * 200,
    r"\binom{10^{9}}{5 \cdot 10^{8}}",
    "{" * 5000 + "5" + "}" * 5000,
    "(" * 500 + "6" + ")" * 500,
    "|" * 301 + "6",
    "1" * 1_000_000,
    "1e999999999",
    "1e-999999999",
    r"\frac{1}" * 5000,
    r"\text{" * 100_000,
    r"\\" * 500_000,
    " ".join("1" * 100_000),
    "-" * 100_001 + "1",
    "(a+b+c+d+e+f)^{60}",
    nested(r"\sqrt{1+%s}", 20),
    nested(r"\sin{(%s+1)}", 20),
    nested("f(%s)", 20),
    "+".join(rf"\sin{{{n}^{{30}}}}" for n in range(2, 100)),
    "+".join(rf"\sqrt{{{n}}}" for n in range(2, 150)),
    "+".join(["2000!"] * 100),
    r"\cosh(2000x)",
    ",".join(rf"\sin{{{n}x}}" for n in range(150)),
    r"\begin{pmatrix}" + "&".join([r"\sqrt{2}"] * 190) + r"\end{pmatrix}",
    r"\cup".join(rf"(\sqrt{{{n}}},\sqrt{{{n + 1}}})" for n in range(60)),
]


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: answer[:20])
def test_hostile_answers_come_back(answer: str) -> None:
    """The bound is generous because the machine may be busy; the benchmark measures it."""
    other = answer[::-1] + "1" if len(answer) < 5000 else answer + "1"
    for gold in ("5", "x", r"\sqrt{2}", answer[: len(answer) // 2], other):
        for form in (answer, rf"\boxed{{{answer}}}"):
            began = time.perf_counter()
            assert verify(gold, form).correct is not True
            assert time.perf_counter() - began < 3


def test_hostile_development_inputs(data_file) -> None:
    def text(value: object) -> str:
        if isinstance(value, str):
            return value
        assert isinstance(value, dict)
        return "".join(part * repeat for part, repeat in value["parts"])

    lines = data_file("hostile_dev.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = []
    for row in map(json.loads, lines):
        verdict = verify(text(row["gold"]), text(row["prediction"])).correct
        expected = {"reject": verdict is not True, "accept": verdict is True, "bounded": True}
        if not expected[row["safe_expectation"]]:
            wrong.append(row["id"])
    assert wrong == []
