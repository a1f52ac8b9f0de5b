"""What the model reads: the observations of a text environment, as a chat that grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from srenv.episode import Message


class ChatView:
    r"""The observations of one episode as chat messages.

    An observation is one of three things:

    * a sequence of messages (`srenv.wrappers.ChatObservation`): the whole chat so far;
    * text that continues the one before it by ``"\n\nAssistant: "`` and the turn (the plain text
      of `srenv`'s environments): a transcript, of which the rest is the environment's message;
    * any other text: the environment's next message alone.

    Args:
        observation: What `reset` returned.

    Attributes:
        messages: The chat so far.

    Raises:
        TypeError: The observation is neither text nor messages.
    """

    def __init__(self, observation: Any) -> None:
        self._observation = observation
        if isinstance(observation, str):
            self.messages = [_user(observation.removeprefix("User: "))]
        else:
            self.messages = _copies(observation)

    def update(self, turn: str, observation: Any) -> list[Message] | None:
        """Takes the observation after `turn`; returns the messages that the environment added.

        Returns:
            None if the observation changed messages that the model has read already.
        """
        before, self._observation = self._observation, observation
        known = [*self.messages, {"role": "assistant", "content": turn}]
        if isinstance(observation, str):
            self.messages = [*known, *_new_messages(before, turn, observation)]
            return self.messages[len(known) :]
        self.messages = _copies(observation)
        if len(self.messages) < len(known) or self.messages[: len(known) - 1] != known[:-1]:
            return None
        # The environment keeps the end of a turn that is longer than its limit.
        last = self.messages[len(known) - 1]
        same = last == known[-1] or _is_cut(turn, last)
        return self.messages[len(known) :] if same else None


def _new_messages(before: Any, turn: str, observation: str) -> list[Message]:
    """What a text observation adds after the turn."""
    if not isinstance(before, str) or not observation.startswith(f"{before}\n\nAssistant: "):
        return [_user(observation)]
    rest = observation[len(before) + len("\n\nAssistant: ") :]
    end = len(turn) if rest.startswith(turn) else _end_of_cut(turn, rest)
    reply = rest[end:].removeprefix("\n\nUser: ")
    return [_user(reply)] if reply else []


def _end_of_cut(turn: str, rest: str) -> int:
    """Returns the length of the end of `turn` that `rest` begins with, before a user's message."""
    end = rest.find("\n\nUser: ")
    while end > 0 and not turn.endswith(rest[:end]):
        end = rest.find("\n\nUser: ", end + 1)
    return max(end, 0)


def _is_cut(turn: str, message: Message) -> bool:
    return message["role"] == "assistant" and turn.endswith(message["content"])


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _copies(observation: Sequence[Message]) -> list[Message]:
    try:
        return [{"role": m["role"], "content": m["content"]} for m in observation]
    except (TypeError, KeyError) as error:
        raise TypeError(
            "rollouts need observations of text or of chat messages, got "
            f"{type(observation).__name__}: {error!r}"
        ) from error
