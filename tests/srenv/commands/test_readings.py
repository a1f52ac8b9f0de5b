"""Which episodes a name on the command line means."""

import json

import pytest

from srenv.commands.readings import find_reading, find_rows
from srenv.metrics.readings import Reading


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


def test_a_run_that_is_not_finished_says_how_to_resume_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        FileNotFoundError, match="not finished: run its command again with --resume"
    ):
        find_reading(str(tmp_path))


def test_the_rows_of_a_run_have_their_readings(run):
    rows = {"base": Reading(run / "base.jsonl"), "maj@k": Reading(run / "votes.jsonl", "votes")}
    assert find_rows(run) == rows


def test_an_unfinished_run_has_the_rows_that_it_has_written(tmp_path):
    for name in ("episodes_base.jsonl", "episodes_warmup.jsonl", "episodes.partial.jsonl"):
        (tmp_path / name).write_text("")
    assert list(find_rows(tmp_path)) == ["episodes_base", "episodes_warmup"]


def test_an_evaluation_has_samples_and_votes(tmp_path):
    for name in ("episodes.jsonl", "episodes_votes.jsonl"):
        (tmp_path / name).write_text("")
    assert {title: row.reading for title, row in find_rows(tmp_path).items()} == {
        "episodes": "samples",
        "episodes_votes": "votes",
    }


def test_a_file_is_one_row(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text("")
    assert find_rows(path) == {"some": Reading(path)}


@pytest.mark.parametrize(("name", "reason"), [(".", "has no episodes"), ("gone", "is not there")])
def test_a_path_without_episodes_is_refused(tmp_path, name, reason):
    with pytest.raises(FileNotFoundError, match=rf"{reason}.*--output"):
        find_rows(tmp_path / name)
