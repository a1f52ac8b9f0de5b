"""Checks of sources, rewards and protocols: they pass what is sound and name what is not."""

import dataclasses

import pytest

import srenv
from srenv.problems import ListSource
from srenv.protocol import PROTOCOLS
from srenv.rewards import PRESETS, Term
from srenv.testing import check_protocol, check_reward, check_source

HERE = "tests.srenv.testing.test_checks"
INFINITE = Term("infinite", "attempt", lambda turns: float("inf"))
FORGETS = Term("forgets", "attempt", lambda turns: turns.pop() and 0.0)
TELLS = srenv.Protocol(retry="That was wrong. Try again.")


def source(**changes):
    """A source factory whose third problem is changed."""

    def make(spec):
        problems = [srenv.Problem(str(k), f"{k}+1?", str(k + 1), "test") for k in range(5)]
        problems[2] = dataclasses.replace(problems[2], **changes)
        return ListSource(spec.text, spec.split, problems)

    return make


sound = source()
# Its checker wants 5.
wrong_answer = source(checker="countdown", data={"numbers": [1, 2], "target": 5}, answer="1+2")
same_id = source(id="3")
empty_prompt = source(prompt=" ")
odd_data = source(data={"x": (1, 2)})


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_sound_source_passes(split):
    check_source(f"{HERE}:sound", split)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong_answer", "its own answer"),
        ("same_id", "find|unique"),
        ("empty_prompt", "empty prompt"),
        ("odd_data", "JSON"),
    ],
)
def test_a_bad_source_is_named(name, message):
    with pytest.raises(AssertionError, match=message):
        check_source(f"{HERE}:{name}")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_of_the_reward_passes(preset):
    check_reward(preset)


@pytest.mark.parametrize(
    ("name", "message"),
    [("INFINITE", "inf"), ("FORGETS", "again|change")],
)
def test_a_bad_term_is_named(name, message):
    with pytest.raises(AssertionError, match=message):
        check_reward({f"{HERE}:{name}": 1.0})


@pytest.mark.parametrize("protocol", [*PROTOCOLS, {"verdict": "none", "stop": "never"}], ids=str)
def test_every_protocol_of_the_package_passes(protocol):
    check_protocol(protocol)


def test_a_request_that_tells_the_grade_is_named():
    with pytest.raises(AssertionError, match="tells the model"):
        check_protocol(f"{HERE}:TELLS")
