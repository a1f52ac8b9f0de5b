"""The one loop that plays conversations: a speaker on one side, games on the other.

A game is a conversation in play: with its tokens in an environment (`agents.rollouts.player`), as
text (`agents.rollouts.dialogue`), or a solution that grows step by step. A speaker says the next
turn of every live game: a model, a model that reads its latest attempts alone, two models, two
messages of one (`agents.rollouts.speakers`).

There is no barrier between turns if the engine takes requests at any time (vLLM, servers): a game
hears its message in a thread as soon as the message is there, and goes straight back into the
engine's queue; answers are graded while the engine works on the others. Engines that know only
whole batches get everything that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from agents.engines.base import ContextError, Generation
from agents.rollouts.episode_log import EpisodeLog
from agents.runs.progress import console, progress_bar
from srenv.episode import Episode
from srenv.parsing import ParsedTurn
from srenv.problems.seeding import hashed_seed


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a speaker says: a turn, or one message of a turn that calls tools.

    Attributes:
        text: The text.
        tokens: Number of tokens generated for it.
        generation: Ids and log-probabilities, if one engine wrote it in one message.
        parsed: How the turn is read, if not as its protocol reads it.
        verdict_probability: Probability of the verdict's tokens, if the speaker knows it.
        truncated: Whether the limit on tokens ended it, if the speaker knows.
    """

    text: str
    tokens: int
    generation: Generation | None = None
    parsed: ParsedTurn | None = None
    verdict_probability: float | None = None
    truncated: bool | None = None


class Game(Protocol):
    """A conversation in play.

    Attributes:
        key: Its number among the games of a call, on which all its randomness rests.
        ended: Whether it is over.
    """

    key: int

    @property
    def ended(self) -> bool: ...  # noqa: D102

    def hear(self, spoken: Any) -> None:
        """Plays what the speaker said."""
        ...


class RecordedGame(Game, Protocol):
    """A game with an episode as its record."""

    @property
    def episode(self) -> Episode: ...  # noqa: D102


class Speaker(Protocol):
    """Says the next turn of live games; one call of `play` uses it and closes it.

    Attributes:
        barrier: Whether it speaks in rounds, so that a full round is worth waiting for.
    """

    barrier: bool

    def submit(self, game: Any) -> None:
        """Asks for the next turn of a game."""
        ...

    def collect(self) -> list[tuple[int, Any | Exception]]:
        """Returns what has been said since the last call, by the games' keys, maybe nothing."""
        ...

    def close(self) -> None:
        """Drops what has not been said."""
        ...


G = TypeVar("G", bound=Game)
R = TypeVar("R", bound=RecordedGame)


def play(
    games: Iterable[G],
    speaker: Speaker,
    on_finish: Callable[[G, Exception | None], None] | None = None,
    threads: int = 8,
) -> dict[int, Exception]:
    """Plays games to their ends.

    A game that fails (its environment raises, its prompt is too long, the server refuses it)
    leaves the others alone. Ctrl-C or an exception in `on_finish` cancels what is in progress.

    Args:
        games: The games, their keys distinct.
        speaker: Says their turns.
        on_finish: Called in the calling thread with every game as it ends, and why it failed.
        threads: Games that hear at once.

    Returns:
        Why games failed, by key.
    """
    live = {game.key: game for game in games if not game.ended}
    failures: dict[int, Exception] = {}
    stepping: dict[Future[None], int] = {}
    speaking = set(live)

    def finish(key: int, error: Exception | None) -> None:
        if error is not None:
            failures[key] = error
        if on_finish:
            on_finish(live[key], error)

    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="play") as pool:
            for game in live.values():
                speaker.submit(game)
            while speaking or stepping:
                if stepping and (speaker.barrier or not speaking):
                    wait(stepping, None, ALL_COMPLETED if speaker.barrier else FIRST_COMPLETED)
                for future in [future for future in stepping if future.done()]:
                    key = stepping.pop(future)
                    error = future.exception()
                    if isinstance(error, Exception) or live[key].ended:
                        finish(key, error if isinstance(error, Exception) else None)
                    else:
                        speaker.submit(live[key])
                        speaking.add(key)
                for key, spoken in speaker.collect() if speaking else []:
                    speaking.discard(key)
                    if isinstance(spoken, Exception):
                        finish(key, spoken)
                    else:
                        stepping[pool.submit(live[key].hear, spoken)] = key
    finally:
        speaker.close()
    return failures


def play_episodes(
    games: Sequence[R],
    speaker: Speaker,
    title: str,
    *,
    seed: int | None = None,
    log: Path | None = None,
) -> list[Episode]:
    """Plays games under a progress bar and returns their episodes, in order.

    A game whose prompt outgrows the model's context has failed, and says so in its record.

    Args:
        games: The games.
        speaker: Says their turns.
        title: Label of the progress bar.
        seed: Seeds torch's generator, which the transformers engine samples from; None leaves it.
        log: File to which every finished episode is appended; episodes that are in it already are
            not played again.

    Raises:
        RuntimeError: Episodes could not be played; the finished ones are in the log. Or none fits
            the model's context.
    """
    with EpisodeLog(log) if log else nullcontext() as file:
        done = dict(file.done) if file else {}
        if seed is not None:
            # Samples of a continued run must not repeat those of the run before it.
            torch.manual_seed(hashed_seed(seed, len(done)) % 2**63 if done else seed)
        with progress_bar(title, len(games)) as bar:
            bar.advance(len(done))

            def finish(game: R, error: Exception | None) -> None:
                if error is not None:
                    fail(game.episode, error)
                if file and (error is None or isinstance(error, ContextError)):
                    file.add(game.key, game.episode)
                bar.advance()

            errors = play([game for game in games if game.key not in done], speaker, finish)
    failures = {key: e for key, e in errors.items() if not isinstance(e, ContextError)}
    if failures:
        first = next(iter(failures.values()))
        rest = f"; the others are kept in {log}: add --resume to play the rest" if log else ""
        raise RuntimeError(
            f"{len(failures)} of {len(games)} episodes failed, the first with "
            f"{type(first).__name__}: {first}{rest}"
        ) from first
    episodes = [done.get(game.key, game.episode) for game in games]
    _warn_of_long_prompts(episodes)
    return episodes


def fail(episode: Episode, error: Exception) -> None:
    """Records that an episode could not be played on, and why."""
    episode.ending, episode.failure = "failed", str(error) or type(error).__name__


def _warn_of_long_prompts(episodes: Sequence[Episode]) -> None:
    """Prints how many episodes outgrew the context; raises if none had a first turn."""
    failures = [episode.failure for episode in episodes if episode.ending == "failed"]
    if not failures:
        return
    message = (
        f"{len(failures)} of {len(episodes)} episodes failed, the first with: {failures[0]}. Allow "
        "shorter turns or fewer attempts, or choose a model with a longer context"
    )
    if len(failures) == len(episodes) and not any(episode.turns for episode in episodes):
        raise RuntimeError(message)
    console.print(message, style="yellow", markup=False)
