"""`srenv regrade`: what it changes, prints, and exits with."""

from __future__ import annotations

import sys

import pytest

from srenv.commands import main as cli
from srenv.commands.regrade import RegradeConfig, regrade
from srenv.episode import Episode, Problem, Turn, read_episodes, write_episodes
from srenv.problems import register_checker
from srenv.verifier import Grade


def turn(answer: str | None, correct: bool | None, reason: str = "old") -> Turn:
    return Turn(
        text=f"\\boxed{{{answer}}}",
        answer=answer,
        verdict="correct",
        confidence=None,
        split=0,
        malformed="",
        correct=correct,
        reason=reason,
        rewards={"improvement": 1.0},
    )


@pytest.fixture
def episodes(tmp_path):
    half, linear = Problem("p1", "?", "1/2", "s"), Problem("p2", "?", "7", "s")
    path = tmp_path / "episodes.jsonl"
    write_episodes(
        path,
        [
            Episode(half, [], [turn("0.5", False), turn("1/2", True)], "declared"),
            Episode(linear, [], [turn("8", True), turn(None, False), turn("7", None)], "exhausted"),
        ],
    )
    return path


def test_every_changed_grade_is_reported(episodes, tmp_path, capsys) -> None:
    output = tmp_path / "out" / "again.jsonl"
    cli.main(["regrade", str(episodes), "--output", str(output)])
    printed = capsys.readouterr().out
    assert "5 turns graded again, 3 grades changed" in printed
    for line in ("wrong -> right: 1", "right -> wrong: 1", "undecided -> right: 1"):
        assert line in printed
    again = [[t.correct for t in e.turns] for e in read_episodes(output)]
    assert again == [[True, True], [False, False, True]]
    # Rewards stay as they were played.
    assert [t.rewards for e in read_episodes(output) for t in e.turns] == [{"improvement": 1.0}] * 5


def test_regrading_twice_changes_nothing_more(episodes, tmp_path) -> None:
    output = tmp_path / "again.jsonl"
    result = regrade(RegradeConfig(episodes, output))
    assert [(c.episode, c.turn, c.answer) for c in result.changes] == [
        (1, 1, "0.5"),
        (2, 1, "8"),
        (2, 3, "7"),
    ]
    assert regrade(RegradeConfig(output)).changes == []


def test_checker_of_a_problem_is_asked(tmp_path) -> None:
    register_checker("test_even", lambda problem, answer: Grade(int(answer) % 2 == 0, "even"))
    path = tmp_path / "episodes.jsonl"
    problem = Problem("p", "an even number?", "2", "s", checker="test_even")
    write_episodes(path, [Episode(problem, [], [turn("4", False), turn("5", False)], "exhausted")])
    result = regrade(RegradeConfig(path))
    assert [(c.answer, c.after.reason) for c in result.changes] == [("4", "even")]


def test_status_1_on_change_if_asked(episodes) -> None:
    with pytest.raises(SystemExit) as failure:
        cli.main(["regrade", str(episodes), "--fail-on-change"])
    assert failure.value.code == 1


def test_missing_or_malformed_file_is_an_error(tmp_path) -> None:
    with pytest.raises(SystemExit, match="there is no file"):
        cli.main(["regrade", str(tmp_path / "nothing.jsonl")])
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(SystemExit, match="line 1: not an episode"):
        cli.main(["regrade", str(tmp_path / "bad.jsonl")])


@pytest.mark.parametrize("field", ["checker", "domain"])
def test_nothing_that_a_file_names_is_imported(tmp_path, field) -> None:
    problem = Problem("p", "?", "2", "s", **{field: "this:check"})
    path = tmp_path / "episodes.jsonl"
    write_episodes(path, [Episode(problem, [], [turn("2", True)], "declared")])
    sys.modules.pop("this", None)
    with pytest.raises(SystemExit, match=f"unknown {field} 'this:check'. Known: "):
        cli.main(["regrade", str(path)])
    assert "this" not in sys.modules
