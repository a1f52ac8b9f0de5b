"""Plays conversations on for a few turns, in view of their most recent attempts alone.

`agents.rollouts.rollout` keeps every token for training and shows the model the whole conversation.
 Here conversations are text: they can be stopped, looked at, continued by another
engine, and shown through a sliding window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.engines import Engine, Generation, Sampling, reply
from srenv.conversation import Conversation, make_turn
from srenv.episode import Episode, Message, Turn
from srenv.problems import grade


def unroll(
    engine: Engine,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    turns: int,
    window: int | None = None,
    on_turn: Callable[[], object] | None = None,
) -> None:
    """Plays up to `turns` more turns of each conversation that has not ended.

    Args:
        engine: Generates the turns.
        conversations: Changed in place.
        sampling: How turns are drawn.
        turns: Greatest number of turns played.
        window: How many attempts stay in view; None shows all.
        on_turn: Called after every round of turns, for progress bars.
    """
    for _ in range(turns):
        live = [c for c in conversations if not c.ended]
        for conversation, (turn,) in zip(
            live, propose(engine, live, sampling, 1, window), strict=True
        ):
            conversation.step(turn.text).tokens = turn.tokens
        if on_turn:
            on_turn()


def propose(
    engine: Engine,
    conversations: Sequence[Conversation],
    sampling: Sampling,
    count: int,
    window: int | None = None,
) -> list[list[Turn]]:
    """Samples and checks `count` next turns of each conversation, without playing them."""
    shown = [in_view(conversation.episode, window).messages for conversation in conversations]
    replies = iter(reply(engine, shown, sampling, count))
    return [
        [_turn(conversation, engine, next(replies)) for _ in range(count)]
        for conversation in conversations
    ]


def in_view(episode: Episode, window: int | None) -> Episode:
    """The episode as the model sees it: the problem, and the last `window` attempts."""
    if window is None or len(episode.turns) <= window:
        return episode
    opening = episode.messages[:1]
    # From the problem on, every attempt is one message and the reply to it another.
    hidden = 2 * (len(episode.turns) - window)
    rest: list[Message] = episode.messages[1 + hidden :]
    return Episode(episode.problem, opening + rest, episode.turns[hidden // 2 :], episode.ending)


def _turn(conversation: Conversation, engine: Engine, generation: Generation) -> Turn:
    text = engine.chat.turn_text(generation.ids)
    parsed = conversation.read(text)
    turn = make_turn(text, parsed, grade(conversation.problem, parsed.answer))
    turn.tokens = generation.count
    return turn
