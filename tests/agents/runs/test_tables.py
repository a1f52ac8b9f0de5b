"""The results table."""

import re

import pytest
from rich.console import Console

from agents.runs.tables import COLUMNS, print_table
from srenv.metrics import Estimate

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
