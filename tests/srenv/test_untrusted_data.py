"""Nothing that a data file says is imported or run: every field that the core reads from a file.

Names in data are looked up among registered ones; ``module:attribute`` is for Python and the
command line. The fields:

episodes (`read_episodes`: regrade, compare, votes)
    `problem.checker` and `problem.domain` are names: looked up, or refused.
    `problem.data` is for the checker. ``countdown`` reads numbers; ``alternatives`` texts;
    ``reasoning_gym`` the name of a task, looked up in reasoning-gym's own table, its options, the
    fields of a dataclass, and a seed. Tasks whose scorers run text as code are refused here as they
    are in a source string.
    `problem.id`, `prompt`, `answer`, `source`; `messages`; `turns`: `text`, `answer`, `reason`,
    `malformed`, `rewards`, ...; `ending`: values, each checked for its type. Answers are text that
    the verifier parses and never evaluates.
rows of ``jsonl:`` and ``hf:``
    Only the columns that the source string names are read, as text; `checker`, `domain` and `data`
    are columns like any other. Data sets load without code of their own (`datasets` 4 has none).
rows of ``rg:``
    Questions, answers and metadata are reasoning-gym's own; only its questions and answers are
    kept, with the task's name, options and seed.
``summary.json`` (`srenv compare`)
    `episodes`: the title, the file and the reading of each row. The file's folder is dropped: it is
    in the run's folder. Readings are looked up. `result` is a title. Nothing else is read.
the verifier's and the tools' workers
    Their lines come from our own processes.
"""

import dataclasses
import json

import pytest

from srenv.commands import main as cli
from srenv.commands.readings import find_reading
from srenv.commands.regrade import RegradeConfig, regrade
from srenv.episode import Episode, Problem, read_episodes, write_episodes
from srenv.problems import grade, load_problems
from srenv.problems.reasoning_gym import REFUSED
from tests.support.canary import canary, imported
from tests.support.episodes import PROBLEM, made_episode, made_turn

__all__ = ["canary"]


def record():
    """Returns the record of an episode, as it is in a file."""
    episode = made_episode(made_turn(True, "correct", 0.5))
    episode.messages = [{"role": "user", "content": "?"}]
    return episode.to_json()


def written(tmp_path, value):
    path = tmp_path / "episodes.jsonl"
    path.write_text(json.dumps(value) + "\n")
    return path


# --- episodes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["checker", "domain"])
def test_names_in_an_episode_are_looked_up(tmp_path, canary, field):
    value = record()
    value["problem"][field] = canary
    with pytest.raises(ValueError, match=f"unknown {field} '{canary}'"):
        regrade(RegradeConfig(written(tmp_path, value)))
    assert not imported()


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Problem)])
def test_no_field_of_a_problem_is_imported(tmp_path, canary, field):
    value = record()
    value["problem"][field] = {"task": canary, "answers": [canary]} if field == "data" else canary
    try:
        regrade(RegradeConfig(written(tmp_path, value)))
    except ValueError:
        assert field in ("checker", "domain")
    assert not imported()


@pytest.mark.parametrize("field", list(record()["turns"][0]))
def test_no_field_of_a_turn_is_imported(tmp_path, canary, field):
    value = record()
    value["turns"][0][field] = canary
    try:
        regrade(RegradeConfig(written(tmp_path, value)))
    except ValueError as error:
        assert f"field '{field}' of a turn is str" in str(error)  # noqa: PT017
    assert not imported()


@pytest.mark.parametrize("checker", ["countdown", "alternatives", "reasoning_gym"])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"target": "9", "numbers": [None]},
        {"answers": "7"},
        {"answers": [7]},
        {"task": "os:system", "options": {}, "seed": 0},
        {"task": "chain_sum", "options": {"no_such_field": 1}, "seed": 0},
        {"task": "chain_sum", "options": {"size": 10**12}, "seed": 0},
        {"task": ["chain_sum"], "options": [], "seed": "x"},
    ],
)
def test_data_that_a_checker_cannot_read_grades_nothing_right(checker, data):
    problem = dataclasses.replace(PROBLEM, checker=checker, data=data)
    assert grade(problem, "7").correct is not True
    assert grade(PROBLEM, "1").correct is True  # later answers are graded as before


@pytest.mark.parametrize("task", sorted(REFUSED))
def test_a_task_that_runs_text_is_refused_in_data_too(tmp_path, task):
    pytest.importorskip("reasoning_gym")
    data = {"task": task, "options": {}, "seed": 1}
    problem = dataclasses.replace(PROBLEM, checker="reasoning_gym", data=data)
    marker = tmp_path / "run"
    answer = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    graded = grade(problem, answer)
    assert (graded.correct, graded.reason) == (None, "reasoning_gym_refused")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("problem",), "p"),
        (("problem", "answer"), 5),
        (("problem", "answer"), None),
        (("problem", "data"), []),
        (("problem", "data"), None),
        (("problem", "checker"), 1),
        (("problem", "surprise"), 1),
        (("messages",), "text"),
        (("messages", 0), ["role", "content"]),
        (("messages", 0, "content"), None),
        (("turns",), {"a": 1}),
        (("turns", 0), None),
        (("turns", 0, "text"), None),
        (("turns", 0, "answer"), 1),
        (("turns", 0, "verdict"), "perhaps"),
        (("turns", 0, "verdict"), ["correct"]),
        (("turns", 0, "confidence"), "0.5"),
        (("turns", 0, "split"), 1.5),
        (("turns", 0, "split"), True),
        (("turns", 0, "correct"), 1),
        (("turns", 0, "rewards"), {"term": "1"}),
        (("turns", 0, "tokens"), "5"),
        (("turns", 0, "cut"), None),
        (("turns", 0, "answer_source"), "box"),
        (("turns", 0, "surprise"), 1),
        (("ending",), "now"),
        (("ending",), None),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path, path, value):
    damaged = record()
    place = damaged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match="line 1: not an episode record"):
        list(read_episodes(written(tmp_path, damaged)))


def test_a_line_that_is_too_deep_is_refused(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text("[" * 200_000 + "\n")
    with pytest.raises(ValueError, match="line 1"):
        list(read_episodes(path))


def test_a_module_is_imported_when_the_command_line_says_so(tmp_path, canary, capsys):
    problem = dataclasses.replace(PROBLEM, checker="canary")
    path = tmp_path / "episodes.jsonl"
    write_episodes(path, [Episode(problem, [], [made_turn(False)], "exhausted")])
    with pytest.raises(SystemExit, match="unknown checker 'canary'"):
        cli.main(["regrade", str(path)])
    module = canary.partition(":")[0]
    cli.main(["regrade", "--import", module, str(path)])
    assert "wrong -> right: 1" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="No module named 'no_such_module'"):
        cli.main(["regrade", str(path), "--import", "no_such_module"])


# --- rows -----------------------------------------------------------------------------------------


def test_columns_of_a_row_name_no_checker_and_no_domain(tmp_path, canary):
    columns = ("checker", "domain", "data", "extract", "id", "source", "several", "strict")
    row = {"problem": canary, "answer": canary, **dict.fromkeys(columns, canary)}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    problem = load_problems(f"jsonl:{path}").problem(0)
    assert problem == Problem(canary, canary, canary, canary)
    assert grade(problem, canary).correct is True
    assert not imported()


@pytest.mark.parametrize("option", ["domain", "extract", "several", "strict"])
def test_options_of_rows_are_looked_up(tmp_path, canary, option):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "?", "answer": "2"}')
    with pytest.raises(ValueError, match=f"unknown {option} '{canary}'"):
        load_problems(f"jsonl:{path}?{option}={canary}")
    assert not imported()


def test_lone_surrogates_are_no_text(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "\\ud800?", "answer": "2"}')
    with pytest.raises(ValueError, match="column 'problem' has lone surrogates"):
        load_problems(f"jsonl:{path}?strict=1")


# --- summaries ------------------------------------------------------------------------------------


def test_the_file_of_a_row_is_in_the_runs_folder(tmp_path):
    secret = tmp_path / "elsewhere.jsonl"
    run = tmp_path / "run"
    run.mkdir()
    for file in (str(secret), "../elsewhere.jsonl", "a/b/elsewhere.jsonl"):
        rows = {"episodes": {"row": [file, "final"]}, "result": "row"}
        (run / "summary.json").write_text(json.dumps(rows))
        assert find_reading(str(run)).episodes == run / "elsewhere.jsonl"


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("[", "not JSON"),
        ("[]", "does not hold what was written"),
        ('{"episodes": []}', "'episodes' must give"),
        ('{"episodes": {"row": "file"}}', "'episodes' must give"),
        ('{"episodes": {"row": [1, "final"]}}', "'episodes' must give"),
        ('{"episodes": {"row": []}, "result": "row"}', "unknown reading ''"),
        ('{"episodes": {"row": ["f", "CANARY"]}, "result": "row"}', "unknown reading"),
        ('{"episodes": {}, "result": ["row"]}', "has no row"),
        ("{}", "has no row"),
    ],
)
def test_a_summary_of_another_form_is_refused(tmp_path, canary, summary, message):
    (tmp_path / "summary.json").write_text(summary.replace("CANARY", canary))
    with pytest.raises(ValueError, match=message):
        find_reading(str(tmp_path))
    assert not imported()
