"""Rollouts: episodes with their tokens, played by an engine in Gymnasium environments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.engines.base import Engine, Sampling
from agents.rollouts.play import fail, play
from agents.rollouts.player import EnvFactory, Player, Rollout
from agents.rollouts.speakers import ModelSpeaker
from srenv.episode import Problem

OnFinish = Callable[[Rollout], None]


def rollout(
    make_env: EnvFactory,
    engine: Engine,
    starts: Sequence[Problem | int],
    sampling: Sampling,
    on_finish: OnFinish | None = None,
    *,
    keys: Sequence[int] | None = None,
    seed: int | None = None,
    threads: int = 8,
) -> list[Rollout]:
    """Plays one episode per start, all concurrently, and returns them in order.

    An episode that fails (its environment raises, its prompt is too long, the server refuses it)
    carries the reason in `error` and leaves the others alone. Ctrl-C or an exception in `on_finish`
    cancels the requests in progress.

    Args:
        make_env: Makes an environment with text in and text, or chat messages, out.
        engine: Generates the turns.
        starts: What the episodes start from: problems, for `srenv`'s environments, or the seeds of
            any others; repeat one for a group.
        sampling: How turns are drawn.
        on_finish: Called in the calling thread with every episode as it ends, failed ones too.
        keys: Names of the episodes, on which all their randomness rests; their positions if None.
        seed: Seeds the environments that start from problems, each by its key; None leaves them
            unseeded.
        threads: Environments that are stepped at once.

    Raises:
        RuntimeError: Every episode failed.
    """
    names = list(range(len(starts))) if keys is None else list(keys)
    if len(set(names)) != len(starts):
        raise ValueError(f"{len(starts)} starts need as many different keys, got {names}")
    players = [
        Player(make_env(), start, engine.chat, key, seed)
        for key, start in zip(names, starts, strict=True)
    ]

    def finish(player: Player, error: Exception | None) -> None:
        if error is not None:
            player.record.error = f"{type(error).__name__}: {error}"
            fail(player.record.episode, error)
        if on_finish:
            on_finish(player.record)

    try:
        play(players, ModelSpeaker(engine, sampling), finish, threads)
    finally:
        for player in players:
            player.env.close()
    records = [player.record for player in players]
    if records and all(record.error for record in records):
        raise RuntimeError(f"every episode failed; the first: {records[0].error}")
    return records
