"""A calculator that the model can call inside an attempt."""

from __future__ import annotations

import re
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.tools import ExpressionError, calculate, transform
from srenv.wrappers.common import core

INSTRUCTION = (
    "To calculate, end your message with one line that says [CALC] and a formula; the result comes "
    "back as [RESULT], and you go on."
)
_CALL = re.compile(r"\[(CALC|SYMPY)\] (.{1,1000})")


class CalculatorTool(gym.Wrapper[str, str, str, str], RecordConstructorArgs):
    r"""Lets the model calculate while it writes a turn.

    A message whose last non-empty line is ``[CALC] formula`` is not a turn yet. The formula is
    evaluated exactly (`srenv.tools.calculate`), ``[RESULT] value`` is appended, and the model's
    next message continues the same turn after the result. With `algebra`,
    ``[SYMPY] factor(x^2-1)`` asks SymPy (`srenv.tools.transform`, in a process of its own, under
    the verifier's limits). The turn that is scored and recorded is the whole text, results
    included.

    A call has no reward and does not end the episode; the observation after it ends with the
    unfinished turn. A call beyond `max_calls` of a turn ends the turn, which is then
    malformed. Every `info` has ``tool_calls``, the number of calls in the current or just finished
    turn, and ``tool_result``, the newest result or "".

    ``info["continuation"]`` is how any wrapper offers a tool to `agents.rollouts`: the text that it
    has appended to the model's unfinished message, or "" when the turn is complete. That text is
    the environment's and is never trained on.

    Args:
        env: A self-correction environment.
        max_calls: Calls per turn.
        algebra: Whether ``[SYMPY]`` is understood.

    Attributes:
        draft: The unfinished turn; empty when the next message starts one.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = CalculatorTool(gym.make("SelfCorrectMath-v0"))
        >>> _ = env.reset(seed=0)
        >>> observation, *_ = env.step("Let me see.\n[CALC] 12*7")
        >>> print(observation.rpartition("Assistant: ")[2])
        Let me see.
        [CALC] 12*7
        [RESULT] 84
        <BLANKLINE>
        >>> *_, info = env.step("\\boxed{84}\n[VERIFY] wrong")
        >>> info["turn"], info["answer"], info["tool_calls"]
        (1, '84', 1)
    """

    def __init__(self, env: gym.Env[str, str], max_calls: int = 8, algebra: bool = False) -> None:
        RecordConstructorArgs.__init__(self, max_calls=max_calls, algebra=algebra)
        gym.Wrapper.__init__(self, env)
        core(env)
        if max_calls < 1:
            raise ValueError(f"max_calls must be at least 1, got {max_calls}")
        self.max_calls = max_calls
        self.algebra = algebra
        self.draft = ""
        self._calls = 0
        self._info: dict[str, Any] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Starts an episode; an unfinished turn is dropped."""
        self.draft, self._calls = "", 0
        observation, self._info = self.env.reset(seed=seed, options=options)
        return observation, self._report("", "")

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answers a call, or plays the turn that this message completes."""
        if not self.draft:
            self._calls = 0
        text = self.draft + action if isinstance(action, str) else action
        call = self._call(text)
        if call is None:
            self.draft = ""
            observation, reward, terminated, truncated, self._info = self.env.step(text)
            return observation, float(reward), terminated, truncated, self._report("", "")
        self._calls += 1
        result = self._result(*call)
        continuation = f"[RESULT] {result}\n" if text.endswith("\n") else f"\n[RESULT] {result}\n"
        self.draft = text + continuation
        observation = f"{core(self.env).conversation.transcript}\n\nAssistant: {self.draft}"
        limit = self.observation_space.max_length  # type: ignore[attr-defined]
        return observation[-limit:], 0.0, False, False, self._report(result, continuation)

    def _call(self, text: Any) -> tuple[str, str] | None:
        """The call that a message ends with, if it may be made."""
        if not isinstance(text, str) or core(self.env).conversation.ended:
            return None  # the environment refuses both
        if self._calls >= self.max_calls or len(text) > core(self.env).max_turn_chars - 400:
            return None
        match = _CALL.fullmatch(text[-1100:].rstrip().rpartition("\n")[2].strip())
        if match is None or (match[1] == "SYMPY" and not self.algebra):
            return None
        return match[1], match[2]

    @staticmethod
    def _result(tool: str, formula: str) -> str:
        try:
            return calculate(formula) if tool == "CALC" else transform(formula)
        except ExpressionError as error:
            return f"error: {error}"

    def _report(self, result: str, continuation: str) -> dict[str, Any]:
        tool = {"tool_calls": self._calls, "tool_result": result, "continuation": continuation}
        return {**self._info, **tool}
