"""``srenv compare RUN RUN``: the paired difference between two runs on the same problems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from srenv.commands.readings import find_reading
from srenv.json_files import write_json
from srenv.metrics import Metrics, difference, measure

ROWS = {
    "accuracy_t1": ("accuracy, first attempt, %", 100),
    "accuracy_final": ("accuracy, final answer, %", 100),
    "delta": ("delta, points", 100),
    "delta_ic": ("delta i->c, points", 100),
    "delta_ci": ("delta c->i, points", 100),
    "verdict_tpr": ("right attempts declared right, %", 100),
    "verdict_tnr": ("wrong attempts declared wrong, %", 100),
    "malformed_rate": ("malformed turns, %", 100),
    "out_of_form_rate": ("answers out of form, %", 100),
    "turns": ("turns", 1),
    "tokens": ("tokens", 1),
}
"""Rows of the table: metric -> (label, factor)."""


@dataclass(frozen=True)
class CompareConfig:
    """Differences between two runs on the same problems, with paired-bootstrap intervals."""

    before: Annotated[str, tyro.conf.Positional]
    """A run's folder, an evaluation's folder, or a file of episodes; FOLDER:ROW names a row."""
    after: Annotated[str, tyro.conf.Positional]
    """The run to compare with it, named in the same way."""
    resamples: int = 2000
    """Bootstrap resamples of the problems."""
    seed: int = 0
    """Seed of the bootstrap."""
    output: Path | None = None
    """JSON file to write the differences to."""


def compare(config: CompareConfig) -> Metrics:
    """Prints a table of both runs and their differences.

    Returns:
        The differences, after - before.

    Raises:
        ValueError: The two runs are not on the same problems.
        FileNotFoundError: There is no such run.
    """
    before, after = find_reading(config.before), find_reading(config.after)
    if before.problems() != after.problems():
        raise ValueError(
            f"{config.before} and {config.after} are not on the same problems (or the verifier "
            "left different ones undecided), so there are no pairs: give both the same source, "
            "eval-n and seed"
        )
    outcomes = before.outcomes(), after.outcomes()
    differences = difference(outcomes[1], outcomes[0], config.resamples, config.seed)
    defined = {name: e for name, e in differences.items() if not math.isnan(e.value)}
    console = Console()
    names = f"before: {config.before}\nafter:  {config.after}"
    console.print(names, highlight=False, markup=False, soft_wrap=True)
    console.print(make_table(measure(outcomes[0]), measure(outcomes[1]), defined))
    if config.output:
        record = {n: {"value": e.value, "low": e.low, "high": e.high} for n, e in defined.items()}
        config.output.parent.mkdir(parents=True, exist_ok=True)
        write_json(config.output, record)
    return differences


def make_table(before: Metrics, after: Metrics, differences: Metrics) -> Table:
    """Returns the table that `compare` prints, one row per metric that has a difference."""
    table = Table(caption="difference: after - before, paired; 95% intervals in brackets")
    table.add_column("", no_wrap=True)
    for heading in ("before", "after", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, (label, factor) in ROWS.items():
        if name not in differences:
            continue
        estimate = differences[name]
        change, low, high = (
            f"{factor * x:+.2f}" for x in (estimate.value, estimate.low, estimate.high)
        )
        values = (f"{factor * metrics[name].value:.2f}" for metrics in (before, after))
        table.add_row(label, *values, f"{change} [{low}, {high}]")
    return table
