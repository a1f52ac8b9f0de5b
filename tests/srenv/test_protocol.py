import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srenv.conversation import Conversation, Rules
from srenv.envs.env import make_protocol
from srenv.episode import Problem
from srenv.protocol import MAX_TURN_CHARS, PROTOCOLS, Protocol

PARSE = Protocol().parse
OWN = Protocol(instruction="Answer in \\boxed{}.")


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
def test_well_formed_turns(text, answer, verdict, confidence):
    turn = PARSE(text)
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
        ("\\boxed{6}\n[verify] correct", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct\nthanks", "no_verdict"),
        ("\\boxed{6} [VERIFY] correct", "no_verdict"),
    ],
)
def test_malformed_turns_say_why(text, why):
    turn = PARSE(text)
    assert turn.malformed == why


def test_the_split_is_where_the_last_box_ends():
    text = "so \\boxed{6}\n6*2=12\n[VERIFY] correct"
    assert text[: PARSE(text).split] == "so \\boxed{6}"


@given(st.text(alphabet="\\boxed{}[VERIFY] correctwrong().01\n$", max_size=300))
def test_parsing_never_raises_and_the_split_is_inside(text):
    turn = PARSE(text)
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
def test_hostile_text_is_parsed_fast(text):
    start = time.process_time()
    turn = PARSE(text)
    assert time.process_time() - start < 0.5
    assert turn.split <= MAX_TURN_CHARS


YES_NO = PROTOCOLS["yes_no"]
ASK = YES_NO.question


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
def test_the_model_asks_itself(text, answer, verdict, confidence):
    turn = YES_NO.parse(text)
    assert (turn.answer, turn.verdict, turn.confidence) == (answer, verdict, confidence)
    assert turn.malformed == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{ASK} Yes.", "no_answer"),
        ("\\boxed{6}", "no_verdict"),
        ("\\boxed{6}\nYes.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK}", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK}\nYes.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} yes.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes. No.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes. {ASK} No.", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} correct", "no_verdict"),
        (f"\\boxed{{6}}\n{ASK} Yes (1.5)", "no_verdict"),
        (f"\\boxed{{6}} {ASK} Yes.", "no_verdict"),
        ("\\boxed{6}\n[VERIFY] correct", "no_verdict"),
    ],
)
def test_answers_to_the_question_that_cannot_be_read(text, why):
    assert YES_NO.parse(text).malformed == why


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
def test_hostile_answers_to_the_question_are_parsed_fast(text, marker):
    protocol = replace(YES_NO, marker=marker)
    start = time.process_time()
    turn = protocol.parse(text)
    protocol.phrase(text)
    assert time.process_time() - start < 0.5
    assert turn.split <= MAX_TURN_CHARS


@given(st.text(alphabet="\\boxed{}YesNo.?() 01\n$", max_size=200), st.booleans())
def test_parsing_answers_never_raises_and_the_split_is_inside(text, asked):
    text = f"{text}{ASK} {text}" if asked else text
    turn = YES_NO.parse(text)
    assert 0 <= turn.split <= len(text)
    assert bool(turn.malformed) == (turn.answer is None or turn.verdict is None)


def test_the_question_may_be_any_line_even_one_that_looks_like_a_pattern():
    protocol = Protocol(verdict="question", question="Sure (.*)+?")
    assert protocol.parse("\\boxed{6}\nSure (.*)+? Yes.").verdict == "correct"
    assert protocol.parse("\\boxed{6}\nSure (aaa)+? Yes.").malformed == "no_verdict"
    once = replace(protocol, marker="once")
    assert once.parse("\\boxed{6} Sure (.*)+? No. So I stop.").verdict == "wrong"
    assert once.parse("Sure (.*)+? Yes.\n\\boxed{6}\nSure (.*)+? No.").malformed == "no_verdict"
    for bad in ("", " \n", "one\ntwo", "one\u2028two"):
        with pytest.raises(ValueError, match="one line"):
            Protocol(question=bad)


def test_what_follows_depends_on_the_models_own_verdict_and_on_nothing_else():
    problem = Problem("p", "What?", "6", "test")

    def after(answer, word, **changes):
        protocol = replace(YES_NO, **changes)
        conversation = Conversation(problem, Rules(protocol, max_attempts=2))
        conversation.step(f"\\boxed{{{answer}}}\n{ASK} {word}")
        episode = conversation.episode
        return episode.ending, episode.messages[-1]["content"]

    for answer in (6, 7):
        assert after(answer, "No.") == ("running", YES_NO.reveal)
        assert after(answer, "Yes.", stop="never") == ("running", YES_NO.praise)
        assert after(answer, "Yes.")[0] == "declared"
        # Without a readable verdict the paper stops and keeps the answer.
        assert after(answer, "Perhaps.")[0] == "unreadable"
        assert after(answer, "Perhaps.", unreadable="retry") == ("running", YES_NO.retry)


def test_a_turn_without_an_answer_has_said_nothing():
    problem = Problem("p", "What?", "6", "test")
    conversation = Conversation(problem, Rules(YES_NO, max_attempts=2))
    conversation.step(f"I do not know.\n{ASK} Yes.")
    assert conversation.episode.ending == "running"
    assert conversation.episode.messages[-1]["content"] == YES_NO.retry


def test_turns_are_rewritten_in_the_words_of_a_protocol():
    turn = "\\boxed{6}\n2*3=6\n[VERIFY] correct (0.9)\n"
    said = YES_NO.phrase(turn)
    assert said == f"\\boxed{{6}}\n2*3=6\n{ASK} Yes (0.9)."
    assert YES_NO.parse(said) == Protocol().parse(turn)
    assert Protocol().phrase(turn) == turn
    assert PROTOCOLS["intrinsic"].phrase(turn) == turn
    for other in ("", "hm", "[VERIFY] maybe", said):
        assert YES_NO.phrase(other) == other


def test_without_a_verdict_only_the_answer_is_asked_for():
    turn = PROTOCOLS["intrinsic"].parse("\\boxed{6}")
    assert turn.malformed == ""
    assert turn.verdict is None


def test_protocols_by_fields_and_by_attribute():
    assert make_protocol({"retry": "Again."}).retry == "Again."
    assert make_protocol("tests.srenv.test_protocol:OWN") is OWN
    with pytest.raises(ValueError, match="not a srenv"):
        make_protocol("srenv.protocol:PROTOCOLS")


def test_no_neutral_request_reveals_anything_even_where_the_oracle_is_asked():
    neutral = Protocol()
    assert neutral.follow_up(True) == neutral.follow_up(False) == neutral.follow_up(None)
    constant = Protocol(feedback="constant")
    assert constant.follow_up(True) == constant.follow_up(False)
    oracle = Protocol(feedback="oracle")
    assert oracle.follow_up(True) != oracle.follow_up(False)
