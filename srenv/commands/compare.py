"""``srenv compare RUN RUN``: what one run has gained on another, problem by problem."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from srenv.metrics import Metrics, difference, measure
from srenv.metrics.readings import READINGS, Reading

SHOWN = {
    "accuracy_t1": ("accuracy, first attempt, %", 100),
    "accuracy_final": ("accuracy, final answer, %", 100),
    "delta": ("delta, points", 100),
    "delta_ic": ("delta i->c, points", 100),
    "delta_ci": ("delta c->i, points", 100),
    "verdict_tpr": ("right attempts declared right, %", 100),
    "verdict_tnr": ("wrong attempts declared wrong, %", 100),
    "malformed_rate": ("malformed turns, %", 100),
    "turns": ("turns", 1),
    "tokens": ("tokens", 1),
}
"""Metric -> (label, factor)."""


@dataclass(frozen=True)
class CompareConfig:
    """Differences between two runs on the same problems, with paired-bootstrap intervals."""

    before: Annotated[str, tyro.conf.Positional]
    """A run's folder, an evaluation's folder, or a file of episodes; FOLDER:ROW names a row."""
    after: Annotated[str, tyro.conf.Positional]
    """What is compared with it."""
    resamples: int = 2000
    """Bootstrap resamples of the problems."""
    seed: int = 0
    """Seeds the bootstrap."""
    output: Path | None = None
    """Also write the differences to this JSON file."""


def compare(config: CompareConfig) -> Metrics:
    """Prints a table of both runs and their differences; returns the differences, after - before.

    Raises:
        ValueError: The two did not play the same problems.
        FileNotFoundError: There is no such run.
    """
    names = (config.before, config.after)
    rows = [find_row(name) for name in names]
    if rows[0].problems() != rows[1].problems():
        raise ValueError(
            f"{names[0]} and {names[1]} did not play the same problems (or the verifier left "
            "different ones undecided), so there are no pairs: give both the same source, eval-n "
            "and seed"
        )
    before, after = (row.outcomes() for row in rows)
    gained = difference(after, before, config.resamples, config.seed)
    shown = [measure(data) for data in (before, after)]
    table = Table(caption="difference: after - before, paired; 95 % intervals in brackets")
    table.add_column("", no_wrap=True)
    for heading in ("before", "after", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, (label, factor) in SHOWN.items():
        if name in gained and not math.isnan(gained[name].value):
            change, low, high = (
                f"{factor * x:+.2f}"
                for x in (gained[name].value, gained[name].low, gained[name].high)
            )
            values = [f"{factor * metrics[name].value:.2f}" for metrics in shown]
            table.add_row(label, *values, f"{change} [{low}, {high}]")
    console = Console()
    named = f"before: {names[0]}\nafter:  {names[1]}"
    console.print(named, highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    if config.output:
        record = {
            name: {"value": e.value, "low": e.low, "high": e.high}
            for name, e in gained.items()
            if not math.isnan(e.value)
        }
        config.output.parent.mkdir(parents=True, exist_ok=True)
        config.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return gained


def find_row(name: str) -> Reading:
    """The row that `name` stands for: a file, a folder's result, or FOLDER:ROW.

    Raises:
        FileNotFoundError: There is no such file or folder, or it holds no finished run.
        ValueError: The run has no such row.
    """
    path, title = Path(name), ""
    if not path.exists() and ":" in name:
        folder, _, title = name.rpartition(":")
        path = Path(folder)
    if path.is_file():
        return Reading(path)
    if (path / "summary.json").exists():
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        rows = summary.get("episodes", {})
        title = title or summary.get("result", "")
        if title not in rows:
            known = "".join(f"\n  {path}:{row}" for row in rows)
            raise ValueError(f"{path} has no row {title!r}; it has{known}")
        file, reading = rows[title]
        if reading not in READINGS:
            raise ValueError(f"{path}: unknown reading {reading!r} of row {title!r}")
        return Reading(path / Path(file).name, reading)
    if (path / "episodes.jsonl").exists():
        return Reading(path / "episodes.jsonl")
    raise FileNotFoundError(
        f"{name} is no file of episodes and holds neither summary.json (a finished run) nor "
        "episodes.jsonl (an evaluation)"
    )
