import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srenv.env import make_protocol
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


def test_without_a_verdict_only_the_answer_is_asked_for():
    turn = PROTOCOLS["intrinsic"].parse("\\boxed{6}")
    assert turn.malformed == ""
    assert turn.verdict is None


def test_protocols_by_fields_and_by_attribute():
    assert make_protocol({"retry": "Again."}).retry == "Again."
    assert make_protocol("test_protocol:OWN") is OWN
    with pytest.raises(ValueError, match="not a srenv"):
        make_protocol("srenv.protocol:PROTOCOLS")


def test_no_neutral_request_reveals_anything_even_where_the_oracle_is_asked():
    neutral = Protocol()
    assert neutral.follow_up(True) == neutral.follow_up(False) == neutral.follow_up(None)
    constant = Protocol(feedback="constant")
    assert constant.follow_up(True) == constant.follow_up(False)
    oracle = Protocol(feedback="oracle")
    assert oracle.follow_up(True) != oracle.follow_up(False)
