"""`CalculatorTool`: calls inside an attempt."""

import pytest
from gymnasium.error import InvalidAction

from srenv.wrappers import CalculatorTool
from tests.support.environments import make_env, reset, turn


def test_a_call_does_not_end_the_turn():
    env = CalculatorTool(make_env())
    reset(env)
    observation, reward, terminated, truncated, info = env.step("I add.\n[CALC] 2+2\n")
    assert observation.endswith("Assistant: I add.\n[CALC] 2+2\n[RESULT] 4\n")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["turn"], info["tool_calls"], info["tool_result"]) == (0, 1, "4")


@pytest.mark.parametrize(
    ("call", "continuation"),
    [("[CALC] 2+2\n", "[RESULT] 4\n"), ("[CALC] 2+2", "\n[RESULT] 4\n")],
)
def test_info_holds_the_text_that_continues_the_message(call, continuation):
    env = CalculatorTool(make_env())
    reset(env)
    *_, info = env.step(call)
    assert info["continuation"] == continuation
    *_, info = env.step(turn(4, "correct"))
    assert info["continuation"] == ""


def test_the_recorded_turn_holds_calls_and_results():
    env = CalculatorTool(make_env())
    reset(env)
    env.step("I add.\n[CALC] 2+2\n")
    env.step("[CALC] 1/0")
    *_, info = env.step("So \\boxed{4}\n[VERIFY] correct")
    assert env.unwrapped.episode.turns[0].text == (
        "I add.\n[CALC] 2+2\n[RESULT] 4\n[CALC] 1/0\n[RESULT] error: division by zero\n"
        "So \\boxed{4}\n[VERIFY] correct"
    )
    assert (info["correct"], info["tool_calls"], info["turn"]) == (True, 2, 1)


def test_a_call_beyond_the_limit_is_a_malformed_turn():
    env = CalculatorTool(make_env(), max_calls=2)
    reset(env)
    for _ in range(3):
        *_, info = env.step("[CALC] 1")
    assert info["malformed"] == "no_answer"
    assert env.draft == ""


def test_a_result_is_neither_an_answer_nor_a_verdict():
    env = CalculatorTool(make_env(), algebra=True)
    reset(env)
    env.step("[CALC] boxed(4)")
    *_, info = env.step("[SYMPY] boxed(4)\n[VERIFY] correct")
    assert info["malformed"] == "no_answer"
    assert not info["declared"]


def test_reset_drops_an_unfinished_turn():
    env = CalculatorTool(make_env())
    reset(env)
    env.step("[CALC] 1+1")
    reset(env)
    env.step("x")
    assert env.unwrapped.episode.turns[0].text == "x"


def test_algebra_needs_to_be_allowed():
    env = CalculatorTool(make_env())
    reset(env)
    *_, info = env.step("[SYMPY] 1+1")
    assert (info["turn"], info["tool_calls"]) == (1, 0)
    assert env.unwrapped.episode.turns[0].text == "[SYMPY] 1+1"


def test_a_turn_must_be_text():
    env = CalculatorTool(make_env())
    reset(env)
    with pytest.raises(InvalidAction):
        env.step(3)
