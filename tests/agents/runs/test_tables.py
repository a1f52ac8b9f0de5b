"""The results table."""

import re

import pytest
from rich.console import Console

from agents.runs.tables import print_table
from srenv.metrics import Estimate
from srenv.metrics.tables import COLUMNS, markdown_table, table_lines

ROWS = {
    title: {name: Estimate(0.5, 0.25, 0.75) for name in COLUMNS}
    for title in ("base", "base, told to revise", "after warm-up", "after policy gradient")
}


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_narrow_terminal_shows_every_row_in_full(width, capsys):
    print_table(Console(width=width), ROWS, "tiny on problems")
    output = capsys.readouterr().out
    for title in ROWS:
        assert output.count(f" {title} ┃") == 1
    cells = re.findall(r"50\.0 \[25\.0, 75\.0\]", output)
    percents = [
        name for name, (heading, _, _) in COLUMNS.items() if "%" in heading or "Δ" in heading
    ]
    assert len(cells) == len(ROWS) * len(percents)
    assert max(map(len, output.splitlines())) <= width


def test_lines_that_concern_no_row_are_left_out():
    row = {"n": Estimate(4, 4, 4), "failed": Estimate(0, 0, 0), "pass@1": Estimate(0.5, 0, 1)}
    assert list(table_lines({"row": row})) == list(COLUMNS)


def test_samples_failures_and_truncation_are_shown_if_there_are_any():
    names = ("truncation_rate", "failed", "samples", "pass@1", "pass@10", "pass@2")
    row = {name: Estimate(0.5, 0.5, 0.5) for name in names}
    further = [heading for heading, _, _ in table_lines({"row": row}).values()][len(COLUMNS) :]
    assert further == ["pass@2 %", "pass@10 %", "Cut off %", "Failed episodes", "Samples"]
    assert "| pass@2 % | 50.0 | – |" in markdown_table({"row": row, "other": {}})
