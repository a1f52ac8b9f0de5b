"""The environments that models are measured and trained in, with or without a tool."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import gymnasium as gym

from agents.rollouts.player import EnvFactory
from srenv.envs.env import ProtocolSpec, make_protocol
from srenv.protocol import Protocol
from srenv.wrappers import CalculatorTool, ChatObservation, PythonTool
from srenv.wrappers.tool import INSTRUCTION, PYTHON_INSTRUCTION, TurnTool

Tool = Literal["none", "calculator", "python"]
TOOLS: dict[Tool, tuple[Callable[[gym.Env[str, str]], TurnTool], str]] = {
    "calculator": (CalculatorTool, INSTRUCTION),
    "python": (PythonTool, PYTHON_INSTRUCTION),
}
"""The wrapper of each tool, and the sentence that tells a model about it."""


def environment_factory(
    max_attempts: int, protocol: ProtocolSpec = "default", tool: Tool = "none", **kwargs: Any
) -> EnvFactory:
    """Returns a maker of `SelfCorrectMath-v0` that is observed as chat messages.

    Args:
        max_attempts: Attempts per episode.
        protocol: How the model is asked.
        tool: ``"calculator"`` or ``"python"`` lets the model call one inside a turn; its results
            are the environment's words, and never trained on.
        **kwargs: Other arguments of the environment.
    """

    def make() -> gym.Env[Any, str]:
        wording: ProtocolSpec = protocol
        if tool in TOOLS:
            wording = dataclasses.asdict(with_tool(make_protocol(protocol), tool))
        env: gym.Env[str, str] = gym.make(
            "srenv:SelfCorrectMath-v0", max_attempts=max_attempts, protocol=wording, **kwargs
        )
        return ChatObservation(TOOLS[tool][0](env) if tool in TOOLS else env)

    return make


def with_tool(protocol: Protocol, tool: Tool) -> Protocol:
    """The protocol with a sentence about the tool in its instruction."""
    if tool == "none":
        return protocol
    return dataclasses.replace(protocol, instruction=f"{protocol.instruction} {TOOLS[tool][1]}")
