"""``srenv compare``: which episodes a name means, and the table of paired differences."""

import json

import pytest

import srenv
from srenv.commands.compare import CompareConfig, compare, find_reading
from srenv.episode import write_episodes
from srenv.metrics.readings import Reading


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes one-attempt episodes: problem id -> answer; gold is 1."""

    def write(name, answers):
        episodes = []
        for problem_id, answer in answers.items():
            problem = srenv.Problem(problem_id, "?", "1", "test")
            conversation = srenv.Conversation(problem, srenv.Rules(srenv.Protocol(), 1))
            conversation.step(f"\\boxed{{{answer}}}\n[VERIFY] correct")
            episodes.append(conversation.episode)
        return str(write_episodes(tmp_path / name, episodes))

    return write


def test_a_run_does_not_differ_from_itself(write):
    path = write("a.jsonl", {"a": 1, "b": 2})
    differences = compare(CompareConfig(path, path))
    assert differences["accuracy_final"].value == 0.0


def test_the_table_shows_both_runs_and_their_difference(write, capsys):
    before, after = write("a.jsonl", {"a": 1, "b": 2}), write("b.jsonl", {"a": 1, "b": 1})
    compare(CompareConfig(before, after))
    (row,) = [r for r in capsys.readouterr().out.splitlines() if "accuracy, final answer" in r]
    assert "50.00" in row
    assert "100.00" in row
    assert "+50.00 [" in row


def test_differences_are_written_as_json(write, tmp_path):
    path = write("a.jsonl", {"a": 1})
    compare(CompareConfig(path, path, output=tmp_path / "new" / "out.json"))
    record = json.loads((tmp_path / "new" / "out.json").read_text())
    assert record["accuracy_final"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_runs_on_other_problems_are_not_paired(write):
    with pytest.raises(ValueError, match="same problems"):
        compare(CompareConfig(write("a.jsonl", {"a": 1}), write("b.jsonl", {"b": 1})))


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run with two rows."""
    rows = {"base": ["x/base.jsonl", "final"], "maj@k": ["x/votes.jsonl", "votes"]}
    summary = {"episodes": rows, "result": "base"}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    return tmp_path


def test_a_folder_names_the_result_of_its_run(run):
    assert find_reading(str(run)) == Reading(run / "base.jsonl")


def test_a_row_of_a_run_has_its_own_reading(run):
    assert find_reading(f"{run}:maj@k") == Reading(run / "votes.jsonl", "votes")


def test_an_unknown_row_is_refused_with_the_rows_of_the_run(run):
    with pytest.raises(ValueError, match=r"no row 'best'(.|\n)*maj@k"):
        find_reading(f"{run}:best")


def test_an_unknown_reading_is_refused(run):
    (run / "summary.json").write_text(json.dumps({"episodes": {"base": ["a.jsonl", "odd"]}}))
    with pytest.raises(ValueError, match="unknown reading 'odd'"):
        find_reading(f"{run}:base")


def test_the_folder_of_an_evaluation_holds_its_episodes(tmp_path):
    (tmp_path / "episodes.jsonl").write_text("")
    assert find_reading(str(tmp_path)) == Reading(tmp_path / "episodes.jsonl", "samples")


def test_a_missing_run_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"episodes\.jsonl"):
        find_reading(str(tmp_path / "missing"))
