"""`srenv regrade` and `srenv validate`: what they change, find, print, and exit with."""

from __future__ import annotations

import json

import pytest

from srenv.commands import main as cli
from srenv.commands.regrade import RegradeConfig, regrade
from srenv.commands.validate import ValidateConfig, validate
from srenv.episode import Episode, Problem, Turn, read_episodes, write_episodes
from srenv.problems import FAMILIES, ListSource, register_checker, register_source
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


def test_regrade_reports_every_changed_verdict(episodes, tmp_path, capsys) -> None:
    output = tmp_path / "out" / "again.jsonl"
    cli.main(["regrade", str(episodes), "--output", str(output)])
    printed = capsys.readouterr().out
    assert "5 turns graded again, 3 grades changed" in printed
    for line in ("wrong -> right: 1", "right -> wrong: 1", "undecided -> right: 1"):
        assert line in printed
    again = [[t.correct for t in e.turns] for e in read_episodes(output)]
    assert again == [[True, True], [False, False, True]]
    # What was paid is history.
    assert [t.rewards for e in read_episodes(output) for t in e.turns] == [{"improvement": 1.0}] * 5


def test_regrade_twice_changes_nothing_more(episodes, tmp_path) -> None:
    output = tmp_path / "again.jsonl"
    result = regrade(RegradeConfig(episodes, output))
    assert [(c.episode, c.turn, c.answer) for c in result.changes] == [
        (1, 1, "0.5"),
        (2, 1, "8"),
        (2, 3, "7"),
    ]
    assert regrade(RegradeConfig(output)).changes == []


def test_regrade_asks_the_checker_of_a_problem(tmp_path) -> None:
    register_checker("test_even", lambda problem, answer: Grade(int(answer) % 2 == 0, "even"))
    path = tmp_path / "episodes.jsonl"
    problem = Problem("p", "an even number?", "2", "s", checker="test_even")
    write_episodes(path, [Episode(problem, [], [turn("4", False), turn("5", False)], "exhausted")])
    result = regrade(RegradeConfig(path))
    assert [(c.answer, c.after.reason) for c in result.changes] == [("4", "even")]


def test_regrade_can_fail_on_change(episodes) -> None:
    with pytest.raises(SystemExit) as failure:
        cli.main(["regrade", str(episodes), "--fail-on-change"])
    assert failure.value.code == 1


def test_regrade_of_nothing(tmp_path) -> None:
    with pytest.raises(SystemExit, match="there is no file"):
        cli.main(["regrade", str(tmp_path / "nothing.jsonl")])
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(SystemExit, match="line 1: not an episode"):
        cli.main(["regrade", str(tmp_path / "bad.jsonl")])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_synthetic_families_hold(family: str) -> None:
    result = validate(ValidateConfig(f"synthetic:{family}", n=40))
    assert result.problems == 40
    assert result.tried["gold"] == result.tried["attempt"] == 40
    assert result.failures == []


def test_a_file_is_validated_whole(tmp_path, capsys) -> None:
    path = tmp_path / "problems.jsonl"
    rows = [{"problem": f"{n}?", "answer": a} for n, a in enumerate(["1/2", "x^2", "(3, 4)"])]
    path.write_text("\n".join(map(json.dumps, rows)))
    cli.main(["validate", f"jsonl:{path}"])
    assert "3 problems: holds" in capsys.readouterr().out


def test_a_gold_answer_that_cannot_be_read_is_a_failure(tmp_path, capsys) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"problem": "?", "answer": "$$"}))
    with pytest.raises(SystemExit) as failure:
        cli.main(["validate", f"jsonl:{path}"])
    assert failure.value.code == 1
    assert "no_gold" in capsys.readouterr().out


def test_a_checker_that_accepts_everything_is_found_out(capsys) -> None:
    register_checker("test_yes", lambda problem, answer: Grade(True, "yes"))
    problems = [Problem(str(n), "?", "12", "test_lax:x", checker="test_yes") for n in range(3)]
    register_source("test_lax", lambda spec: ListSource(spec.text, spec.split, problems))
    with pytest.raises(SystemExit) as failure:
        cli.main(["validate", "test_lax:x", "--show", "1"])
    assert failure.value.code == 1
    printed = capsys.readouterr().out
    assert "last digit" in printed
    assert "raise --show" in printed


def test_an_unknown_source_says_what_to_do() -> None:
    with pytest.raises(SystemExit, match="is not 'scheme:target'"):
        cli.main(["validate", "nonsense"])
