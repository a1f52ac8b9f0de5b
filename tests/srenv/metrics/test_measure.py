"""`measure`, `difference` and `summarize`: metrics of the self-correction papers."""

import itertools
import math

import numpy as np
import pytest

from srenv.metrics import (
    Outcomes,
    brier_score,
    calibration_error,
    difference,
    measure,
    summarize,
    wilson,
)
from tests.support.episodes import made_episode as episode
from tests.support.episodes import made_turn as turn


def values(episodes):
    return {name: estimate.value for name, estimate in measure(Outcomes.of(episodes)).items()}


@pytest.fixture(scope="module")
def by_hand():
    """Metrics of four episodes of one to three turns; the numbers below are counted by hand."""
    return values(
        [
            episode(turn(True, "correct")),
            episode(turn(False, "wrong"), turn(True, "correct")),
            episode(turn(True, "wrong"), turn(False, "wrong"), turn(False, "correct")),
            episode(turn(False, "correct")),
        ]
    )


def test_accuracies_are_shares_of_episodes(by_hand):
    assert by_hand["n"] == 4
    assert by_hand["accuracy_t1"] == 0.5
    assert by_hand["accuracy_final"] == 0.5


def test_the_accuracy_by_turn_keeps_the_answer_of_an_episode_that_has_ended(by_hand):
    assert [by_hand[f"accuracy_by_turn/{t}"] for t in (1, 2, 3)] == [0.5, 0.5, 0.5]


def test_transitions_are_shares_of_all_episodes(by_hand):
    assert [by_hand[name] for name in ("delta", "delta_ic", "delta_ci")] == [0.0, 0.25, 0.25]


def test_fix_and_break_rates_are_conditional(by_hand):
    assert (by_hand["fix_rate"], by_hand["break_rate"]) == (0.5, 0.5)


def test_verdict_rates_count_the_turns_of_all_episodes(by_hand):
    # Right attempts: 3, two of them accepted. Wrong attempts: 4, two of them refused.
    assert by_hand["verdict_tpr"] == pytest.approx(2 / 3)
    assert by_hand["verdict_tnr"] == pytest.approx(2 / 4)
    assert by_hand["verdict_balanced"] == pytest.approx((2 / 3 + 2 / 4) / 2)


def test_verdict_rates_by_turn_count_that_turn_alone(by_hand):
    # Of the two right first attempts one is accepted, of the two wrong ones one is refused.
    assert by_hand["verdict_tpr_by_turn/1"] == 0.5
    assert by_hand["verdict_tpr_by_turn/2"] == 1.0
    assert by_hand["verdict_tnr_by_turn/1"] == 0.5


def test_turns_and_tokens_are_means_per_episode(by_hand):
    assert by_hand["turns"] == 7 / 4
    assert by_hand["tokens"] == 35 / 4


def test_delta_is_repaired_minus_spoiled():
    for pattern in itertools.product([True, False], repeat=4):
        metrics = values(
            [
                episode(turn(pattern[0]), turn(pattern[1])),
                episode(turn(pattern[2]), turn(pattern[3])),
            ]
        )
        assert metrics["delta"] == pytest.approx(metrics["delta_ic"] - metrics["delta_ci"])
        assert metrics["delta"] == pytest.approx(metrics["accuracy_final"] - metrics["accuracy_t1"])


def test_malformed_turns_have_a_rate_of_their_own():
    metrics = values([episode(turn(True), turn(True, "correct"))])
    assert metrics["malformed_rate"] == 0.5
    assert metrics["verdict_tpr"] == 1.0


def test_stated_confidence_is_scored_apart_from_token_confidence():
    metrics = values(
        [
            episode(turn(True, "correct", confidence=0.8, probability=0.6)),
            episode(turn(False, "wrong", probability=0.9)),
        ]
    )
    assert metrics["brier_stated"] == pytest.approx((0.2**2 + 0.0) / 2)
    assert metrics["brier_token"] == pytest.approx((0.4**2 + 0.1**2) / 2)


def test_token_confidence_without_probabilities_is_undefined():
    metrics = values([episode(turn(True, "correct"))])
    assert math.isnan(metrics["brier_token"])
    assert metrics["brier_stated"] == 0.0


def test_calibration_error_is_the_mean_gap_of_the_bins():
    confidence, truth = np.array([0.95, 0.85, 0.15, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    error = calibration_error(confidence, truth, np.ones((1, 4)))[0]
    # Bins: 0.9-1.0 holds two right ones at 0.975; 0.8-0.9 one wrong; 0.1-0.2 one wrong.
    assert error == pytest.approx((2 * 0.025 + 0.85 + 0.15) / 4)


def test_the_brier_score_is_the_mean_squared_error():
    confidence, truth = np.array([0.95, 0.85, 0.15, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    score = brier_score(confidence, truth, np.ones((1, 4)))[0]
    assert score == pytest.approx(np.mean((confidence - truth) ** 2))


def test_undecided_problems_are_left_out():
    metrics = values([episode(turn(None, "correct")), episode(turn(True, "correct"))])
    assert (metrics["undecided"], metrics["n"], metrics["accuracy_t1"]) == (1, 1, 1.0)


def test_nothing_to_measure_is_not_an_error():
    assert measure(Outcomes.of([]))["n"].value == 0
    assert summarize(Outcomes.of([])) == {}


def estimate_delta(n):
    rng = np.random.default_rng(0)
    episodes = [
        episode(turn(bool(rng.random() < 0.4)), turn(bool(rng.random() < 0.8))) for _ in range(n)
    ]
    return measure(Outcomes.of(episodes))["delta"]


def test_an_interval_holds_its_value():
    estimate = estimate_delta(200)
    assert estimate.low <= estimate.value <= estimate.high


def test_intervals_shrink_with_the_number_of_problems():
    few, many = estimate_delta(200), estimate_delta(1600)
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_paired_intervals_are_narrower_than_unpaired_ones():
    rng = np.random.default_rng(0)
    before = [bool(rng.random() < 0.5) for _ in range(400)]
    after = [correct or rng.random() < 0.1 for correct in before]
    outcomes = [Outcomes.of([episode(turn(c)) for c in column]) for column in (after, before)]
    gain = difference(*outcomes)["accuracy_final"]
    alone = measure(outcomes[0])["accuracy_final"]
    assert gain.low <= np.mean(after) - np.mean(before) <= gain.high
    assert gain.high - gain.low < alone.high - alone.low


def test_runs_of_different_lengths_cannot_be_paired():
    one, two = ([episode(turn(True))] * n for n in (1, 2))
    with pytest.raises(ValueError, match="cannot pair 2 problems with 1"):
        difference(Outcomes.of(two), Outcomes.of(one))


@pytest.mark.parametrize(
    ("share", "n", "interval"), [(0.0, 1000, (0.0, 0.00383)), (0.5, 100, (0.4038, 0.5962))]
)
def test_wilson_intervals_are_those_of_the_formula(share, n, interval):
    assert wilson(share, n) == pytest.approx(interval, abs=1e-4)


# Rows of the papers: turn 1, final, delta, i->c, c->i in percent (Xiong et al. 2025, tables 3, 8).
PUBLISHED = [
    (65.4, 51.4, -14.0, 1.4, 15.4),
    (72.6, 77.2, 4.6, 5.0, 0.4),
    (72.8, 78.6, 5.8, 6.0, 0.2),
    (75.8, 80.2, 4.4, 4.8, 0.4),
    (41.0, 43.4, 2.4, 2.8, 0.4),
    (20.7, 30.3, 9.6, 9.6, 0.0),
    (37.1, 40.3, 3.2, 7.2, 4.0),
]


@pytest.mark.parametrize("row", PUBLISHED)
def test_published_rows_follow_from_their_transitions(row):
    first, final, delta, into, out_of = (round(10 * x) for x in row)
    kept = first - out_of
    data = (
        [episode(turn(True), turn(True))] * kept
        + [episode(turn(True), turn(False))] * out_of
        + [episode(turn(False), turn(True))] * into
        + [episode(turn(False), turn(False))] * (1000 - first - into)
    )
    metrics = values(data)
    assert metrics["accuracy_t1"] == pytest.approx(first / 1000)
    assert metrics["accuracy_final"] == pytest.approx(final / 1000, abs=0.0011)
    assert metrics["delta"] == pytest.approx(delta / 1000, abs=0.0011)


def test_final_accuracy_decomposes_as_in_the_paper():
    # Acc@t2 = Acc@t1 - Acc@t1 (1-a) p_ci + (1 - Acc@t1) b p_ic for two-turn selective correction.
    rng = np.random.default_rng(1)
    data = []
    for _ in range(2000):
        right = bool(rng.random() < 0.6)
        says = rng.random() < (0.9 if right else 0.2)
        if says:
            data.append(episode(turn(right, "correct")))
        else:
            again = bool(rng.random() < (0.7 if right else 0.5))
            data.append(episode(turn(right, "wrong"), turn(again, "correct")))
    first = [e.turns[0] for e in data]
    a = np.mean([t.verdict == "correct" for t in first if t.correct])
    b = np.mean([t.verdict == "wrong" for t in first if not t.correct])
    metrics = values(data)
    acc = metrics["accuracy_t1"]
    p_ci = metrics["delta_ci"] / (acc * (1 - a))
    p_ic = metrics["delta_ic"] / ((1 - acc) * b)
    assert metrics["accuracy_final"] == pytest.approx(
        acc - acc * (1 - a) * p_ci + (1 - acc) * b * p_ic
    )
    assert p_ci == pytest.approx(0.3, abs=0.1)
    assert p_ic == pytest.approx(0.5, abs=0.05)
