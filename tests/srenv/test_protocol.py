"""Protocols: what the model is told, and how protocols are named."""

import pytest

from srenv.domains.math import MATH
from srenv.envs.env import make_protocol
from srenv.episode import Problem
from srenv.protocol import FORM, PROTOCOLS, Protocol

OWN = Protocol(instruction="Answer in \\boxed{}.")
YES_NO = PROTOCOLS["yes_no"]
ASK = YES_NO.question
PROBLEM = Problem("p", "2*3?", "6", "test")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_sentences_are_worded_by_the_domain(name):
    protocol = PROTOCOLS[name]
    worded = protocol.worded(MATH)
    (opening,) = protocol.opening(PROBLEM)
    assert FORM in protocol.instruction
    assert opening["content"] == f"2*3?\n{worded.instruction}"
    assert "in \\boxed{}." in worded.instruction
    assert worded.worded(MATH) == worded
    for correct in (True, False):
        for verdict in ("correct", "wrong", None):
            request = protocol.follow_up(PROBLEM, correct, verdict)
            assert request == worded.follow_up(PROBLEM, correct, verdict)
            assert FORM not in request["content"]


def test_braces_of_a_users_own_sentences_are_kept():
    own = Protocol(instruction="Write {x} in \\boxed{}, {0} or {form!r}.")
    assert own.worded(MATH) == Protocol(instruction=own.instruction).worded(MATH)
    assert own.opening(PROBLEM)[0]["content"] == f"2*3?\n{own.instruction}"


def test_question_is_one_line():
    for bad in ("", " \n", "one\ntwo", "one\u2028two"):
        with pytest.raises(ValueError, match="one line"):
            Protocol(question=bad)


def test_phrase_writes_a_turn_in_the_words_of_a_protocol():
    turn = "\\boxed{6}\n2*3=6\n[VERIFY] correct (0.9)\n"
    phrased = YES_NO.phrase(turn)
    assert phrased == f"\\boxed{{6}}\n2*3=6\n{ASK} Yes (0.9)."
    assert YES_NO.parse(phrased, PROBLEM) == Protocol().parse(turn, PROBLEM)


@pytest.mark.parametrize("name", ["default", "intrinsic"])
def test_phrase_keeps_turns_that_need_no_other_words(name):
    turn = "\\boxed{6}\n2*3=6\n[VERIFY] correct (0.9)\n"
    assert PROTOCOLS[name].phrase(turn) == turn


@pytest.mark.parametrize("text", ["", "hm", "[VERIFY] maybe", f"\\boxed{{6}}\n{ASK} Yes."])
def test_phrase_keeps_texts_without_a_marked_verdict(text):
    assert YES_NO.phrase(text) == text


def test_protocol_by_fields():
    assert make_protocol({"retry": "Again."}).retry == "Again."


def test_protocol_by_attribute():
    assert make_protocol("tests.srenv.test_protocol:OWN") is OWN
    with pytest.raises(ValueError, match="not a srenv"):
        make_protocol("srenv.protocol:PROTOCOLS")


@pytest.mark.parametrize("feedback", ["neutral", "constant"])
def test_silent_request_does_not_depend_on_the_grade(feedback):
    protocol = Protocol(feedback=feedback)
    right, wrong, undecided = (protocol.follow_up(PROBLEM, c) for c in (True, False, None))
    assert right == wrong == undecided


def test_oracle_tells_the_grade():
    oracle = Protocol(feedback="oracle")
    assert oracle.follow_up(PROBLEM, correct=True) != oracle.follow_up(PROBLEM, correct=False)
