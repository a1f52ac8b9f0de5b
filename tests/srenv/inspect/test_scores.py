"""The scores of an episode as Inspect shows them."""

import math

import pytest

pytest.importorskip("inspect_ai", reason="needs srenv[inspect]")

from srenv.episode import Episode
from srenv.inspect.scores import score_episode, summarize, tags
from srenv.metrics import Outcomes, measure
from tests.support.episodes import PROBLEM, made_episode, made_turn


def values(*turns):
    return {name: score.value for name, score in score_episode(made_episode(*turns)).items()}


def test_an_episode_that_corrects_itself_says_so_in_every_score():
    episode = made_episode(made_turn(False, "wrong", 0.9), made_turn(True, "correct", 0.7))
    scores = {name: score.value for name, score in score_episode(episode).items()}
    assert scores == {
        "first": "I",
        "final": "C",
        "change": "I → C",
        "verdict": "accepts C",
        "confidence": 0.7,
        "turns": 2,
    }
    assert tags(episode) == ["wrong to right", "rejects wrong", "accepts right"]


@pytest.mark.parametrize(
    ("correct", "verdict", "value", "tag"),
    [
        (True, "correct", "accepts C", "accepts right"),
        (False, "correct", "accepts I", "accepts wrong"),
        (True, "wrong", "rejects C", "rejects right"),
        (False, "wrong", "rejects I", "rejects wrong"),
        (None, "wrong", "rejects N", "undecided"),
    ],
)
def test_the_verdict_is_held_against_the_truth(correct, verdict, value, tag):
    turn = made_turn(correct, verdict)
    assert values(turn)["verdict"] == value
    assert tag in tags(made_episode(turn))


def test_a_turn_without_a_verdict_has_no_confidence():
    scores = values(made_turn(True))
    assert scores["verdict"] == "none"
    assert math.isnan(scores["confidence"])
    assert tags(made_episode(made_turn(True))) == ["stays right", "malformed"]


def test_the_probability_of_the_tokens_goes_before_the_stated_one():
    assert values(made_turn(False, "wrong", 0.6, probability=0.99))["confidence"] == 0.01


def test_a_wrong_answer_of_high_confidence_is_tagged():
    assert "confident and wrong" in tags(made_episode(made_turn(False, "correct", 0.95)))
    assert "confident and wrong" not in tags(made_episode(made_turn(False, "correct", 0.5)))


def test_an_episode_that_failed_before_its_first_turn_has_scores():
    episode = Episode(PROBLEM, ending="failed", failure="the prompt is too long")
    scores = score_episode(episode)
    assert scores["final"].value == "N"
    assert scores["final"].explanation == "the prompt is too long"
    assert tags(episode) == ["failed"]


def test_the_metrics_of_a_row_are_those_of_srenv():
    data = Outcomes.of([made_episode(made_turn(c, "correct")) for c in (True, True, False)])
    scores = {score.name: score.metrics for score in summarize(measure(data))}
    assert scores["final"]["accuracy_final"].value == pytest.approx(2 / 3)
    assert scores["verdict"]["verdict_tnr"].value == 0.0
    assert "brier_token" not in scores["confidence"]
