"""Reliability and risk-coverage curves."""

import math

import numpy as np
import pytest

from srenv.metrics import Outcomes, summarize
from srenv.metrics.curves import final_confidence, reliability, risk_coverage
from tests.support.episodes import made_episode, made_turn


def test_reliability_has_a_point_per_bin_with_members():
    confidence = np.array([0.05, 0.91, 0.99, 0.93, 1.0, math.nan])
    curve = reliability(confidence, np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0]))
    assert curve.confidence == pytest.approx([0.05, 0.9575])
    assert curve.accuracy == pytest.approx([0.0, 0.75])
    assert curve.share == pytest.approx([0.2, 0.8])


def test_the_gaps_of_the_curve_are_the_calibration_error():
    turns = [
        made_turn(correct, "correct", confidence)
        for correct, confidence in [(True, 0.9), (False, 0.8), (True, 0.3), (False, 0.35)]
    ]
    data = Outcomes.of([made_episode(turn) for turn in turns])
    curve = reliability(data.stated, data.truth)
    gaps = curve.share @ np.abs(curve.confidence - curve.accuracy)
    assert gaps == pytest.approx(summarize(data)["ece_stated"])


def test_risk_falls_with_coverage_if_confidence_ranks_right_answers_first():
    risk = risk_coverage(np.array([0.1, 0.9, 0.5, 0.8]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert risk == pytest.approx([0.0, 0.0, 1 / 3, 0.5])


def test_answers_of_equal_confidence_have_no_order():
    truth = np.array([1.0, 0.0, 1.0, 0.0])
    assert risk_coverage(np.ones(4), truth) == pytest.approx([0.5] * 4)
    assert risk_coverage(np.ones(4), truth[::-1]) == pytest.approx([0.5] * 4)


def test_answers_without_a_confidence_come_last():
    risk = risk_coverage(np.array([math.nan, 0.0]), np.array([0.0, 1.0]))
    assert risk == pytest.approx([0.0, 0.5])


def test_the_confidence_of_an_episode_is_that_of_its_last_attempt():
    data = Outcomes.of(
        [
            made_episode(made_turn(False, "wrong", 0.9), made_turn(True, "correct", 0.7)),
            made_episode(made_turn(True, "correct", 0.6), made_turn(True)),
            made_episode(made_turn(False, "wrong", 0.8)),
        ]
    )
    stated = final_confidence(data, "stated")
    assert stated[[0, 2]] == pytest.approx([0.7, 0.2])
    assert math.isnan(stated[1])
