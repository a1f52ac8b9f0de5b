r"""OpenEnv: a server of self-correction sessions, its typed client, and the client as a `gym.Env`.

    srenv serve --openenv --problems synthetic:linear

    with SelfCorrectClient(base_url="http://localhost:8000").sync() as client:
        result = client.reset(seed=0)
        result = client.step(TurnAction(text="\\boxed{12}\n[VERIFY] correct"))

A WebSocket connection is a session with an environment of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym

from srenv.envs.spaces import Chat, Messages, UnicodeText
from srenv.parsing import MAX_TURN_CHARS
from srenv.wrappers import ChatObservation
from srenv.wrappers.common import core

try:
    from openenv.core import EnvClient
    from openenv.core.client_types import StepResult
    from openenv.core.env_server import Action, Environment, Observation, State, create_fastapi_app
    from pydantic import Field
except ModuleNotFoundError as error:
    raise ImportError('OpenEnv is missing: pip install "srenv[openenv]"') from error

MAX_CHARS = 1 << 24
"""Greatest length of a chat in the space of `RemoteEnv`, which does not know the server's."""


class TurnAction(Action):  # type: ignore[misc]
    """One turn of the model."""

    text: str = Field(description="An attempt, and the verdict on it as the last line")


class TurnObservation(Observation):  # type: ignore[misc]
    """The conversation after a turn; ``metadata`` is the info of `SelfCorrectMath-v0`.

    The observation of an ended episode is its whole conversation: `done` is true, and nothing is
    reset until the client asks.
    """

    messages: list[dict[str, str]] = Field(description="The chat so far: role and content")
    terminated: bool = Field(False, description="Whether the rules ended the episode")
    truncated: bool = Field(False, description="Whether the attempts ran out")


class SelfCorrectState(State):  # type: ignore[misc]
    """What a session is at; `step_count` is the number of turns in the episode."""

    problem_id: str = Field("", description="The current problem; empty before the first reset")
    ending: str = Field("", description="How the episode ended, or running")


class SelfCorrectServerEnv(Environment):  # type: ignore[misc]
    """OpenEnv's interface around `SelfCorrectMath-v0`.

    Args:
        make_env: Makes the environment.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, make_env: Callable[[], gym.Env[str, str]]) -> None:
        super().__init__()
        self.env = ChatObservation(make_env())
        self.episode_id: str | None = None

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        problem_id: str | None = None,
    ) -> TurnObservation:
        """Starts an episode on the next problem.

        Args:
            seed: Seeds the problems from here on, as in Gymnasium.
            episode_id: The client's name for the episode; one is made up if None.
            problem_id: Names the problem; it is the next one that is drawn if None.

        Raises:
            KeyError: The source has no such problem.
        """
        options = {} if problem_id is None else {"problem_id": problem_id}
        messages, info = self.env.reset(seed=seed, options=options)
        self.episode_id = episode_id or str(uuid.uuid4())
        return TurnObservation(messages=list(messages), metadata=info)

    def step(self, action: TurnAction, timeout_s: float | None = None, **_: Any) -> TurnObservation:
        """Plays one turn.

        Args:
            action: The turn.
            timeout_s: Not used: grading has limits of its own.
            **_: What else clients may say.

        Raises:
            ResetNeeded: The episode is over, or there is none.
            ValueError: The turn cannot be encoded as UTF-8.
        """
        action.text.encode()  # a lone surrogate could be played, but not sent back
        messages, reward, terminated, truncated, info = self.env.step(action.text)
        return TurnObservation(
            messages=list(messages),
            reward=float(reward),
            done=terminated or truncated,
            terminated=terminated,
            truncated=truncated,
            metadata=info,
        )

    @property
    def state(self) -> SelfCorrectState:
        """The state of the session; it does not hold the gold answer."""
        if self.episode_id is None:
            return SelfCorrectState()
        episode = core(self.env).episode
        return SelfCorrectState(
            episode_id=self.episode_id,
            step_count=len(episode.turns),
            problem_id=episode.problem.id,
            ending=episode.ending,
        )

    def close(self) -> None:
        """Closes the environment."""
        self.env.close()


def make_app(make_env: Callable[[], gym.Env[str, str]], sessions: int = 256) -> Any:
    """Returns the server as a FastAPI application.

    Args:
        make_env: Makes the environment of a session.
        sessions: Greatest number of sessions at once; further clients are refused. A session ends
            a moment after its client has closed it, so leave room.
    """
    return create_fastapi_app(
        partial(SelfCorrectServerEnv, make_env),
        TurnAction,
        TurnObservation,
        max_concurrent_envs=sessions,
        env_name="srenv",
        state_cls=SelfCorrectState,
    )


class SelfCorrectClient(EnvClient[TurnAction, TurnObservation, SelfCorrectState]):  # type: ignore[misc]
    """The typed client of the server; ``.sync()`` is the one without ``await``."""

    def _step_payload(self, action: TurnAction) -> dict[str, Any]:
        return {"text": action.text}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[TurnObservation]:
        reward, done = payload["reward"], payload["done"]
        observation = TurnObservation(**payload["observation"], reward=reward, done=done)
        return StepResult(observation, reward, done, observation.metadata)

    def _parse_state(self, payload: dict[str, Any]) -> SelfCorrectState:
        return SelfCorrectState(**payload)


class RemoteEnv(gym.Env[Messages, str]):
    """A session on a server as a Gymnasium environment with chat messages for observations.

    What trains on environments thus trains on servers, with the server's info and so with credit
    per segment.

    Args:
        base_url: Address of the server, such as ``http://localhost:8000``.
    """

    def __init__(self, base_url: str) -> None:
        self.observation_space = Chat(max_chars=MAX_CHARS)
        self.action_space = UnicodeText(MAX_TURN_CHARS)
        self._client = SelfCorrectClient(base_url=base_url).sync()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Messages, dict[str, Any]]:
        """Starts an episode; the one option is ``"problem_id"``.

        Raises:
            ValueError: There is another option: a server has problems of its own.
        """
        if unknown := set(options or {}) - {"problem_id"}:
            raise ValueError(
                f"a server takes no reset options {sorted(unknown)}: start from seeds, or name a "
                "problem of its source by 'problem_id'"
            )
        result = self._client.reset(seed=seed, **(options or {}))
        return tuple(result.observation.messages), result.observation.metadata

    def step(self, action: str) -> tuple[Messages, float, bool, bool, dict[str, Any]]:
        """Plays one turn."""
        result = self._client.step(TurnAction(text=action))
        seen = result.observation
        return (
            tuple(seen.messages),
            float(result.reward),
            seen.terminated,
            seen.truncated,
            seen.metadata,
        )

    def close(self) -> None:
        """Ends the session."""
        self._client.close()
