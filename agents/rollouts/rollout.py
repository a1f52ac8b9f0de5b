"""Plays episodes: an engine on one side, Gymnasium environments on the other.

There is no barrier between turns where the engine takes requests at any time (vLLM, servers): a
conversation steps its environment, in a thread, as soon as its message is there, and goes straight
back into the engine's queue; answers are verified while the engine works on the others. Engines
that only know whole batches get everything that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from agents.engines.base import Engine, Sampling, Session, open_session
from agents.rollouts.player import EnvFactory, Player, Rollout, find_tool, verdict_probability
from srenv.episode import Problem

__all__ = ["EnvFactory", "Rollout", "find_tool", "rollout", "verdict_probability"]

OnFinish = Callable[[Rollout], None]


def rollout(
    make_env: EnvFactory,
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    on_finish: OnFinish | None = None,
    *,
    keys: Sequence[int] | None = None,
    seed: int | None = None,
    threads: int = 8,
) -> list[Rollout]:
    """Plays one episode per problem, all side by side, and returns them in order.

    An episode that fails (its environment raises, its prompt is too long, the server refuses it)
    carries the reason in `error` and leaves the others alone. Whatever else interrupts the call,
    Ctrl-C or an exception in `on_finish`, cancels the requests that are still running.

    Args:
        make_env: Makes an environment whose unwrapped class is a `SelfCorrectEnv`.
        engine: Generates the turns.
        problems: One per episode; repeat a problem for a group.
        sampling: How turns are drawn.
        on_finish: Called in the calling thread with every episode as it ends, failed ones too.
        keys: Names of the episodes, on which all randomness rests; their positions when None.
        seed: Seeds the environments, each by its key; None leaves them unseeded.
        threads: Environments that are stepped at once.

    Raises:
        RuntimeError: Every episode failed.
    """
    names = list(range(len(problems))) if keys is None else list(keys)
    if len(set(names)) != len(problems):
        raise ValueError(f"{len(problems)} problems need as many different keys, got {names}")
    players = {
        key: Player(make_env(), problem, engine.chat, key, seed)
        for key, problem in zip(names, problems, strict=True)
    }
    session = open_session(engine, sampling)
    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="rollout") as pool:
            _drive(players, session, pool, on_finish or (lambda record: None))
    finally:
        session.close()
        for player in players.values():
            player.env.close()
    records = [players[key].record for key in names]
    if records and all(record.error for record in records):
        raise RuntimeError(f"every episode failed; the first: {records[0].error}")
    return records


def _drive(
    players: dict[int, Player], session: Session, pool: ThreadPoolExecutor, on_finish: OnFinish
) -> None:
    """Moves conversations between the engine and their environments until all have ended."""
    generating = set(players)
    stepping: dict[Future[None], int] = {}
    for player in players.values():
        session.submit(player.request())

    def fail(key: int, error: BaseException) -> None:
        players[key].record.error = f"{type(error).__name__}: {error}"
        on_finish(players[key].record)

    while generating or stepping:
        if stepping and (session.barrier or not generating):
            wait(stepping, return_when=ALL_COMPLETED if session.barrier else FIRST_COMPLETED)
        for future in [future for future in stepping if future.done()]:
            key = stepping.pop(future)
            if error := future.exception():
                fail(key, error)
            elif players[key].ended:
                on_finish(players[key].record)
            else:
                session.submit(players[key].request())
                generating.add(key)
        if generating:
            for key, result in session.collect():
                generating.discard(key)
                if isinstance(result, Exception):
                    fail(key, result)
                else:
                    stepping[pool.submit(players[key].play, result)] = key
