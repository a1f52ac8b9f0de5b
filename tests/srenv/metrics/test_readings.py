"""`Reading`: a file of episodes, read in one of several ways."""

import pytest

from srenv.episode import Problem, write_episodes
from srenv.metrics.readings import Reading
from tests.support.episodes import made_episode, made_turn

WRONG, RIGHT = made_turn(False, answer="2"), made_turn(True)


@pytest.mark.parametrize(
    ("reading", "final"),
    [("final", [0.0]), ("any_turn", [1.0]), ("turn_votes", [0.0])],
)
def test_a_reading_decides_which_answer_is_final(reading, final, tmp_path):
    path = write_episodes(tmp_path / "episodes.jsonl", [made_episode(WRONG, RIGHT, WRONG)])
    assert Reading(path, reading).outcomes().final.tolist() == final


def test_votes_group_consecutive_episodes_of_one_problem(tmp_path):
    problems = [Problem(name, "?", "1", "test") for name in "aab"]
    episodes = [made_episode(RIGHT, problem=problem) for problem in problems]
    path = write_episodes(tmp_path / "episodes.jsonl", episodes)
    assert Reading(path, "votes").outcomes().turns.tolist() == [2.0, 1.0]


def test_problems_are_those_whose_every_attempt_was_graded(tmp_path):
    graded, undecided = (Problem(name, "?", "1", "test") for name in "ab")
    episodes = [
        made_episode(RIGHT, problem=graded),
        made_episode(made_turn(None), problem=undecided),
    ]
    path = write_episodes(tmp_path / "episodes.jsonl", episodes)
    assert Reading(path).problems() == ["a"]
