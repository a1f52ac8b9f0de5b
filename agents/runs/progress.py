"""Progress bars with elapsed and remaining time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from agents.runs.processes import is_main

console = Console(quiet=not is_main())


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Bar]:
    """Shows a bar while the block runs; without a terminal it prints one line at the end."""
    # Metrics take the rest of the line, and are truncated if it is too short.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}", table_column=rest),
    )
    with Progress(*columns, console=console, expand=True) as progress:
        task = progress.add_task(description, total=total, note="")
        yield Bar(progress, task)


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: int = 1) -> None:
        """Advances the bar by `amount`."""
        self._progress.advance(self._task, amount)

    def reach(self, completed: int, note: str = "") -> None:
        """Moves the bar to `completed`, and shows a note after it."""
        self._progress.update(self._task, completed=completed, note=note)
