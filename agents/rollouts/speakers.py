"""Speakers: what says the next turn of every live conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from agents.engines.base import (
    Engine,
    Generation,
    Request,
    Sampling,
    is_truncated,
    open_session,
    reply,
)
from agents.rollouts.dialogue import in_view
from agents.rollouts.play import Game, Spoken
from srenv.conversation import Conversation, make_turn
from srenv.episode import Turn
from srenv.problems import grade

G = TypeVar("G", bound=Game)


class Requesting(Game, Protocol):
    """A game that knows what a model has to continue."""

    def request(self) -> Request:
        """Returns the conversation as the model reads it next."""
        ...


class ModelSpeaker:
    """A model, which continues each game as the game's `request` says.

    Args:
        engine: Generates.
        sampling: How tokens are drawn.
    """

    def __init__(self, engine: Engine, sampling: Sampling) -> None:
        self._chat, self._sampling = engine.chat, sampling
        self._session = open_session(engine, sampling)
        self.barrier = self._session.barrier

    def submit(self, game: Requesting) -> None:
        """Puts the game's request into the engine's queue."""
        self._session.submit(game.request())

    def collect(self) -> list[tuple[int, Spoken | Exception]]:
        """Returns the messages that are finished."""
        return [
            (key, self._spoken(result) if isinstance(result, Generation) else result)
            for key, result in self._session.collect()
        ]

    def _spoken(self, generation: Generation) -> Spoken:
        return Spoken(
            self._chat.turn_text(generation.ids),
            generation.count,
            generation,
            truncated=is_truncated(generation, self._sampling, self._chat),
        )

    def close(self) -> None:
        """Drops the requests that are not finished."""
        self._session.close()


class Rounds(Generic[G]):
    """A speaker that says the next turns of all live games at once, in the order of their keys.

    Args:
        speak: Says one turn for each of the games.
    """

    barrier = True

    def __init__(self, speak: Callable[[Sequence[G]], Sequence[Any]]) -> None:
        self._speak = speak
        self._games: list[G] = []

    def submit(self, game: G) -> None:
        """Keeps the game for the next round."""
        self._games.append(game)

    def collect(self) -> list[tuple[int, Any | Exception]]:
        """Speaks a round."""
        games, self._games = sorted(self._games, key=lambda game: game.key), []
        if not games:
            return []
        return [(game.key, spoken) for game, spoken in zip(games, self._speak(games), strict=True)]

    def close(self) -> None:
        """Drops the games of the next round."""
        self._games.clear()


def propose(
    engine: Engine,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    count: int,
    window: int | None = None,
) -> list[list[Turn]]:
    """Samples and grades `count` next turns of each conversation, without playing them.

    Args:
        engine: Generates.
        conversations: The conversations; they are not changed.
        sampling: How turns are drawn.
        count: Turns per conversation.
        window: Attempts in view; None shows all.
    """
    messages = [in_view(conversation.episode, window).messages for conversation in conversations]
    generations = iter(reply(engine, messages, sampling, count))
    return [
        [_turn(conversation, engine, next(generations)) for _ in range(count)]
        for conversation in conversations
    ]


def _turn(conversation: Conversation, engine: Engine, generation: Generation) -> Turn:
    text = engine.chat.turn_text(generation.ids)
    parsed = conversation.read(text)
    turn = make_turn(text, parsed, grade(conversation.problem, parsed.answer))
    turn.tokens = generation.count
    return turn
