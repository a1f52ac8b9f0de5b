"""The table of recipes."""

import subprocess
import sys

from agents.recipes import RECIPES, SUMMARIES


def test_each_recipe_has_a_summary_of_one_line():
    assert set(SUMMARIES) == set(RECIPES)
    assert all(0 < len(summary) <= 80 for summary in SUMMARIES.values())


def test_summaries_are_imported_without_torch():
    code = "import sys; from agents.recipes import SUMMARIES; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
