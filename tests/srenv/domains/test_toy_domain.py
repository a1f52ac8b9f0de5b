"""A toy domain (`tests.support.toy_domain`) plays, votes and is validated like math."""

from __future__ import annotations

import re

import gymnasium as gym
import pytest

import srenv
from srenv.commands.play import PlayConfig, play
from srenv.commands.validate import ValidateConfig, validate
from srenv.episode import Problem
from srenv.metrics import Outcomes
from srenv.testing import check_environment, check_source
from srenv.wrappers import BanditView
from tests.support.toy_domain import SOURCE


def start() -> tuple[gym.Env[str, str], Problem, str]:
    env = gym.make("SelfCorrectMath-v0", problems=SOURCE)
    observation, _ = env.reset(seed=0)
    return env, env.unwrapped.episode.problem, observation  # type: ignore[attr-defined]


def test_protocol_asks_for_the_answer_in_the_domains_form() -> None:
    _, problem, observation = start()
    assert observation.startswith(
        f"User: {problem.prompt}\nSolve the problem and give the answer in square brackets. Then"
    )


def test_environment_plays() -> None:
    env, problem, _ = start()
    text = f"Hm. [{problem.answer}x]\nNo.\n[VERIFY] wrong"
    *_, info = env.step(text)
    assert (info["answer"], info["correct"], info["verdict"]) == (
        f"{problem.answer}x", False, "wrong",
    )  # fmt: skip
    turn = env.unwrapped.episode.final  # type: ignore[attr-defined]
    assert text[: turn.split] == f"Hm. [{problem.answer}x]"
    # A verdict in brackets is no answer, and \boxed{} is nothing here.
    *_, info = env.step(f"\\boxed{{{problem.answer}}}\n[VERIFY] correct")
    assert info["malformed"] == "no_answer"
    *_, terminated, _, info = env.step(f"[{problem.answer.upper()}]\n[VERIFY] correct")
    assert terminated
    assert info["correct"]


def test_environment_keeps_the_contract() -> None:
    check_source(SOURCE)
    check_environment(problems=SOURCE)
    space = gym.make("SelfCorrectMath-v0", problems=SOURCE).action_space
    space.seed(0)
    assert any(re.match(r"\[\d+\]\n\[VERIFY\]", space.sample()) for _ in range(20))


def test_votes_join_answers_that_are_the_same() -> None:
    problem = srenv.load_problems(SOURCE).problem(0)
    right, wrong = problem.answer, "zzz"
    rules = srenv.Rules(srenv.Protocol(), 1)
    episodes = []
    for answer in (wrong, right, right.upper()):
        conversation = srenv.Conversation(problem, rules)
        conversation.step(f"[{answer}]\n[VERIFY] correct")
        episodes.append(conversation.episode)
    assert Outcomes.of_votes([episodes]).final.tolist() == [1.0]
    assert Outcomes.of_votes([episodes[:2]]).final.tolist() == [0.0]


def test_source_is_validated(capsys: pytest.CaptureFixture[str]) -> None:
    result = validate(ValidateConfig(SOURCE, n=20))
    assert dict(result.tried) == dict.fromkeys(
        ("gold", "attempt", "doubled", "last letter missing"), 20
    )
    assert result.failures == []


def test_bandit_writes_attempts_in_the_domains_form() -> None:
    env = BanditView(gym.make("SelfCorrectMath-v0", problems=SOURCE), skill=1.0, check=1.0)
    env.reset(seed=0)
    *_, terminated, _, info = env.step(3)
    assert (info["correct"], info["malformed"], terminated) == (False, "", False)
    *_, terminated, _, info = env.step(0)
    assert (info["correct"], terminated) == (True, True)


def test_person_plays_with_bare_answers(capsys: pytest.CaptureFixture[str]) -> None:
    lines = iter(["abc", "", "w", "cab", "", "c"])
    play(PlayConfig(problems=SOURCE, n=1, seed=0), lambda prompt: next(lines))
    printed = capsys.readouterr().out
    assert "[abc]" in printed
    assert "says correct" in printed
