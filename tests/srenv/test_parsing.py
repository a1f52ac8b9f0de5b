"""Parsing of turns: answer, verdict, confidence, split, and what is malformed."""

import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srenv.episode import Problem
from srenv.protocol import PROTOCOLS, Protocol
from srenv.verdicts import MARKED, find_verdict, verdict_on_last_line

PROBLEM = Problem("p", "2*3?", "6", "test")
YES_NO = PROTOCOLS["yes_no"]
ASK = YES_NO.question


def parse(text, protocol=PROTOCOLS["default"]):
    return protocol.parse(text, PROBLEM)


# --- a marker -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "verdict", "confidence"),
    [
        ("\\boxed{6}\n[VERIFY] correct", "6", "correct", None),
        ("\\boxed{6}\n[VERIFY] wrong.", "6", "wrong", None),
        ("\\boxed{6}\n\n  [VERIFY] correct (0.85)  \n\n", "6", "correct", 0.85),
        ("\\boxed{6}\n[VERIFY] wrong (1)", "6", "wrong", 1.0),
        ("\\boxed{1} no, \\boxed{\\frac{1}{2}}\n[VERIFY] wrong", "\\frac{1}{2}", "wrong", None),
        # The marker inside a box counts after unwrapping, and the box is not the answer.
        ("\\boxed{6}\n\\boxed{[VERIFY] correct}", "6", "correct", None),
        ("\\boxed{6}\n\\boxed{\\text{[VERIFY] wrong}}", "6", "wrong", None),
        # Markers before the last line are talk.
        ("I will write [VERIFY] wrong.\n\\boxed{6}\n[VERIFY] correct", "6", "correct", None),
    ],
)
def test_well_formed_turn(text, answer, verdict, confidence):
    turn = parse(text)
    assert (turn.answer, turn.verdict, turn.confidence) == (answer, verdict, confidence)
    assert turn.malformed == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no_answer"),
        ("[VERIFY] correct", "no_answer"),
        ("\\boxed{6}", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct [VERIFY] wrong", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct or wrong", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct (1.5)", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct (nan)", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct\nthanks", "no_verdict"),
    ],
)
def test_malformed_turn_has_a_reason(text, why):
    turn = parse(text)
    assert turn.malformed == why


def test_split_is_where_the_last_box_ends():
    text = "so \\boxed{6}\n6*2=12\n[VERIFY] correct"
    assert text[: parse(text).split] == "so \\boxed{6}"


@given(st.text(alphabet="\\boxed{}[VERIFY] correctwrong().01\n$", max_size=300))
def test_any_text_is_parsed(text):
    turn = parse(text)
    assert 0 <= turn.split <= len(text)
    assert turn.confidence is None or 0 <= turn.confidence <= 1
    assert bool(turn.malformed) == (turn.answer is None or turn.verdict is None)


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{1}" * 200_000,
        "\\boxed{" * 200_000,
        "{" * 1_000_000,
        "\n" * 1_000_000 + "[VERIFY] correct",
        "[VERIFY] correct (" + "0" * 1_000_000,
        "\\boxed{6}\n" + "[VERIFY] correct " * 100_000,
    ],
)
def test_hostile_text_is_parsed_in_linear_time(text):
    start = time.process_time()
    turn = parse(text)
    assert time.process_time() - start < 0.5
    assert turn.split <= len(text)


# --- long turns -----------------------------------------------------------------------------------

ENDING = "\\boxed{6}\nso 6/3=2\n[VERIFY] correct"


def test_a_long_turn_is_read_from_its_end():
    text = "One more case. " * 7_000 + ENDING
    turn = parse(text)
    assert (turn.answer, turn.verdict, turn.malformed) == ("6", "correct", "")
    assert text[turn.split :] == "\nso 6/3=2\n[VERIFY] correct"


@pytest.mark.parametrize("length", range(len(ENDING) - 1, len(ENDING) + 2))
def test_a_turn_is_read_as_far_as_the_limit(length):
    turn = PROTOCOLS["default"].parse(f"x{ENDING}", PROBLEM, max_chars=length)
    assert turn.answer == ("6" if length >= len(ENDING) else None)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\\boxed{5} {long}\\boxed{7}", None),
        ("<think>\\boxed{5} {long}\\boxed{7}</think>\\boxed{6}", "6"),
        ("<think>5</think>{long}\\boxed{6}", "6"),
        ("{long}<think>\\boxed{7}</think>\\boxed{6}", "6"),
        ("{long}<think>\\boxed{7}", None),
    ],
)
def test_thinking_that_began_before_the_limit_is_no_answer(text, answer):
    assert parse(text.replace("{long}", "hm " * 15_000)).answer == answer


@pytest.mark.parametrize("offset", range(9))
def test_thinking_may_begin_across_the_limit(offset):
    thinking = "<think>\\boxed{5}" + "." * 50
    text = "." * 50 + thinking
    turn = PROTOCOLS["default"].parse(text, PROBLEM, max_chars=len(thinking) - offset)
    assert turn.answer is None


# --- what counts as an answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("so \\boxed{6}", {"form", "marked", "stated"}),
        ("The answer is 6.", {"marked", "stated"}),
        ("#### 6", {"marked", "stated"}),
        ("We add them up. So there are 6 apples in total.", {"stated"}),
        ("\\boxed{}", set()),
        ("I do not know.", set()),
    ],
)
@pytest.mark.parametrize("option", ["form", "marked", "stated"])
def test_the_protocol_says_what_counts_as_an_answer(text, accepted, option):
    turn = parse(f"{text}\n[VERIFY] correct", Protocol(answer=option))
    assert (turn.answer is not None) == (option in accepted)
    assert turn.malformed == ("" if option in accepted else "no_answer")
    source = {3: "form", 2: "marked", 1: "stated"}.get(len(accepted))
    assert turn.answer_source == (source if option in accepted else None)


def test_marked_answers_count_by_default():
    assert Protocol().answer == "marked"


def test_an_unknown_kind_of_answer_is_refused():
    with pytest.raises(ValueError, match="unknown kind of answer 'boxed'"):
        Protocol(answer="boxed")


PIECES = [
    "\\boxed{", "}", "12", "x", " ", "\n", "\t", "\r\n", "\u2028", "[VERIFY]", "[VERIFY] correct",
    "[VERIFY] wrong.", "[VERIFY] wrong (0.75)", "[VERIFY] correct (.5).", "\n[VERIFY] correct",
    "\n[VERIFY] wrong\n", "[VERIFY] Correct", "\\boxed{[VERIFY] correct}",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@example("\\boxed{1}\n[VERIFY] wrong")
def test_fast_path_finds_the_verdict_of_the_last_line(text):
    start, match = verdict_on_last_line(text, MARKED)
    expected = (None, None, len(text))
    if match:
        expected = (match[1], float(match[2]) if match[2] else None, start)
    assert find_verdict(text, MARKED) == expected


def test_without_a_verdict_only_the_answer_counts():
    turn = parse("\\boxed{6}", PROTOCOLS["intrinsic"])
    assert turn.malformed == ""
    assert turn.verdict is None


# --- a question -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer", "verdict", "confidence"),
    [
        (f"\\boxed{{6}}\n{ASK} Yes.", "6", "correct", None),
        (f"\\boxed{{6}}\n2*3=6\n{ASK} No", "6", "wrong", None),
        (f"\\boxed{{6}}\n\n  {ASK} Yes (0.85)  \n\n", "6", "correct", 0.85),
        (f"\\boxed{{1}} no, \\boxed{{\\frac{{1}}{{2}}}}\n{ASK} No.", "\\frac{1}{2}", "wrong", None),
        (f"\\boxed{{6}}\n\\boxed{{{ASK} Yes.}}", "6", "correct", None),
        # Questions before the last line are talk.
        (f"{ASK} No.\n\\boxed{{6}}\n{ASK} Yes.", "6", "correct", None),
    ],
)
def test_well_formed_answer_to_the_question(text, answer, verdict, confidence):
    turn = parse(text, YES_NO)
    assert (turn.answer, turn.verdict, turn.confidence) == (answer, verdict, confidence)
    assert turn.malformed == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{ASK} Yes.", "no_answer"),
        ("\\boxed{6}", "no_verdict"),
        ("\\boxed{6}\nYes.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK}", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes. No.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes. {ASK} No.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} correct", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes (1.5)", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct", "no_verdict"),
    ],
)
def test_malformed_answer_to_the_question(text, why):
    assert parse(text, YES_NO).malformed == why


@pytest.mark.parametrize(
    "text",
    [
        f"\\boxed{{6}}\n{ASK} Yes.\n" * 5_000,
        f"\\boxed{{6}}\n{ASK} Yes.\n" + "\n" * 30_000 + "x",
        f"{ASK} " * 10_000,
        f"\\boxed{{6}}\n{ASK} Yes (" + "0" * 1_000_000,
        f"\\boxed{{6}}\n\\boxed{{{ASK} " * 5_000,
    ],
)
@pytest.mark.parametrize("marker", ["last_line", "once"])
def test_hostile_answer_to_the_question_is_parsed_in_linear_time(text, marker):
    protocol = replace(YES_NO, marker=marker)
    start = time.process_time()
    turn = parse(text, protocol)
    protocol.phrase(text)
    assert time.process_time() - start < 0.5
    assert turn.split <= len(text)


@given(st.text(alphabet="\\boxed{}YesNo.?() 01\n$", max_size=200), st.booleans())
def test_any_answer_to_the_question_is_parsed(text, asked):
    text = f"{text}{ASK} {text}" if asked else text
    turn = parse(text, YES_NO)
    assert 0 <= turn.split <= len(text)
    assert bool(turn.malformed) == (turn.answer is None or turn.verdict is None)


def test_question_is_not_read_as_a_pattern():
    protocol = Protocol(verdict="question", question="Sure (.*)+?")
    assert parse("\\boxed{6}\nSure (.*)+? Yes.", protocol).verdict == "correct"
    assert parse("\\boxed{6}\nSure (aaa)+? Yes.", protocol).malformed == "no_verdict"
    once = replace(protocol, marker="once")
    assert parse("\\boxed{6} Sure (.*)+? No. So I stop.", once).verdict == "wrong"
    assert parse("Sure (.*)+? Yes.\n\\boxed{6}\nSure (.*)+? No.", once).malformed == "no_verdict"
