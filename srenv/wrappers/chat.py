"""Observations as chat messages."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from srenv.envs.env import SelfCorrectEnv
from srenv.envs.spaces import Chat, Messages
from srenv.episode import Episode
from srenv.parsing import MAX_TURN_CHARS
from srenv.wrappers.common import core


class ChatObservation(gym.ObservationWrapper[Messages, str, str], RecordConstructorArgs):
    """Observes the conversation as chat messages instead of plain text.

    An observation is a tuple of ``{"role": ..., "content": ...}``, as chat templates and servers
    take them, with new objects at every step. A chat longer than `max_chars` loses the beginning
    of its first message.

    Args:
        env: A self-correction environment.
        max_chars: Maximum number of characters in all contents together; None leaves room for
            every attempt at full length.

    Example:
        >>> import gymnasium as gym, srenv
        >>> env = ChatObservation(gym.make("SelfCorrectMath-v0"))
        >>> observation, _ = env.reset(seed=0)
        >>> [message["role"] for message in observation]
        ['user']
    """

    def __init__(self, env: gym.Env[str, str], max_chars: int | None = None) -> None:
        RecordConstructorArgs.__init__(self, max_chars=max_chars)
        gym.ObservationWrapper.__init__(self, env)
        self._space = chat_space(core(env), max_chars)
        self.observation_space = self._space

    def observation(self, observation: str) -> Messages:
        """Returns the messages of the current episode."""
        return chat_of(core(self.env).episode, self._space.max_chars)


def chat_space(env: SelfCorrectEnv, max_chars: int | None) -> Chat:
    """Returns the space of chats with as many attempts, of such lengths, as `env` allows."""
    messages = 2 * env.max_attempts + 1
    room = messages * max(env.max_turn_chars, MAX_TURN_CHARS)  # prompts may be longer than turns
    return Chat(messages, room if max_chars is None else max_chars)


def chat_of(episode: Episode, max_chars: int) -> Messages:
    """Returns copies of an episode's messages, cut from the front to `max_chars` characters."""
    messages: list[dict[str, Any]] = [dict(message) for message in episode.messages]
    excess = sum(len(message["content"]) for message in messages) - max_chars
    for message in messages:
        if excess <= 0:
            break
        cut = min(excess, len(message["content"]))
        message["content"] = message["content"][cut:]
        excess -= cut
    return tuple(messages)
