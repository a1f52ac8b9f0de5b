"""Access to the environment under a stack of wrappers."""

from __future__ import annotations

from typing import Any

from srenv.envs.env import SelfCorrectEnv


def core(env: Any) -> SelfCorrectEnv:
    """Returns the `SelfCorrectEnv` that `env` wraps.

    Raises:
        TypeError: `env` wraps another environment.
    """
    inner = env.unwrapped
    if not isinstance(inner, SelfCorrectEnv):
        raise TypeError(
            f"this wrapper needs a self-correction environment, got {type(inner).__name__}; "
            "for vector environments see srenv.wrappers.vector"
        )
    return inner
