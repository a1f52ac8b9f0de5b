"""`SelfCorrectCode-v0`: programs in the environment; hidden tests stay hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from srenv.problems import ListSource, register_source
from srenv.sandbox import Job, Outcome, SandboxUnavailable
from tests.support.programs import DOUBLE, ECHO, SECRET, block, use_canned
from tests.support.sandbox import real_sandbox

register_source("test_tasks", lambda spec: ListSource(spec.text, spec.split, [DOUBLE, ECHO]))


def make(**kwargs: Any) -> gym.Env[str, str]:
    return gym.make("srenv:SelfCorrectCode-v0", problems="test_tasks:all", **kwargs)


def fails(job: Job) -> Outcome:
    return Outcome(False, "failed", f"AssertionError: {SECRET}, expected 42")


def test_nothing_of_the_hidden_tests_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    use_canned(monkeypatch, fails)
    env = make(max_attempts=3)
    seen = [env.reset(seed=0, options={"problem_id": "double"})]
    for code in ("def f(x):\n    return x", "def f(", "return 3"):
        seen.append(env.step(block(code)))
    for part in seen:
        assert SECRET not in repr(part)
        assert "42" not in repr(part)
        assert "expected" not in repr(part)


def test_the_prompt_asks_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    use_canned(monkeypatch, fails)
    observation, _ = make().reset(seed=0, options={"problem_id": "double"})
    assert observation == (
        f"User: {DOUBLE.prompt}\nWrite the program and give it as one Python program in a fenced "
        "block, ```python. Then check it, and end with one line that says [VERIFY] correct or "
        "[VERIFY] wrong."
    )


def test_a_sandbox_that_fails_leaves_the_turn_ungraded(monkeypatch: pytest.MonkeyPatch) -> None:
    use_canned(monkeypatch, lambda job: Outcome(None, "sandbox"))
    env = make()
    env.reset(seed=0)
    _, reward, *_, info = env.step(block("x = 1"))
    assert (info["graded"], info["correct"], reward) == (False, False, 0.0)


def test_the_vector_environment_grades_a_step_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = use_canned(monkeypatch, fails)
    envs = gym.make_vec("srenv:SelfCorrectCode-v0", 4, problems="test_tasks:all")
    envs.reset(seed=0)
    *_, info = envs.step(tuple(block(f"x = {n}") for n in range(4)))
    assert [len(batch) for batch in runner.batches] == [4]
    assert np.array_equal(info["correct"], [False] * 4)


def test_without_a_sandbox_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise SandboxUnavailable("no bubblewrap: install it")

    monkeypatch.setattr("srenv.domains.code.default_runner", unavailable)
    with pytest.raises(SandboxUnavailable, match="install it"):
        make()
    with pytest.raises(SandboxUnavailable, match="install it"):
        gym.make_vec("srenv:SelfCorrectCode-v0", 2, problems="test_tasks:all")


def test_an_episode_is_played_with_a_sandbox() -> None:
    real_sandbox()
    env = make()
    env.reset(seed=0, options={"problem_id": "double"})
    observation, _, terminated, _, info = env.step(block("def f(x):\n    return x"))
    assert (terminated, info["correct"], info["verdict"]) == (False, False, "wrong")
    assert observation.endswith("and reply in the same form.")
    assert "Your program on" not in observation
    _, reward, terminated, _, info = env.step(block("return 2 * x", "correct"))
    assert terminated
    assert info["correct"]
    assert reward > 0


def test_code_public_shows_the_examples_and_nothing_else() -> None:
    real_sandbox()
    env = make(protocol="code_public")
    env.reset(seed=0, options={"problem_id": "double"})
    observation, *_ = env.step(block("def f(x):\n    return x + 2"))
    assert observation.rpartition("User: ")[2].startswith(
        "Your program on the examples:\nf(2): 4, as expected\nf(-1): 1, expected -2\n"
        "There might be an error in the program above."
    )
    assert SECRET not in observation
    observation, *_ = env.step("I give up.\n[VERIFY] wrong")
    assert observation.rpartition("User: ")[2].startswith("There might be")


def test_a_printed_placeholder_is_not_filled_in() -> None:
    real_sandbox()
    env = make(protocol="code_public")
    env.reset(seed=0, options={"problem_id": "double"})
    observation, *_ = env.step(block("def f(x):\n    return '{form}'"))
    assert "f(2): '{form}', expected 4" in observation


def test_rows_of_a_file_are_played(tmp_path: Path) -> None:
    real_sandbox()
    path = tmp_path / "tasks.jsonl"
    row = {"problem": ECHO.prompt, "answer": ECHO.answer, "cases": ECHO.data["cases"]}
    path.write_text(json.dumps(row))
    env = gym.make("srenv:SelfCorrectCode-v0", problems=f"jsonl:{path}?domain=code")
    env.reset(seed=0)
    *_, info = env.step(block(ECHO.answer, "correct"))
    assert info["correct"]
