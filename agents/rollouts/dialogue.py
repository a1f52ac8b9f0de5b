"""Conversations played as text: they can be stopped, continued, and shown through a window.

`agents.rollouts.player` keeps every token for training and plays in an environment. A dialogue
keeps the text alone: it can be looked at, continued by another model, and shown to the model
without its older attempts.
"""

from __future__ import annotations

from agents.engines.base import Request
from agents.models.chat import ChatFormat
from agents.rollouts.play import Spoken
from srenv.conversation import Conversation
from srenv.episode import Episode, Message
from srenv.problems import grade


class Dialogue:
    """A game of text.

    Args:
        conversation: The conversation; it is played in place.
        chat: The engine's chat format.
        key: Names the game.
        turns: Number of turns after which the game stops, those played before included; None
            plays until the conversation ends.
        window: Number of attempts in view; None shows all.
    """

    def __init__(
        self,
        conversation: Conversation,
        chat: ChatFormat,
        key: int,
        turns: int | None = None,
        window: int | None = None,
    ) -> None:
        self.conversation, self.chat, self.key = conversation, chat, key
        self.turns, self.window = turns, window

    @property
    def episode(self) -> Episode:
        """The record."""
        return self.conversation.episode

    @property
    def ended(self) -> bool:
        """Whether the conversation has ended, or its number of turns has been played."""
        enough = self.turns is not None and len(self.episode.turns) >= self.turns
        return self.conversation.ended or enough

    def request(self) -> Request:
        """What the model has to continue."""
        messages = in_view(self.episode, self.window).messages
        return Request(self.key, self.chat.opening(messages), messages)

    def hear(self, spoken: Spoken) -> None:
        """Plays a turn."""
        parsed = spoken.parsed or self.conversation.read(spoken.text)
        graded = grade(self.conversation.problem, parsed.answer)
        turn = self.conversation.settle(spoken.text, parsed, graded)
        turn.tokens, turn.truncated = spoken.tokens, spoken.truncated
        turn.verdict_probability = spoken.verdict_probability


def in_view(episode: Episode, window: int | None) -> Episode:
    """Returns the episode as the model sees it: the problem, and the last `window` attempts."""
    if window is None or len(episode.turns) <= window:
        return episode
    # From the problem on, every attempt is one message and the reply to it another.
    hidden = len(episode.turns) - window
    first = next(i for i, message in enumerate(episode.messages) if message["role"] == "assistant")
    messages: list[Message] = [*episode.messages[:first], *episode.messages[first + 2 * hidden :]]
    return Episode(episode.problem, messages, episode.turns[hidden:], episode.ending)
