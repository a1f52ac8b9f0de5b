"""The math domain: extraction, grading, votes, perturbations, and gold answers of data sets."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import srenv
from srenv.domains.math import MATH
from srenv.problems import grade_batch
from srenv.verifier.reading.extract import extract_box_span, find_answer

PIECES = [
    "\\boxed{", "\\fbox{", "\\boxed {", "}", "{", "\\", "\\\\", "\\}", "12", "-3", " ", "\n", "x",
    "box", "<think>", "</think>", "think>", "<", "\\boxed{12}", "\\boxed{}", "\\boxed{ }",
    "\\frac{1}{2}", "#### 4", "The answer is 7.", "\r\n", "\t", "\u2028", "π",
    "\\boxed{12}\nfine\n", "\\Boxed{7}", ", ", " and ", "The answer is (B).",
    "答案：B", "B", "</s>", "---",
]  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@example("\\\\boxed{1}\n")
@example("\\boxed{\\boxed{1}}\n")
@example("\\boxed{<think>}\n")
@example("<think>\\boxed{1}\n")
@example("\\boxed{a \\boxed{1}\n")
@example("\\boxed{1}" + "x" * 65_536)
@example("\\boxed{1}" + "x" * 65_527)
def test_fast_path_extracts_what_the_verifier_extracts(text):
    box, marked = extract_box_span(text), find_answer(text)
    found = MATH.extract(text)
    if box:
        assert (found.answer, found.source) == (box[2].strip() or None, "form")
        assert text[: found.split].endswith(text[slice(*box[:2])])
    elif marked:
        source = {"marker": "marked", "closing": "stated"}[marked.source]
        assert found == (marked.answer, len(text), source)
    else:
        assert found == (None, len(text), None)


@pytest.mark.parametrize(
    ("text", "attempt"),
    [
        ("so \\boxed{4}\nCheck: yes, \\boxed{4}", "so \\boxed{4}"),
        ("\\boxed{4}\n" * 9, "\\boxed{4}"),
        ("\\boxed{4} no, \\boxed{5} no, \\boxed{4}", "\\boxed{4} no, \\boxed{5} no, \\boxed{4}"),
        ("\\boxed{5} no, \\boxed{4}, yes \\boxed{4}.", "\\boxed{5} no, \\boxed{4}"),
    ],
)
def test_the_attempt_ends_where_its_answer_is_first_given(text, attempt):
    """Or saying the answer again would get the credit of the attempt, and ending it none."""
    assert text[: MATH.extract(text).split] == attempt


def test_the_answer_is_in_the_attempt():
    text = "\\boxed{4}, which is (B)."
    assert MATH.extract(text) == ("4", len("\\boxed{4}"), "form")


@pytest.mark.parametrize("text", ["6x=114", "So I think it is 5.", "I do not know 5."])
def test_an_answer_must_be_marked(text):
    assert MATH.extract(text).source not in ("form", "marked")


@pytest.mark.parametrize("text", ["\\boxed{1}" * 200_000, "\\boxed{" * 200_000, "{" * 1_000_000])
def test_hostile_text_is_searched_in_linear_time(text):
    start = time.process_time()
    MATH.extract(text)
    assert time.process_time() - start < 0.5


@given(st.integers().map(str))
def test_a_written_answer_is_extracted_again(answer):
    text = MATH.write(answer)
    assert MATH.extract(text) == (answer, len(text), "form")


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["0", "-0", "007", "1,000", "1000", "1.0", " 5", "5 ", "", "x", "1/2", "0.5"]),
)


@settings(max_examples=500, deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_are_graded_as_by_the_verifier(gold, answer):
    (batch,) = grade_batch([srenv.Problem("p", "?", gold, "s")], [answer])
    alone = srenv.verify(gold, answer)
    assert (batch.correct, batch.reason) == (alone.correct, alone.reason)


def test_equal_pairs_are_graded_once():
    problem = srenv.Problem("p", "?", "1/2", "s")
    grades = grade_batch([problem] * 5, ["0.5", "0.5", "1/3", None, "0.5"])
    assert [g.correct for g in grades] == [True, True, False, False, True]
    assert grades[0] is grades[1] is grades[4]


def test_equal_answers_are_the_same_in_other_words():
    assert MATH.same("1/2", "0.5")
    assert not MATH.same("1/2", "0.6")
    assert MATH.same("\\frobnicate", "\\frobnicate")
    assert not MATH.same("x", "\\sqrt{x^2}")  # undecided


def test_perturbed_answers():
    problem = srenv.Problem("p", "?", "120", "s")
    assert dict(MATH.perturb(problem, ["120 ", "7"])) == {
        "another number": "121",
        "first digit": "220",
        "last digit": "121",
        "sign": "-120",
        "no answer": "",
        "two guesses": "120 or 7",
        "another answer": "7",
    }


def test_the_first_perturbed_answer_is_well_formed():
    for gold in ("", "x^2", "-5", "$12$", "(1, 2)", "9" * 200):
        _, answer = next(MATH.perturb(srenv.Problem("p", "?", gold, "s"), []))
        assert MATH.extract(MATH.write(answer))[0] == answer != gold


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        ("12", "12"),
        ("3*4=12\n#### 12", "12"),
        ("so $\\boxed{\\frac{16}{2}}$.", "\\frac{16}{2}"),
        ("so $\\boxed 2$.", "2"),
        ("so \\fbox{2}", "2"),
        (" the answer is 7 ", " the answer is 7 "),
    ],
)
def test_gold_answer_of_a_worked_solution(solution, gold):
    assert MATH.reduce(solution) == gold


@pytest.mark.parametrize(
    ("solution", "message"), [("3*4\n####", "no '#### ANSWER'"), ("\\boxed{12", "no closed")]
)
def test_worked_solution_without_an_answer(solution, message):
    with pytest.raises(ValueError, match=message):
        MATH.reduce(solution)
