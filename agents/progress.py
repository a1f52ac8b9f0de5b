"""Progress bars: what is happening, how far it is, how long is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
from transformers import TrainerCallback

console = Console()
_SHOWN = (
    "loss",
    "mean_token_accuracy",
    "accuracy_t1",
    "accuracy_final",
    "verdict_tpr",
    "verdict_tnr",
)


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Bar]:
    """Shows a bar while the block runs; without a terminal it prints one line at the end."""
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(description, total=total, note="")
        yield Bar(progress, task)


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: int = 1) -> None:
        """Moves on by `amount`."""
        self._progress.advance(self._task, amount)

    def reach(self, completed: int, note: str = "") -> None:
        """Moves to `completed`, with a few figures beside the bar."""
        self._progress.update(self._task, completed=completed, note=note)


class TrainingBar(TrainerCallback):
    """Moves a bar along with a transformers trainer, its latest figures beside it."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.note = ""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Remembers the figures worth showing."""
        shown = {key: logs[key] for key in _SHOWN if key in (logs or {})}
        self.note = " ".join(f"{key} {value:.3g}" for key, value in shown.items()) or self.note

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Moves the bar."""
        self.bar.reach(state.global_step, self.note)
