"""``srenv regrade EPISODES``: grades stored episodes again and lists the grades that changed.

Episodes keep the grades of the day they were played. A later verifier, domain or checker may
grade otherwise.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from srenv.episode import Episode, Turn, read_episodes, write_episodes
from srenv.problems import grade_batch
from srenv.verifier import Grade

CHUNK = 256
"""Number of episodes that are graded together."""

_WORDS = {True: "right", False: "wrong", None: "undecided"}


@dataclass(frozen=True, slots=True)
class RegradeConfig:
    """Grades stored episodes again."""

    episodes: Annotated[Path, tyro.conf.Positional]
    """The file of episodes, as JSON Lines."""
    output: Path | None = None
    """Write the episodes to this file with the new grades. Rewards and endings stay as they were
    played: they belong to the policy that was trained on them."""
    show: int = 50
    """Number of changed grades to print."""
    import_: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="import", metavar="MODULE")
    ] = ()
    """Import this module first, which registers checkers or domains of your own; may be repeated.
    A file of episodes names them, and nothing that it names is imported."""
    fail_on_change: bool = False
    """Exit with status 1 when a grade changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A turn whose grade changed.

    Attributes:
        episode: Number of the episode in the file, from 1.
        turn: Number of the turn, from 1.
        gold: The gold answer.
        answer: The answer of the turn.
        before: The stored grade.
        after: The new grade.
    """

    episode: int
    turn: int
    gold: str
    answer: str | None
    before: Grade
    after: Grade


@dataclass(slots=True)
class Regraded:
    """Counts and changes of a regrading.

    Attributes:
        turns: Number of turns that were graded.
        changes: The turns whose grade changed.
    """

    turns: int = 0
    changes: list[Change] = field(default_factory=list)


def grade_episodes(episodes: Iterable[Episode]) -> list[list[Grade]]:
    """Grades every turn of some episodes in one batch.

    Raises:
        ValueError: A problem names a checker or a domain that is not registered.
    """
    episodes = list(episodes)
    turns = [(episode.problem, turn.answer) for episode in episodes for turn in episode.turns]
    grades = iter(grade_batch([p for p, _ in turns], [answer for _, answer in turns]))
    return [[next(grades) for _ in episode.turns] for episode in episodes]


def regrade_episodes(episodes: Iterable[Episode], result: Regraded) -> Iterator[Episode]:
    """Yields episodes with new grades, and adds the changes to `result`."""
    source = iter(episodes)
    number = 0
    while chunk := list(islice(source, CHUNK)):
        for episode, grades in zip(chunk, grade_episodes(chunk), strict=True):
            number += 1
            for n, (turn, after) in enumerate(zip(episode.turns, grades, strict=True), start=1):
                _regrade(turn, after, episode.problem.answer, (number, n), result)
            yield episode


def _regrade(turn: Turn, after: Grade, gold: str, place: tuple[int, int], result: Regraded) -> None:
    before = Grade(turn.correct, turn.reason)
    result.turns += 1
    if before.correct is not after.correct:
        result.changes.append(Change(*place, gold, turn.answer, before, after))
    turn.correct, turn.reason = after.correct, after.reason


def regrade(config: RegradeConfig) -> Regraded:
    """Grades a file of episodes again and prints what changed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line of it is not an episode, or names a checker or a domain that is not
            registered; nothing that a file names is imported.
        ImportError: A module to import is not there.
        SystemExit: A grade changed and `RegradeConfig.fail_on_change` is set; the status is 1.
    """
    if not config.episodes.exists():
        raise FileNotFoundError(f"there is no file {config.episodes}")
    for module in config.import_:
        importlib.import_module(module)
    console = Console()
    result = Regraded()
    episodes = regrade_episodes(read_episodes(config.episodes), result)
    steps = track(episodes, "grading again", console=console, disable=not console.is_terminal)
    if config.output is None:
        for _ in steps:
            pass
    else:
        write_episodes(config.output, steps)
        console.print(f"wrote {config.output}")
    _report(result, config.show, console)
    if result.changes and config.fail_on_change:
        raise SystemExit(1)
    return result


def _report(result: Regraded, show: int, console: Console) -> None:
    if result.changes:
        table = Table("episode", "turn", "gold", "answer", "before", "now")
        for change in result.changes[:show]:
            table.add_row(
                str(change.episode),
                str(change.turn),
                Text(_short(change.gold)),
                Text(_short(change.answer or "")),
                *(f"{_WORDS[g.correct]} ({g.reason})" for g in (change.before, change.after)),
            )
        console.print(table)
    if len(result.changes) > show:
        console.print(f"and {len(result.changes) - show} more; raise --show to see them")
    kinds = Counter((_WORDS[c.before.correct], _WORDS[c.after.correct]) for c in result.changes)
    for (before, after), count in sorted(kinds.items()):
        console.print(f"{before} -> {after}: {count}")
    console.print(f"{result.turns} turns graded again, {len(result.changes)} grades changed")


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
