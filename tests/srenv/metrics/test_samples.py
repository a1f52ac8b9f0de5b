"""Several samples per problem: means, pass@k, and intervals by problem."""

import itertools
import math

import numpy as np
import pytest

from srenv.episode import Problem, write_episodes
from srenv.metrics import Outcomes, Reading, difference, measure, pass_at_k
from tests.support.episodes import made_episode, made_turn


def sampled(*grades):
    """Episodes of several problems: `grades[i]` are the grades of the samples of problem i."""
    return [
        made_episode(made_turn(grade, "correct"), problem=Problem(str(i), "?", "1", "test"))
        for i, samples in enumerate(grades)
        for grade in samples
    ]


def test_pass_at_k_is_the_share_of_all_choices_that_hold_a_right_sample():
    grades = [True, False, False, True, False]
    for k in range(1, 6):
        choices = list(itertools.combinations(grades, k))
        share = sum(map(any, choices)) / len(choices)
        assert pass_at_k(np.array([2]), np.array([5]), k)[0] == pytest.approx(share)


def test_metrics_are_means_over_problems_of_the_means_of_their_samples():
    metrics = measure(Outcomes.of_samples(sampled([True, False], [True, True], [False, False])))
    assert metrics["accuracy_final"].value == pytest.approx(0.5)
    assert metrics["pass@1"].value == pytest.approx(0.5)
    assert metrics["pass@2"].value == pytest.approx(2 / 3)
    assert (metrics["n"].value, metrics["samples"].value) == (3, 2)


def test_a_problem_of_which_a_sample_is_undecided_keeps_the_others():
    metrics = measure(Outcomes.of_samples(sampled([True, None], [False, False])))
    assert metrics["accuracy_final"].value == 0.5  # 1 of 1 and 0 of 2
    assert metrics["undecided"].value == 1
    assert metrics["pass@2"].value == 0.0  # known for the second problem alone


def test_powers_of_two_and_all_samples_are_reported():
    names = measure(Outcomes.of_samples(sampled([True] * 6, [False] * 6)))
    assert [name for name in names if name.startswith("pass@")] == [
        f"pass@{k}" for k in (1, 2, 4, 6)
    ]


def test_intervals_do_not_shrink_with_samples_that_agree():
    rng = np.random.default_rng(0)
    right = [bool(rng.random() < 0.5) for _ in range(200)]
    once, often = (
        measure(Outcomes.of_samples(sampled(*[[grade] * k for grade in right])))["accuracy_final"]
        for k in (1, 16)
    )
    assert once.value == often.value
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.1)


def test_one_sample_per_problem_is_measured_as_before():
    episodes = sampled([True], [False], [True])
    samples, alone = measure(Outcomes.of_samples(episodes)), measure(Outcomes.of(episodes))
    assert repr(samples) == repr(alone)  # nan is not equal to itself


def test_samples_of_two_runs_are_paired_by_problem():
    before, after = sampled([True, False], [False, False]), sampled([True], [True])
    gain = difference(Outcomes.of_samples(after), Outcomes.of_samples(before))
    assert gain["accuracy_final"].value == pytest.approx(0.75)


def test_a_file_of_samples_holds_the_problems_of_which_one_is_decided(tmp_path):
    path = write_episodes(tmp_path / "e.jsonl", sampled([True, None], [None, None], [False, True]))
    reading = Reading(path, "samples")
    assert reading.problems() == ["0", "2"]
    assert len(reading.outcomes().samples) == 2


def test_pooled_samples_stay_with_their_problem_and_run():
    run = Outcomes.of_samples(sampled([True, False], [True, True]))
    assert Outcomes.pooled([run, run]).problem.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert math.isclose(measure(Outcomes.pooled([run, run]))["accuracy_final"].value, 0.75)
