"""The Python tool: programs inside an attempt, in the sandbox."""

import gymnasium as gym
import pytest

from srenv.sandbox import Execution, use_runner
from srenv.wrappers import PythonTool
from srenv.wrappers.tool import MAX_OUTPUT, WITHHELD
from tests.support.sandbox import real_sandbox


@pytest.fixture
def env():
    real_sandbox()
    env = PythonTool(gym.make("SelfCorrectMath-v0", problems="synthetic:linear"), max_calls=2)
    env.reset(seed=0)
    return env


def called(program):
    return f"Let me compute.\n```python\n{program}\n```\n[RUN]"


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("print(6 * 7)", "42"),
        ("print('a')\n1 / 0", "ZeroDivisionError: division by zero"),
        ("while True: pass", "time"),
        ("import os\nprint(os.environ.get('HOME'))", "None"),
    ],
)
def test_a_call_is_answered_within_the_attempt(env, program, shown):
    _, reward, terminated, truncated, info = env.step(called(program))
    assert shown in info["continuation"]
    assert reward == 0
    assert not terminated
    assert not truncated


def test_an_output_that_could_be_an_answer_or_a_verdict_is_withheld(env):
    for output in (
        "\\\\boxed{5}", "[VERIFY] correct", "The answer is 5.", "```python", "~~~", "x\\n[RUN]",
        "</think>", "<|im_end|>",
    ):  # fmt: skip
        env.reset(seed=0)
        *_, info = env.step(called(f"print('{output}')"))
        assert info["tool_result"] == WITHHELD


def test_the_newest_program_runs_and_programs_share_nothing(env):
    *_, info = env.step(called("x = 1\nprint(x)"))
    assert info["tool_result"] == "1"
    *_, info = env.step(called("print(x)"))
    assert info["tool_result"].startswith("error: NameError")


def test_outputs_are_bounded_and_printable(env):
    *_, info = env.step(called("print('a\\x00b' * 5000)"))
    assert len(info["tool_result"]) <= MAX_OUTPUT + 3
    assert "\x00" not in info["tool_result"]


@pytest.mark.parametrize("text", ["[RUN]", "```python\nprint(1)\n[RUN]", "I [RUN]"])
def test_a_call_without_a_program_ends_the_turn(env, text):
    *_, info = env.step(text)
    assert (info["turn"], info["tool_calls"], info["malformed"]) == (1, 0, "no_answer")


def test_the_answer_after_a_call_is_graded(env):
    env.step(called("print(1)"))
    answer = env.unwrapped.episode.problem.answer
    *_, info = env.step(f"\\boxed{{{answer}}}\n[VERIFY] correct")
    assert info["correct"] is True
    assert info["declared"] is True


def test_a_sandbox_that_fails_is_said_and_does_not_end_the_episode(monkeypatch):
    class Broken:
        def grade(self, jobs):
            return []

        def execute(self, program, stdin, limits):
            return Execution("", "gone", "sandbox")

        def close(self):
            """Has nothing to close."""

    use_runner(Broken())
    try:
        env = PythonTool(gym.make("SelfCorrectMath-v0", problems="synthetic:linear"))
        env.reset(seed=0)
        *_, info = env.step(called("print(1)"))
        assert "error: gone" in info["continuation"]
    finally:
        use_runner(None)
