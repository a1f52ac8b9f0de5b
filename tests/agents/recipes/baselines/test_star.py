"""STaR: the model imitates its own successful corrections."""

import json

import pytest

from agents.recipes.baselines import star
from agents.recipes.baselines.star import StarConfig
from agents.training.sft import SftConfig, whole_turns
from tests.support.episodes import answered_episode
from tests.support.recipes import SOLVING

# The right answer is 1.
EPISODES = [
    answered_episode(*answers) for answers in [(2, 1), (2, 1), (2, 3), (1, 2), (1, 1), (4, 1)]
]


def test_right_revisions_of_wrong_attempts_are_learned_once():
    demonstrations = star.repairs(EPISODES, keep_right=False)
    answers = [[turn.answer for turn in d.episode.turns] for d in demonstrations]
    assert answers == [["2", "1"], ["4", "1"]]
    assert all(d.targets == whole_turns(1) for d in demonstrations)


def test_conversations_that_are_right_throughout_can_be_learned_whole():
    demonstrations = star.repairs(EPISODES, keep_right=True)
    assert [d.kind for d in demonstrations] == ["wrong, right", "right, right", "wrong, right"]
    assert demonstrations[1].targets == whole_turns(0, 1)


@pytest.mark.slow
def test_it_runs_through(tmp_path):
    config = StarConfig(
        output=tmp_path / "run", iterations=2, sampled=40, samples=3, keep_right=True,
        sft=SftConfig(epochs=1), **SOLVING,
    )  # fmt: skip
    rows = star.train(config)
    assert list(rows)[-2:] == ["iteration 1", "iteration 2"]
    spent = json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]
    # Two rounds of 120 conversations of two attempts, about 24 tokens each.
    assert 9000 <= spent["generated"] <= 16000
    assert spent["trained"] > 0
