"""The table of a benchmark: what was measured, and whether its target was held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Row:
    """One line of the table."""

    what: str
    measured: str
    target: str = ""
    held: bool | None = None


def page(title: str, how: str, rows: Sequence[Row]) -> str:
    """The table in Markdown, below its title and a line on how it was measured."""
    marks = {True: "yes", False: "**no**", None: ""}
    lines = [f"| {r.what} | {r.measured} | {r.target} | {marks[r.held]} |" for r in rows]
    heading = ["| what | measured | target | held |", "|---|---|---|---|"]
    return "\n".join([f"# {title}", "", how, "", *heading, *lines, ""])
