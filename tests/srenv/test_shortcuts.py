"""What is done the short way comes out as the long way would have it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import srenv
import srenv.protocol
from srenv.conversation import Conversation, Rules
from srenv.problems import grade_batch

ASKING = srenv.protocol.PROTOCOLS["yes_no"]
PIECES = [
    "\\boxed{", "\\fbox{", "\\boxed {", "}", "{", "\\", "\\\\", "\\}", "12", "-3", " ", "\n", "x",
    "box", "<think>", "</think>", "think>", "<", "[VERIFY] correct", "[VERIFY] wrong",
    "[VERIFY] wrong (0.75)", "[VERIFY] correct (.5).", "\n[VERIFY] correct", "\n[VERIFY] wrong\n",
    "[VERIFY] Correct", "\\boxed{12}", "\\boxed{}", "\\boxed{ }", "\\frac{1}{2}", "#### 4",
    "The answer is 7.", "\r\n", "\t", "\u2028", "π", "\\boxed{12}\nfine\n[VERIFY] wrong",
]  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@example("\\\\boxed{1}\n[VERIFY] wrong")
@example("\\boxed{\\boxed{1}}\n[VERIFY] wrong")
@example("<think>\\boxed{1}\n[VERIFY] wrong")
@example("\\boxed{a \\boxed{1}\n[VERIFY] wrong")
def test_the_usual_turn_is_parsed_as_any_other(text):
    for protocol, wording in (
        (srenv.Protocol(), text),
        (ASKING, text.replace("[VERIFY] correct", f"{ASKING.question} Yes")),
    ):
        quick = srenv.protocol._usual(wording, protocol._form)
        if quick is None:
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(srenv.protocol, "_usual", lambda *_: None)
            assert protocol.parse(wording) == quick


def test_usual_turns_are_indeed_parsed_at_a_glance():
    for text in (
        "I add: 2+2=4.\n\\boxed{4}\n[VERIFY] correct",
        "\\frac{1}{2} of 8 is \\boxed{4}. Check: fine.\n[VERIFY] wrong (0.9)\n",
    ):
        protocol = srenv.Protocol()
        assert srenv.protocol._usual(text, protocol._form) is not None
        asked = ASKING.phrase(text)
        assert srenv.protocol._usual(asked, ASKING._form) is not None


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["0", "-0", "007", "1,000", "1000", "1.0", " 5", "5 ", "", "x", "1/2", "0.5"]),
)


@settings(max_examples=500, deadline=None)
@given(NUMBERS, NUMBERS)
def test_integers_are_judged_as_the_verifier_judges_them(gold, answer):
    (short,) = grade_batch([srenv.Problem("p", "?", gold, "s")], [answer])
    long = srenv.verify(gold, answer)
    assert (short.correct, short.reason) == (long.correct, long.reason)


PROBLEM = srenv.Problem("p", "2+2?", "4", "test")


def test_conversations_under_the_same_rules_share_nothing():
    rules = Rules(srenv.Protocol(), 4, srenv.make_reward())
    one, two = (Conversation(PROBLEM, rules) for _ in range(2))
    for conversation in (one, two):
        conversation.step("x")
    one.episode.turns[0].rewards["turn_cost"] = 99.0
    one.episode.messages[-1]["content"] = "changed"
    assert two.episode.turns[0].rewards["turn_cost"] == 0.0
    assert two.episode.messages[-1]["content"] == rules.protocol.retry


def test_rules_that_change_count_from_the_next_reset():
    import gymnasium as gym

    env = gym.make("SelfCorrectMath-v0").unwrapped
    env.reset(seed=0)
    env.max_attempts = 1
    assert env.step("x")[2:4] == (False, False)
    env.reset()
    assert env.step("x")[2:4] == (True, False)
    env.reward = srenv.make_reward("answer_format=3")
    env.reset()
    assert env.step("x")[1] == -3.0
