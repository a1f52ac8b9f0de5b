"""Grade stored episodes again, and say which verdicts of the verifier changed.

Episodes keep what the verifier said when they were played. A later verifier may say otherwise;
``srenv regrade episodes.jsonl`` lists every such turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro

from srenv.episode import Episode, Turn, read_episodes, write_episodes
from srenv.problems import grade
from srenv.verifier import Grade, verify_batch

CHUNK = 256
"""Episodes that are graded together."""

_WORDS = {True: "right", False: "wrong", None: "undecided"}


@dataclass(frozen=True, slots=True)
class RegradeConfig:
    """Grade stored episodes again.

    Attributes:
        episodes: The file of episodes, as JSON Lines.
        output: Write the episodes here with the new verdicts. Rewards and endings stay as they
            were played: they belong to the policy that was trained on them.
        show: How many changed verdicts to print.
        fail_on_change: Exit with status 1 when a verdict changed.
    """

    episodes: Annotated[Path, tyro.conf.Positional]
    output: Path | None = None
    show: int = 50
    fail_on_change: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A turn on which the verifier changed its mind.

    Attributes:
        episode: Number of the episode in the file, from 1.
        turn: Number of the turn, from 1.
        gold: The gold answer.
        answer: The answer of the turn.
        before: What the verifier said then, and by which rule.
        after: What it says now.
    """

    episode: int
    turn: int
    gold: str
    answer: str | None
    before: Grade
    after: Grade


@dataclass(slots=True)
class Regraded:
    """The outcome.

    Attributes:
        turns: How many turns were graded.
        changes: The turns whose verdict is another one now.
    """

    turns: int = 0
    changes: list[Change] = field(default_factory=list)


def grade_episodes(episodes: Iterable[Episode]) -> list[list[Grade]]:
    """Judge every turn of some episodes, answers without a checker of their own in one batch."""
    episodes = list(episodes)
    turns = [(e.problem, turn.answer) for e in episodes for turn in e.turns]
    plain = [(p.answer, a) for p, a in turns if p.checker is None and a is not None]
    batch = iter(verify_batch(plain))
    judged = iter(
        [next(batch) if p.checker is None and a is not None else grade(p, a) for p, a in turns]
    )
    return [[next(judged) for _ in episode.turns] for episode in episodes]


def regrade_episodes(episodes: Iterable[Episode], result: Regraded) -> Iterator[Episode]:
    """Yield episodes with new verdicts, and collect the changes in `result`."""
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
    """Grade a file of episodes again and print what changed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line of it is no episode.
        SystemExit: If a verdict changed and `RegradeConfig.fail_on_change` is set.
    """
    from rich.console import Console
    from rich.progress import track

    if not config.episodes.exists():
        raise FileNotFoundError(f"there is no file {config.episodes}")
    console = Console()
    result = Regraded()
    episodes = regrade_episodes(read_episodes(config.episodes), result)
    shown = track(episodes, "grading again", console=console, disable=not console.is_terminal)
    if config.output is None:
        for _ in shown:
            pass
    else:
        write_episodes(config.output, shown)
        console.print(f"wrote {config.output}")
    _report(result, config.show, console)
    if result.changes and config.fail_on_change:
        raise SystemExit(1)
    return result


def _report(result: Regraded, show: int, console: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    if result.changes:
        table = Table("episode", "turn", "gold", "answer", "before", "now")
        for change in result.changes[:show]:
            table.add_row(
                str(change.episode),
                str(change.turn),
                Text(_short(change.gold)),
                Text(_short(change.answer or "")),
                *(f"{_WORDS[j.correct]} ({j.reason})" for j in (change.before, change.after)),
            )
        console.print(table)
    if len(result.changes) > show:
        console.print(f"and {len(result.changes) - show} more; raise --show to see them")
    kinds = Counter((_WORDS[c.before.correct], _WORDS[c.after.correct]) for c in result.changes)
    for (before, after), count in sorted(kinds.items()):
        console.print(f"{before} -> {after}: {count}")
    console.print(f"{result.turns} turns graded again, {len(result.changes)} verdicts changed")


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
