"""``srenv serve``: the environment behind a port, for the clients of other frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import gymnasium as gym
from rich.console import Console


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """Serve the environment to OpenEnv clients, a session for each connection."""

    openenv: bool = False
    """Speak OpenEnv's protocol, the only one there is."""
    problems: str = "synthetic:linear"
    """Source of the problems (see `srenv.load_problems`)."""
    split: Literal["train", "eval"] = "train"
    """Split of the source."""
    max_attempts: int = 4
    """Attempts per problem."""
    reward: str = "default"
    """Reward preset, or "term=weight,..."."""
    protocol: str = "default"
    """Turn format by name, or "module:attribute"."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 accepts connections from other machines."""
    port: int = 8000
    """Port to listen on."""
    sessions: int = 256
    """Greatest number of sessions at once."""


def serve(config: ServeConfig) -> None:
    """Serves until it is interrupted.

    Raises:
        ValueError: No protocol was chosen, or an option of the environment is wrong.
        ImportError: OpenEnv is not installed.
    """
    if not config.openenv:
        raise ValueError("say which clients to serve: srenv serve --openenv")
    from srenv.integrations.openenv import make_app

    make_env = partial(
        gym.make,
        "srenv:SelfCorrectMath-v0",
        problems=config.problems,
        split=config.split,
        max_attempts=config.max_attempts,
        reward=config.reward,
        protocol=config.protocol,
    )
    make_env().close()  # a wrong option is refused here and not in the first session
    app = make_app(make_env, config.sessions)
    import uvicorn  # which the extra installs

    Console(highlight=False).print(
        f"{config.problems} for OpenEnv clients at http://{config.host}:{config.port}"
    )
    uvicorn.run(app, host=config.host, port=config.port, log_level="warning")
