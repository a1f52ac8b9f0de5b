"""The checks of `srenv.testing` pass what is sound and name what is not."""

import dataclasses

import pytest

import srenv
from srenv.problems import ListSource
from srenv.protocol import PROTOCOLS
from srenv.rewards import PRESETS, Term
from srenv.testing import (
    check_environment,
    check_protocol,
    check_reward,
    check_source,
    lint_reward,
)

INFINITE = Term("infinite", "attempt", lambda turns: float("inf"))
FORGETS = Term("forgets", "attempt", lambda turns: turns.pop() and 0.0)
TELLS = srenv.Protocol(retry="That was wrong. Try again.")


def _source(**changes):
    """A source factory whose third problem is changed."""

    def make(spec):
        problems = [srenv.Problem(str(k), f"{k}+1?", str(k + 1), "test") for k in range(5)]
        problems[2] = dataclasses.replace(problems[2], **changes)
        return ListSource(spec.text, spec.split, problems)

    return make


sound = _source()
# Its checker wants 5.
wrong_answer = _source(checker="countdown", data={"numbers": [1, 2], "target": 5}, answer="1+2")
same_id = _source(id="3")
empty_prompt = _source(prompt=" ")
odd_data = _source(data={"x": (1, 2)})


def test_own_parts_that_are_sound_pass():
    check_source("tests.srenv.testing.test_testing:sound")
    check_source("tests.srenv.testing.test_testing:sound", "eval")
    check_environment(problems="tests.srenv.testing.test_testing:sound", reward="per_turn")
    for preset in PRESETS:
        check_reward(preset)
    for protocol in (*PROTOCOLS, {"verdict": "none", "stop": "never"}):
        check_protocol(protocol)


def test_an_environment_in_which_the_model_asks_itself_keeps_the_contract():
    check_environment(protocol="yes_no")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong_answer", "its own answer"),
        ("same_id", "find|unique"),
        ("empty_prompt", "empty prompt"),
        ("odd_data", "JSON"),
    ],
)
def test_bad_sources_are_named(name, message):
    with pytest.raises(AssertionError, match=message):
        check_source(f"{__name__}:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [("INFINITE", "inf"), ("FORGETS", "again|change")],
)
def test_bad_rewards_are_named(name, message):
    with pytest.raises(AssertionError, match=message):
        check_reward({f"{__name__}:{name}": 1.0})


def test_a_request_that_tells_is_named():
    with pytest.raises(AssertionError, match="tells the model"):
        check_protocol("tests.srenv.testing.test_testing:TELLS")


def test_the_default_reward_has_no_profitable_vice():
    assert lint_reward("default") == []
    assert lint_reward("default", max_attempts=2, skills=[0.2, 0.8]) == []


@pytest.mark.parametrize(
    ("reward", "kinds"),
    [
        # SCoRe's bonus for a repair, alpha = 10: fail first, then repair.
        ("score", {"sandbagging"}),
        # Every right attempt is rewarded: stay for more of them.
        ("per_turn", {"loitering"}),
        # Only the verdict is rewarded: be wrong for sure, and say so.
        ("agreement=1", {"sandbagging"}),
        # Nothing depends on the verdict.
        ("answer_format=1", {"constant_verdict"}),
        ("correctness=1", {"loitering"}),
    ],
)
def test_gamed_rewards_are_found_out(reward, kinds):
    findings = lint_reward(reward)
    assert kinds <= {finding.kind for finding in findings}
    for finding in findings:
        assert finding.profit >= -1e-9
        assert "turn 1" in finding.policy


def test_the_profit_of_sandbagging_is_that_of_a_hand_computed_toy():
    # Two attempts, a perfect check, skill 1/2, reward = final correctness + 3 per repair.
    # Honest, stopping at a passed check: 1/2 + 1/2 * 1/2 * (1 + 3) = 1.5.
    # Failing first: 1/2 * (1 + 3) = 2.
    (finding,) = [
        f
        for f in lint_reward(
            {"improvement": 1.0, "progress": 3.0}, max_attempts=2, skills=[0.5], check=1.0
        )
        if f.kind == "sandbagging"
    ]
    assert finding.profit == pytest.approx(0.5)


@pytest.mark.parametrize("kwargs", [{"max_attempts": 9}, {"check": 0.5}, {"skills": [1.0]}])
def test_arguments_of_the_linter(kwargs):
    with pytest.raises(ValueError, match="must"):
        lint_reward(**kwargs)
