"""The environments that models are measured and trained in, with or without a tool."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import gymnasium as gym

from agents.rollouts.player import EnvFactory
from srenv.envs.env import ProtocolSpec, make_protocol
from srenv.protocol import Protocol
from srenv.wrappers import CalculatorTool, ChatObservation
from srenv.wrappers.tool import INSTRUCTION

Tool = Literal["none", "calculator"]


def environment_factory(
    max_attempts: int, protocol: ProtocolSpec = "default", tool: Tool = "none", **kwargs: Any
) -> EnvFactory:
    """Returns a maker of `SelfCorrectMath-v0` that is observed as chat messages.

    Args:
        max_attempts: Attempts per episode.
        protocol: How the model is asked.
        tool: ``"calculator"`` lets the model call one inside a turn; its results are the
            environment's words, and never trained on.
        **kwargs: Other arguments of the environment.
    """

    def make() -> gym.Env[Any, str]:
        wording: ProtocolSpec = protocol
        if tool == "calculator":
            wording = dataclasses.asdict(with_tool(make_protocol(protocol), tool))
        env: gym.Env[str, str] = gym.make(
            "srenv:SelfCorrectMath-v0", max_attempts=max_attempts, protocol=wording, **kwargs
        )
        return ChatObservation(CalculatorTool(env) if tool == "calculator" else env)

    return make


def with_tool(protocol: Protocol, tool: Tool) -> Protocol:
    """The protocol with a sentence about the tool in its instruction."""
    if tool == "none":
        return protocol
    return dataclasses.replace(protocol, instruction=f"{protocol.instruction} {INSTRUCTION}")
