"""Progress bars with elapsed and remaining time."""

from __future__ import annotations

import time
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

LOG_EVERY = 30.0
"""Seconds between the lines of a bar where there is no terminal."""


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Bar]:
    """Shows a bar while the block runs; without a terminal, a line now and then (`LOG_EVERY`)."""
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
        self._logged = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        """Advances the bar by `amount`."""
        self._progress.advance(self._task, amount)
        self._log()

    def reach(self, completed: int, note: str = "") -> None:
        """Moves the bar to `completed`, and shows a note after it."""
        self._progress.update(self._task, completed=completed, note=note)
        self._log()

    def _log(self) -> None:
        live = console.is_terminal or console.is_jupyter
        if live or self._progress.finished or time.monotonic() - self._logged < LOG_EVERY:
            return
        self._logged = time.monotonic()
        console.print(self._progress)
