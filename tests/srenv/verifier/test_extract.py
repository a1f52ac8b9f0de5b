r"""Extraction: the final answer of a turn."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srenv.verifier import extract, extract_box_span
from srenv.verifier.reading.extract import find_answer


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
        (r"\boxed{5} or perhaps \boxed{6", None),
        (r"The answer is 5, so \boxed{5", None),
        (r"\boxed{6", None),
        (r"\boxed{{6}", None),
        (r"} \boxed{6}", "6"),
        (r"\boxed{}", None),
        (r"<think>\boxed{6}</think> \boxed{5}", "5"),
        (r"\boxed{5} <think>\boxed{6}</think>", "5"),
        (r"\boxed{6}</think> The answer is 5.", "5"),
        (r"\boxed{5}<think>\boxed{6}", "5"),
        (r"<think>\boxed{5}</think>", None),
        (r"so \boxed 5.", "5"),
        (r"our answer is $\boxed 12$", "12"),
        (r"\framebox{x+1}", "x+1"),
        (r"\\boxed{\\frac{1}{2}}", r"\frac{1}{2}"),
        (r"Write it in \boxed. It is \boxed{5}.", "5"),
        (r"$x = \boxed{3}$, $\boxed{8}$ and $\boxed{9}$", "3, 8, 9"),
        (r"\boxed{2} or \boxed{-2}", r"2 \text{ or } -2"),
        ("(a) \\boxed{4}\n(b) \\boxed{6}", "4, 6"),
        (r"\boxed{4}. This is wrong: \boxed{6}", "6"),
        (r"\boxed{7} = \boxed{7}", "7"),
        ("\\boxed{a > b}\n\n**Answer: C**", "C"),
        ("The answer is 3. The answer is $4$. I hope it is correct.", "$4$"),
        ("**Final Answer:** 12\nthanks", "12"),
        ("Answer: \n 12\n", "12"),
        ("Final Answer: The largest n is 34.", "34"),
        ("The answer is **7**.", "7"),
        ("The answer is 0.333...", "0.333..."),
        (r"The answer is \left. x \right.", r"\left. x \right."),
        ("a\n#### 1,080", "1,080"),
        ("I think the answer is 4. Let me recheck: it is 5.\n#### 5", "5"),
        ("The answer is 4. Wait, I misread it: it is 5.", "5"),
        ("The answer is 9, since 4 + 5 = 9.", "9"),
        ("#### 12\n\n#### Reflections\nIt went well.", "12"),
        ("The answer is #### 17.", "17"),
        ("So there are #### 8 coffee mugs on the long shelf.", "8"),
        ("The answer (arabic numerals) is 8", "8"),
        ("The answer to the question is 8.", "8"),
        ("**Final Answer**\n73", "73"),
        ("### Answer\n\n$$73$$", "$$73$$"),
        ("Answer: `73`", "73"),
        ("Answer:\n```\n73\n```", "73"),
        ("<answer>\n73\n</answer>", "73"),
        ("Reasoning.</think><answer>73</answer>", "73"),
        ("It follows.\n<final_answer>73</final_answer>", "73"),
        ("the answer is 5<|im_end|>", "5"),
        ("no idea", None),
        ("", None),
    ],
)
def test_answer_of_a_turn(turn: str, answer: str | None) -> None:
    assert extract(turn) == answer


@pytest.mark.parametrize(
    "turn",
    [
        "【解析】略。\n【答案】: {}",
        "【答案】{} <eoa>",
        "所以，正确答案是{}。",
        "故选：{}。",
        "故答案为：{}.",
        "Итак.\n\n**Ответ:** {}",
        "Ответ: {}.",
        "La respuesta es {}.",
        "La réponse finale est : {}",
        "Die Antwort lautet {}.",
        "A resposta final é {}.",
        "La risposta è {}.",
        "Het antwoord is {}.",
        "Odpowiedź: {}",
        "Cevap: {}",
        "Đáp án: {}",
        "答え: {}",
        "정답: {}",
    ],
)
def test_marks_of_other_languages(turn: str) -> None:
    assert extract(turn.format("B")) == "B"
    assert extract(turn.format("$12$")) == "$12$"


@pytest.mark.parametrize(
    ("turn", "answer"),
    [
        ("We add them.\nSo there are 73 residents.", "73"),
        ("We add them.\nShe made a profit of **$70,000**.", "$70,000"),
        ("First 3 * 4 = 12.\nIn total he needs 12 + 8 = 20 cups of flour for 3 cakes.", "20"),
        ("He sells each for $2, so he makes 9 * $2 = $18 every day.", "$18"),
        ("It is so.\nTherefore, $x = 73$.", "x = 73"),
        ("It is so. Hence\n\\[\n\\int_0^1 f = \\frac{1}{4}.\n\\]", r"\int_0^1 f = \frac{1}{4}"),
        ("综上。\n因此，最小值为 $6$。", "6"),
        ("Итак.\nИскомое число равно $\\frac12$.", r"\frac12"),
        ("I add.\n42", "42"),
        ("It could be 41.\nSo it is either 41 or 42.", None),
        ("We see that.\nThe total is not 41.", None),
        ("He has them.\nHe has 5 apples and 3 pears.", None),
        ("I see.\nIt is at least 7.", None),
        ("I see.\nIs it 7?", None),
    ],
)
def test_closing_words(turn: str, answer: str | None) -> None:
    found = find_answer(turn)
    assert (found.answer if found else None) == answer
    assert extract(turn) is None  # nothing is marked as the answer


def test_long_turn_is_read_from_its_end() -> None:
    filler = "We compute 1 + 1 = 2. " * 200_000
    began = time.perf_counter()
    assert extract(filler + r"Hence \boxed{7}.") == "7"
    assert extract(filler + "The answer is 7.") == "7"
    assert extract("<think>" + filler) is None
    assert extract("<think>" + filler + "</think>So the answer is 7.") == "7"
    assert time.perf_counter() - began < 2


def test_source_says_what_the_answer_was_found_by() -> None:
    sources = [
        find_answer(turn)
        for turn in (r"\boxed{5}", "The answer is 5.", "We add.\nSo there are 5 cups.", "none")
    ]
    assert [found.source if found else None for found in sources] == [
        "box",
        "marker",
        "closing",
        None,
    ]


def test_box_span_covers_a_list_of_boxes() -> None:
    turn = r"so $\boxed{1}$ and $\boxed{2}$."
    span = extract_box_span(turn)
    assert span is not None
    assert turn[span[0] : span[1]] == r"\boxed{1}$ and $\boxed{2}"
    assert span[2] == "1, 2"


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
        r"\boxed{1}, " * 100_000,
        "好" * 1_000_000,
        "answer (" * 100_000,
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
        assert end <= len(text)
        assert content == "" or content.split(",")[0].strip() in text[start:end]
