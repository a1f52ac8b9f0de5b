"""``srenv compare``: the table of paired differences."""

import json

import pytest

import srenv
from srenv.commands.compare import CompareConfig, compare
from srenv.episode import write_episodes


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
