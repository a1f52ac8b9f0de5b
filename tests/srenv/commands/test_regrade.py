"""``srenv regrade``: what it changes, what it prints, and its exit status."""

import pytest

from srenv.commands.main import main
from srenv.commands.regrade import RegradeConfig, regrade
from srenv.episode import Episode, Problem, Turn, read_episodes, write_episodes
from srenv.problems import register_checker
from srenv.verifier import Grade


def turn(answer, correct):
    return Turn(
        text=f"\\boxed{{{answer}}}",
        answer=answer,
        verdict="correct",
        confidence=None,
        split=0,
        malformed="",
        correct=correct,
        reason="old",
        rewards={"improvement": 1.0},
    )


@pytest.fixture
def episodes(tmp_path):
    """A file with two episodes, three of whose five turns have a wrong grade."""
    half, linear = Problem("p1", "?", "1/2", "s"), Problem("p2", "?", "7", "s")
    return write_episodes(
        tmp_path / "episodes.jsonl",
        [
            Episode(half, [], [turn("0.5", False), turn("1/2", True)], "declared"),
            Episode(linear, [], [turn("8", True), turn(None, False), turn("7", None)], "exhausted"),
        ],
    )


def test_every_changed_grade_is_counted_by_kind(episodes, capsys):
    main(["regrade", str(episodes)])
    printed = capsys.readouterr().out
    for line in ("wrong -> right: 1", "right -> wrong: 1", "undecided -> right: 1"):
        assert line in printed
    assert "5 turns" in printed


def test_every_change_names_its_turn(episodes):
    changes = regrade(RegradeConfig(episodes)).changes
    assert [(change.episode, change.turn, change.answer) for change in changes] == [
        (1, 1, "0.5"),
        (2, 1, "8"),
        (2, 3, "7"),
    ]


def test_the_output_has_the_new_grades_and_the_old_rewards(episodes, tmp_path):
    output = tmp_path / "out" / "again.jsonl"
    main(["regrade", str(episodes), "--output", str(output)])
    regraded = list(read_episodes(output))
    assert [[t.correct for t in e.turns] for e in regraded] == [[True, True], [False, False, True]]
    assert all(t.rewards == {"improvement": 1.0} for e in regraded for t in e.turns)


def test_regrading_twice_changes_nothing_more(episodes, tmp_path):
    output = tmp_path / "again.jsonl"
    regrade(RegradeConfig(episodes, output))
    assert regrade(RegradeConfig(output)).changes == []


def test_a_problem_with_a_checker_is_graded_by_it(tmp_path):
    register_checker("test_even", lambda problem, answer: Grade(int(answer) % 2 == 0, "even"))
    problem = Problem("p", "an even number?", "2", "s", checker="test_even")
    episode = Episode(problem, [], [turn("4", False), turn("5", False)], "exhausted")
    path = write_episodes(tmp_path / "episodes.jsonl", [episode])
    changes = regrade(RegradeConfig(path)).changes
    assert [(change.answer, change.after.reason) for change in changes] == [("4", "even")]


def test_a_change_is_a_failure_on_request(episodes):
    with pytest.raises(SystemExit) as failure:
        main(["regrade", str(episodes), "--fail-on-change"])
    assert failure.value.code == 1


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="there is no file"):
        main(["regrade", str(tmp_path / "missing.jsonl")])


def test_a_line_that_is_no_episode_is_named(tmp_path):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(SystemExit, match="line 1: not an episode"):
        main(["regrade", str(tmp_path / "bad.jsonl")])
