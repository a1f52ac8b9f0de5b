"""Gold answers that cannot be read: said before work starts, and a summary at the end."""

import json
import math

import pytest

import srenv
from agents.evaluate import EvaluateConfig, evaluate
from agents.recipes import score
from agents.recipes.base import BASE, REVISED
from agents.recipes.score import ScoreConfig
from agents.rollouts.evaluation import equal_votes, tokens_per_problem, warn_of_unreadable
from srenv.commands.compare import CompareConfig, compare
from srenv.metrics import Outcomes


@pytest.fixture
def unreadable(tmp_path):
    """A source of problems that the bundled model answers, without gold answers to be read."""
    path = tmp_path / "unreadable.jsonl"
    problems = srenv.load_problems("synthetic:linear", "eval").take(5)
    rows = [{"problem": problem.prompt, "answer": "\\foo\\bar{"} for problem in problems]
    path.write_text("\n".join(map(json.dumps, rows)))
    return f"jsonl:{path}"


def test_an_evaluation_says_so_and_ends_with_a_summary(unreadable, tmp_path, capsys):
    config = EvaluateConfig(problems=unreadable, n=4, max_new_tokens=64, output=tmp_path / "e")
    (row,) = evaluate(config).values()
    assert (row["n"].value, row["undecided"].value) == (0, 4)
    output = " ".join(capsys.readouterr().out.split())
    early = output.index("4 of the first 4 gold answers of unreadable.jsonl cannot be read")
    assert early < output.index("none of 4 problems could be graded")
    assert (tmp_path / "e" / "metrics.json").exists()
    with pytest.raises(ValueError, match="none of the problems could be graded"):
        compare(CompareConfig(str(tmp_path / "e"), str(tmp_path / "e")))


def test_a_recipe_says_so_and_ends_before_it_trains(unreadable, tmp_path, capsys):
    folder = tmp_path / "run"
    config = ScoreConfig(
        problems=unreadable, eval_n=4, max_new_tokens=64, output=folder, report_to="none"
    )
    rows = score.train(config)
    assert list(rows) == [BASE, REVISED]
    assert "none of 4 problems could be graded" in " ".join(capsys.readouterr().out.split())
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["rows"][BASE]["undecided"]["value"] == 4
    assert summary["result"] == BASE
    assert not (folder / "stage1").exists()


def test_some_gold_answers_that_cannot_be_read_are_counted(capsys):
    problems = [
        srenv.Problem(str(i), "?", gold, "a source") for i, gold in enumerate(["5", "??? ???", "7"])
    ]
    warn_of_unreadable(problems)
    output = " ".join(capsys.readouterr().out.split())
    assert "1 of the first 3 gold answers of a source cannot be read, such as '??? ???'" in output
    warn_of_unreadable(problems[:1])
    assert not capsys.readouterr().out


def test_votes_of_what_was_not_graded_or_counted_are_single():
    assert math.isnan(tokens_per_problem(Outcomes.of([])))
    assert equal_votes(math.nan, 5.0) == equal_votes(5.0, math.nan) == equal_votes(5.0, 0.0) == 1
