"""The results table in the terminal, and the lines below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from srenv.metrics import Metrics
from srenv.metrics.tables import cell, table_lines


def print_table(console: Console, rows: Mapping[str, Metrics], title: str) -> None:
    """Prints the table, in several parts if the terminal is too narrow for all rows."""
    names = list(rows)
    while names:
        count = len(names)
        while count > 1 and not _fits(console, _table(rows, names[:count], title)):
            count -= 1
        console.print(_table(rows, names[:count], title))
        names = names[count:]


def _fits(console: Console, table: Table) -> bool:
    unlimited = console.options.update(width=10_000)
    return Measurement.get(console, unlimited, table).maximum <= console.width


def _table(rows: Mapping[str, Metrics], names: Sequence[str], title: str) -> Table:
    """Returns the table with a line per metric and a column per row of the comparison."""
    table = Table(title=Text(title), caption="95% intervals in brackets; a dash: not defined")
    table.add_column("", no_wrap=True)
    for row in names:
        table.add_column(Text(row), justify="right")
    for name, (heading, factor, decimals) in table_lines(rows).items():
        table.add_row(heading, *(cell(rows[row].get(name), factor, decimals) for row in names))
    return table


def second_model_lines(models: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Returns the cost of second models, one line per row of the table that has one.

    Args:
        models: ``parameters``, ``bytes`` and ``tokens`` per problem of second models, by row.
    """
    return [
        f"{row}: a second model of {cost['parameters']:,} parameters, {cost['bytes'] / 1e6:,.1f} "
        f"MB of weights in memory; {cost['tokens']:.1f} of the tokens per problem are its own"
        for row, cost in models.items()
    ]
