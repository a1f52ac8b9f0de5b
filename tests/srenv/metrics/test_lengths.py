"""Lengths and truncation rates by turn, and episodes that failed."""

from dataclasses import replace

import numpy as np
import pytest

from srenv.metrics import Outcomes, measure, summarize
from srenv.metrics.measure import turn_lengths
from tests.support.episodes import made_episode, made_turn


def turn(tokens, truncated=False, correct=True):
    return replace(made_turn(correct, "correct", tokens=tokens), truncated=truncated)


def test_lengths_and_truncation_are_those_of_the_turns_that_were_played():
    metrics = summarize(
        Outcomes.of(
            [
                made_episode(turn(10), turn(30, truncated=True)),
                made_episode(turn(20)),
                made_episode(turn(60, truncated=True)),
            ]
        )
    )
    assert metrics["length_mean_by_turn/1"] == pytest.approx(30)
    assert metrics["length_max_by_turn/1"] == 60
    assert metrics["length_mean_by_turn/2"] == 30
    assert metrics["truncation_rate_by_turn/1"] == pytest.approx(1 / 3)
    assert metrics["truncation_rate_by_turn/2"] == 1.0
    assert metrics["truncation_rate"] == 0.5


def test_the_percentile_is_a_length_that_occurs():
    lengths = np.arange(1.0, 101.0)
    assert turn_lengths(lengths, np.ones((1, 100)))["p95"][0] == 95


def test_lengths_are_weighted():
    lengths, weights = np.array([9.0, 1.0, 5.0]), np.array([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    values = turn_lengths(lengths, weights)
    assert [values[name][0] for name in ("mean", "p95", "max")] == [4.0, 5.0, 5.0]
    assert all(np.isnan(values[name][1]) for name in values)


def test_what_was_not_counted_has_no_length():
    metrics = measure(Outcomes.of([made_episode(replace(turn(None), truncated=None))]))
    assert np.isnan(metrics["length_mean_by_turn/1"].value)
    assert np.isnan(metrics["truncation_rate"].value)


def test_failed_episodes_are_counted_and_keep_their_last_answer():
    late = replace(made_episode(turn(5)), ending="failed", failure="too long")
    early = replace(made_episode(), ending="failed", failure="too long")
    metrics = measure(Outcomes.of([late, early, made_episode(turn(5, correct=False))]))
    assert (metrics["failed"].value, metrics["n"].value, metrics["undecided"].value) == (2, 2, 0)
    assert metrics["accuracy_final"].value == 0.5


def test_a_vote_without_all_of_its_samples_is_left_out():
    early = replace(made_episode(), ending="failed")
    outcomes = Outcomes.of_votes([[early, made_episode(turn(5))], [made_episode(turn(5))] * 2])
    assert (len(outcomes.final), outcomes.failed) == (1, 1)
