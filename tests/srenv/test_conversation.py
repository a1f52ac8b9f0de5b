"""The rules of the game, without Gymnasium around them."""

from dataclasses import replace

import pytest

import srenv
from srenv.conversation import Conversation, Rules
from srenv.domains.math import MATH
from srenv.episode import Problem
from srenv.parsing import MAX_TURN_CHARS
from srenv.protocol import PROTOCOLS, Protocol

YES_NO = PROTOCOLS["yes_no"]
WORDED = YES_NO.worded(MATH)
ASK = YES_NO.question
PROBLEM = Problem("p", "2*3?", "6", "test")


@pytest.mark.parametrize("answer", [6, 7])
@pytest.mark.parametrize(
    ("word", "changes", "ending", "request_"),
    [
        ("No.", {}, "running", WORDED.reveal),
        ("Yes.", {"stop": "never"}, "running", WORDED.praise),
        ("Yes.", {}, "declared", None),
        # Without a readable verdict the paper stops and keeps the answer.
        ("Perhaps.", {}, "unreadable", None),
        ("Perhaps.", {"unreadable": "retry"}, "running", WORDED.retry),
    ],
)
def test_what_follows_depends_on_the_models_own_verdict(answer, word, changes, ending, request_):
    conversation = Conversation(PROBLEM, Rules(replace(YES_NO, **changes), max_attempts=2))
    conversation.step(f"\\boxed{{{answer}}}\n{ASK} {word}")
    messages = conversation.episode.messages
    assert conversation.episode.ending == ending
    assert [m["content"] for m in messages[2:]] == ([request_] if request_ else [])


def test_verdict_of_a_turn_without_an_answer_is_ignored():
    conversation = Conversation(PROBLEM, Rules(YES_NO, max_attempts=2))
    conversation.step(f"I do not know.\n{ASK} Yes.")
    assert conversation.episode.ending == "running"
    assert conversation.episode.messages[-1]["content"] == WORDED.retry


def test_conversations_under_the_same_rules_share_nothing():
    rules = Rules(srenv.Protocol(), 4, srenv.make_reward())
    one, two = (Conversation(PROBLEM, rules) for _ in range(2))
    for conversation in (one, two):
        conversation.step("x")
    one.episode.turns[0].rewards["turn_cost"] = 99.0
    one.episode.messages[-1]["content"] = "changed"
    assert two.episode.turns[0].rewards["turn_cost"] == 0.0
    assert two.episode.messages[-1]["content"] == rules.protocol.retry


# --- turns longer than the limit ------------------------------------------------------------------


def test_a_long_right_solution_is_right_and_declared():
    text = "One more case. " * 7_000 + "\\boxed{6}\n[VERIFY] correct"
    conversation = Conversation(PROBLEM, Rules(Protocol(), max_attempts=2))
    turn = conversation.step(text)
    assert (turn.correct, turn.declared, turn.reward) == (True, True, 1.0)
    assert conversation.episode.ending == "declared"
    assert len(turn.text) == MAX_TURN_CHARS
    assert text.endswith(turn.text)
    assert turn.cut + len(turn.text) == len(text)
    assert turn.text[turn.split :] == "\n[VERIFY] correct"
    assert conversation.episode.messages[-1]["content"] == turn.text


def test_the_limit_is_a_rule():
    rules = Rules(Protocol(), max_attempts=2, max_turn_chars=40)
    turn = Conversation(PROBLEM, rules).step("\\boxed{6}" + " " * 40 + "\n[VERIFY] correct")
    assert (turn.answer, turn.cut, len(turn.text)) == (None, 26, 40)


def test_a_turn_within_the_limit_is_kept_whole():
    turn = Conversation(PROBLEM, Rules(Protocol(), 1)).step("\\boxed{6}\n[VERIFY] correct")
    assert (turn.cut, turn.text) == (0, "\\boxed{6}\n[VERIFY] correct")


def test_the_turn_says_how_its_answer_is_given():
    rules = Rules(Protocol(), max_attempts=5)
    conversation = Conversation(PROBLEM, rules)
    for text in ("\\boxed{6}", "The answer is 6.", "I do not know."):
        conversation.step(f"{text}\n[VERIFY] wrong")
    sources = [turn.answer_source for turn in conversation.episode.turns]
    assert sources == ["form", "marked", None]
