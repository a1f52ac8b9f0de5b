"""The rules of the game, without Gymnasium around them."""

from dataclasses import replace

import pytest

import srenv
from srenv.conversation import Conversation, Rules
from srenv.domains.maths import MATHS
from srenv.episode import Problem
from srenv.protocol import PROTOCOLS

YES_NO = PROTOCOLS["yes_no"]
WORDED = YES_NO.worded(MATHS)
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
