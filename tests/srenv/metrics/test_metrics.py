import itertools
import json
import math

import numpy as np
import pytest

from srenv.domains.maths import MATHS
from srenv.episode import Episode, Problem, Turn, read_episodes, write_episodes
from srenv.metrics import (
    Outcomes,
    brier_score,
    calibration_error,
    majority,
    measure,
    summarise,
    wilson,
)

PROBLEM = Problem("p", "What?", "1", "test")


def turn(correct, verdict=None, confidence=None, probability=None, answer="1", tokens=5):
    malformed = "" if verdict else "no_verdict"
    return Turn(
        "t", answer, verdict, confidence, 0, malformed, correct, "test", {}, probability, tokens
    )


def episode(*turns):
    return Episode(PROBLEM, [], list(turns), "exhausted")


def values(episodes):
    return {name: estimate.value for name, estimate in measure(Outcomes.of(episodes)).items()}


def test_accuracies_and_transitions_by_hand():
    got = values(
        [
            episode(turn(True, "correct")),
            episode(turn(False, "wrong"), turn(True, "correct")),
            episode(turn(True, "wrong"), turn(False, "wrong"), turn(False, "correct")),
            episode(turn(False, "correct")),
        ]
    )
    assert got["n"] == 4
    assert got["accuracy_t1"] == 0.5
    assert got["accuracy_final"] == 0.5
    assert (got["delta"], got["delta_ic"], got["delta_ci"]) == (0.0, 0.25, 0.25)
    # Conditional rates have their own denominators.
    assert (got["fix_rate"], got["break_rate"]) == (0.5, 0.5)
    # Right attempts: 3, two of them accepted. Wrong attempts: 4, two of them refused.
    assert got["verdict_tpr"] == pytest.approx(2 / 3)
    assert got["verdict_tnr"] == pytest.approx(2 / 4)
    # Of the two right first attempts one is accepted, of the two wrong ones one is refused.
    assert got["verdict_tpr_by_turn/1"] == 0.5
    assert got["verdict_tpr_by_turn/2"] == 1.0
    assert got["verdict_tnr_by_turn/1"] == 0.5
    assert got["turns"] == 7 / 4
    assert got["tokens"] == 35 / 4
    assert [got[f"accuracy_by_turn/{t}"] for t in (1, 2, 3)] == [0.5, 0.5, 0.5]


def test_delta_is_what_came_in_minus_what_went_out_always():
    for pattern in itertools.product([True, False], repeat=4):
        got = values(
            [
                episode(turn(pattern[0]), turn(pattern[1])),
                episode(turn(pattern[2]), turn(pattern[3])),
            ]
        )
        assert got["delta"] == pytest.approx(got["delta_ic"] - got["delta_ci"])
        assert got["delta"] == pytest.approx(got["accuracy_final"] - got["accuracy_t1"])


def test_malformed_verdicts_are_a_rate_of_their_own():
    got = values([episode(turn(True), turn(True, "correct"))])
    assert got["malformed_rate"] == 0.5
    assert got["verdict_tpr"] == 1.0


def test_stated_and_token_confidence_stay_apart():
    got = values(
        [
            episode(turn(True, "correct", confidence=0.8, probability=0.6)),
            episode(turn(False, "wrong", probability=0.9)),
        ]
    )
    assert got["brier_stated"] == pytest.approx((0.2**2 + 0.0) / 2)
    assert got["brier_token"] == pytest.approx((0.4**2 + 0.1**2) / 2)
    without = values([episode(turn(True, "correct"))])
    assert math.isnan(without["brier_token"])
    assert without["brier_stated"] == 0.0


def test_calibration_by_hand():
    q, c = np.array([0.95, 0.85, 0.15, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    ones = np.ones((1, 4))
    # Bins: 0.9-1.0 holds two right ones at 0.975; 0.8-0.9 one wrong; 0.1-0.2 one wrong.
    assert calibration_error(q, c, ones)[0] == pytest.approx((2 * 0.025 + 0.85 + 0.15) / 4)
    assert brier_score(q, c, ones)[0] == pytest.approx(np.mean((q - c) ** 2))


def test_undecided_problems_are_left_out_and_counted():
    got = values([episode(turn(None, "correct")), episode(turn(True, "correct"))])
    assert (got["undecided"], got["n"], got["accuracy_t1"]) == (1, 1, 1.0)


def test_nothing_to_measure_is_not_an_error():
    assert measure(Outcomes.of([]))["n"].value == 0
    assert summarise(Outcomes.of([])) == {}


def test_intervals_hold_their_value_and_shrink_with_n():
    def width(n):
        rng = np.random.default_rng(0)
        data = [
            episode(turn(bool(rng.random() < 0.4)), turn(bool(rng.random() < 0.8)))
            for _ in range(n)
        ]
        estimate = measure(Outcomes.of(data))["delta"]
        assert estimate.low <= estimate.value <= estimate.high
        return estimate.high - estimate.low

    assert width(1600) < 0.6 * width(200)


def test_wilson_is_honest_at_the_edges():
    assert wilson(0.0, 1000) == pytest.approx((0.0, 0.00383), abs=1e-5)
    low, high = wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_majority_joins_equal_answers_and_breaks_ties_by_order():
    def vote(answer, correct):
        return turn(correct, answer=answer)

    half, same, other = vote("\\frac12", True), vote("0.5", True), vote("3", False)
    assert majority([other, half, same], MATHS)
    assert not majority([other, half], MATHS)
    assert not majority([vote(None, False)], MATHS)


def test_votes_cost_all_their_tokens():
    group = [episode(turn(True)), episode(turn(False, answer="2")), episode(turn(True))]
    got = {k: v.value for k, v in measure(Outcomes.of_votes([group])).items()}
    assert got["accuracy_t1"] == pytest.approx(2 / 3)
    assert got["accuracy_final"] == 1.0
    assert got["tokens"] == 15


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
def test_our_metrics_reproduce_published_rows_from_their_transitions(row):
    first, final, delta, into, out_of = (round(10 * x) for x in row)
    kept = first - out_of
    data = (
        [episode(turn(True), turn(True))] * kept
        + [episode(turn(True), turn(False))] * out_of
        + [episode(turn(False), turn(True))] * into
        + [episode(turn(False), turn(False))] * (1000 - first - into)
    )
    got = values(data)
    assert got["accuracy_t1"] == pytest.approx(first / 1000)
    assert got["accuracy_final"] == pytest.approx(final / 1000, abs=0.0011)
    assert got["delta"] == pytest.approx(delta / 1000, abs=0.0011)


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
    got = values(data)
    acc = got["accuracy_t1"]
    p_ci = got["delta_ci"] / (acc * (1 - a))
    p_ic = got["delta_ic"] / ((1 - acc) * b)
    assert got["accuracy_final"] == pytest.approx(acc - acc * (1 - a) * p_ci + (1 - acc) * b * p_ic)
    assert p_ci == pytest.approx(0.3, abs=0.1)
    assert p_ic == pytest.approx(0.5, abs=0.05)


def test_episodes_survive_a_file(tmp_path):
    original = episode(turn(True, "correct", 0.5, 0.25), turn(None))
    path = write_episodes(tmp_path / "a" / "episodes.jsonl", [original, original])
    assert list(read_episodes(path)) == [original, original]


@pytest.mark.parametrize("line", ["{", "[]", '{"problem": {}}', json.dumps({"turns": []})])
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "episodes.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        list(read_episodes(path))
