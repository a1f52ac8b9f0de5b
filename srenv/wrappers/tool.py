"""Tools that the model can call inside an attempt: a calculator, and Python in the sandbox."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.domains import find_domain
from srenv.domains.fences import find_program
from srenv.sandbox import Limits, default_runner
from srenv.tools import ExpressionError, calculate, transform
from srenv.wrappers.common import core

INSTRUCTION = (
    "To calculate, end your message with one line that says [CALC] and a formula; the result comes "
    "back as [RESULT], and you go on."
)
PYTHON_INSTRUCTION = (
    "To run Python, end your message with a program in a ```python block and, after it, one line "
    "that says [RUN]; what it prints comes back as [OUTPUT], and you go on."
)
MAX_OUTPUT = 1000
"""Characters of a program's output that are shown."""
WITHHELD = "error: the output looks like an answer or a verdict; print plain values"
_RESERVED = re.compile(r"```|~~~|\[(?:VERIFY|OUTPUT|RESULT|RUN|CALC|SYMPY)\]|boxed|think>|<\||\|>")
_CALL = re.compile(r"\[(CALC|SYMPY)\] (.{1,1000})")


class TurnTool(gym.Wrapper[str, str, str, str], ABC):
    """A tool inside a turn: a message that ends in a call is not a turn yet.

    What the tool answers is appended to the message, and the model's next message continues the
    same turn. The turn that is scored and recorded is the whole text, results included.

    A call has no reward and does not end the episode; the observation after it ends with the
    unfinished turn. A call beyond `max_calls` of a turn ends the turn, which is then
    malformed unless it has an answer and a verdict. Every `info` has ``tool_calls``, the number of
    calls in the current or just finished turn, and ``tool_result``, the newest result or "".

    ``info["continuation"]`` is how any wrapper offers a tool to `agents.rollouts`: the text that it
    has appended to the model's unfinished message, or "" when the turn is complete. That text is
    the environment's and is never trained on.

    Attributes:
        draft: The unfinished turn; empty when the next message starts one.
    """

    room = 400
    """Characters of a turn that are kept free for a result."""
    label = "[RESULT] "
    """Precedes a result."""

    def __init__(self, env: gym.Env[str, str], max_calls: int) -> None:
        gym.Wrapper.__init__(self, env)
        core(env)
        if max_calls < 1:
            raise ValueError(f"max_calls must be at least 1, got {max_calls}")
        self.max_calls = max_calls
        self.draft = ""
        self._calls = 0
        self._info: dict[str, Any] = {}

    @abstractmethod
    def find_call(self, text: str) -> str | None:
        """Returns the call that an unfinished turn ends with; None if it ends with none."""

    @abstractmethod
    def answer(self, call: str) -> str:
        """Returns the result of a call, or ``error: ...``."""

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
        call = self.find_call(text) if self._may_call(text) else None
        if call is None:
            self.draft = ""
            observation, reward, terminated, truncated, self._info = self.env.step(text)
            return observation, float(reward), terminated, truncated, self._report("", "")
        self._calls += 1
        result = self.answer(call)
        start = "" if text.endswith("\n") else "\n"
        continuation = f"{start}{self.label}{result}\n"
        self.draft = text + continuation
        observation = f"{core(self.env).conversation.transcript}\n\nAssistant: {self.draft}"
        limit = self.observation_space.max_length  # type: ignore[attr-defined]
        return observation[-limit:], 0.0, False, False, self._report(result, continuation)

    def _may_call(self, text: Any) -> bool:
        if not isinstance(text, str) or core(self.env).conversation.ended:
            return False  # the environment refuses both
        return (
            self._calls < self.max_calls and len(text) <= core(self.env).max_turn_chars - self.room
        )

    def _report(self, result: str, continuation: str) -> dict[str, Any]:
        tool = {"tool_calls": self._calls, "tool_result": result, "continuation": continuation}
        return {**self._info, **tool}


class CalculatorTool(TurnTool, RecordConstructorArgs):
    r"""Lets the model calculate while it writes a turn.

    A message whose last non-empty line is ``[CALC] formula`` is a call (see `TurnTool`). The
    formula is evaluated exactly (`srenv.tools.calculate`), ``[RESULT] value`` is appended, and the
    model's next message continues the same turn after the result. With `algebra`,
    ``[SYMPY] factor(x^2-1)`` asks SymPy (`srenv.tools.transform`, in a process of its own, under
    the verifier's limits).

    Args:
        env: A self-correction environment.
        max_calls: Calls per turn.
        algebra: Whether ``[SYMPY]`` is understood.

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
        TurnTool.__init__(self, env, max_calls)
        self.algebra = algebra

    def find_call(self, text: str) -> str | None:
        """Returns the last line if it is a call."""
        line = text[-1100:].rstrip().rpartition("\n")[2].strip()
        match = _CALL.fullmatch(line)
        return None if match is None or (match[1] == "SYMPY" and not self.algebra) else line

    def answer(self, call: str) -> str:
        """Returns the value of a formula."""
        tool, _, formula = call.partition(" ")
        try:
            return calculate(formula) if tool == "[CALC]" else transform(formula)
        except ExpressionError as error:
            return f"error: {error}"


class PythonTool(TurnTool, RecordConstructorArgs):
    r"""Lets the model run Python while it writes a turn, in the sandbox (`srenv.sandbox`).

    A message whose last non-empty line is ``[RUN]`` is a call (see `TurnTool`): the last complete
    fenced program since the newest result runs, without input, and ``[OUTPUT]`` and what it prints
    is appended. Programs share nothing. An output that could be taken for an answer, a verdict or
    a program is withheld, because it becomes part of the turn.

    Args:
        env: A self-correction environment.
        max_calls: Calls per turn.
        seconds: Wall-clock limit of a program.

    Raises:
        SandboxUnavailable: Programs cannot be run here; the message says why and what to do.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = PythonTool(gym.make("SelfCorrectMath-v0"))
        >>> _ = env.reset(seed=0)
        >>> *_, info = env.step("Let me see.\n```python\nprint(12*7)\n```\n[RUN]")
        >>> info["continuation"]
        '\n[OUTPUT]\n84\n'
        >>> *_, info = env.step("\\boxed{84}\n[VERIFY] wrong")
        >>> info["turn"], info["answer"], info["tool_calls"]
        (1, '84', 1)
    """

    room = MAX_OUTPUT + 400
    label = "[OUTPUT]\n"

    def __init__(self, env: gym.Env[str, str], max_calls: int = 8, seconds: float = 5.0) -> None:
        RecordConstructorArgs.__init__(self, max_calls=max_calls, seconds=seconds)
        TurnTool.__init__(self, env, max_calls)
        find_domain("code").prepare()
        self.seconds = seconds

    def find_call(self, text: str) -> str | None:
        """Returns the newest program if the last line is the call."""
        body, _, line = text.rstrip().rpartition("\n")
        if line.strip() != "[RUN]":
            return None
        program = find_program(body[len(self.draft) :])
        return None if program is None else program.code

    def answer(self, call: str) -> str:
        """Returns what a program prints, or the last line of its error."""
        execution = default_runner().execute(call, "", Limits(seconds=self.seconds))
        output = execution.output.rstrip()
        if execution.reason != "passed":
            error = execution.error.strip().rpartition("\n")[2]
            output = f"{output}\nerror: {error or execution.reason}".lstrip("\n")
        if len(output) > MAX_OUTPUT:
            output = f"{output[:MAX_OUTPUT]}..."
        output = _printable(output)
        return WITHHELD if self._could_answer(output) else output

    def _could_answer(self, output: str) -> bool:
        """Returns whether an output could count as an answer, a verdict, a call or a fence."""
        inner = core(self.env)
        parsed = inner.protocol.parse(output, inner.conversation.problem)
        return (
            parsed.answer_source in ("form", "marked")
            or parsed.verdict is not None
            or _RESERVED.search(output) is not None
        )


def _printable(output: str) -> str:
    """Returns an output without control characters and lone surrogates."""
    kept = (char for char in output if char in "\n\t" or char.isprintable())
    return "".join(kept)
