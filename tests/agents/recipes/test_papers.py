"""Facts of the papers that any implementation has to reproduce: numbers, rules, and traps."""

import math

import numpy as np
import pytest

from agents.recipes.process.search import StepSearch, scores, wins_in_both_orders, wins_once
from agents.training.credit import make_estimator, regression_weight, reward_array
from srenv.conversation import Conversation, Rules
from srenv.episode import Episode, Problem, Turn
from srenv.metrics import Outcomes, measure
from srenv.problems import grade
from srenv.protocol import PROTOCOLS, Protocol
from srenv.rewards import make_reward

PROBLEM = Problem("p", "What?", "1", "test")


def turn(correct, verdict=None, answer="1"):
    malformed = "" if verdict else "no_verdict"
    return Turn("t", answer, verdict, None, 0, malformed, correct, "test", {}, None, 5)


def episode(*turns):
    return Episode(PROBLEM, [], list(turns), "exhausted")


def value(data, name):
    return measure(data, resamples=1)[name].value


# Turn 1 / final / delta / i->c / c->i, in percent.
# Xiong et al. 2025, tables 3, 5, 8, 9, 10; Kumar et al. 2024, tables 1, 2, 3.
TRANSITIONS = """
65.4/66.8/1.4/1.4/0.0 23.4/25.6/2.2/2.2/0 9.9/11.7/1.8/1.8/0
65.4/51.4/-14.0/1.4/15.4 23.4/18.1/-5.3/2.2/7.5 9.9/8.4/-1.5/1.8/3.3
71.6/70.4/-1.2/5.0/6.2 36.5/32.5/-4.0/7.2/11.2 28.7/29.4/0.7/1.8/1.1
72.0/71.2/-0.8/3.0/3.8 35.7/35.5/-0.2/3.2/3.4 25.7/25.3/-0.4/0.8/1.2
72.6/77.2/4.6/5.0/0.4 35.4/39.4/4.0/4.7/0.7 23.2/28.7/5.5/7.3/1.8
72.8/78.6/5.8/6.0/0.2 37.6/40.1/2.5/3.5/1.0 26.8/34.6/7.8/9.6/1.8
75.8/80.2/4.4/4.8/0.4 41.0/43.4/2.4/2.8/0.4 34.0/38.4/4.4/5.1/0.7
20.7/30.3/9.6/9.6/0 36.2/45.0/8.8/8.8/0 64.0/72.1/8.1/8.1/0 74.6/83.1/8.5/8.5/0
20.7/26.2/5.5/8.8/3.3 36.2/39.2/3.0/7.5/4.5 64.0/68.0/4.0/5.9/1.9 74.6/76.7/2.1/5.5/3.4
20.7/22.0/1.3/8.8/7.5 36.2/35.3/-0.9/8.5/9.4 64.0/48.1/-15.9/7.1/23.0 74.6/67.4/-7.2/7.6/14.8
22.3/26.1/3.7/11.4/7.7 38.5/36.7/-1.8/10.5/12.3 76.0/63.1/-12.9/7.9/20.8 73.8/67.4/-6.4/9.0/15.4
22.7/27.1/4.4/11.7/7.3 37.9/38.8/0.9/9.4/8.5 75.7/67.0/-8.7/8.6/17.3 73.9/73.5/-0.4/8.6/9.0
22.6/27.9/5.3/8.8/3.5 37.1/40.3/3.2/7.2/4.0 73.2/78.2/5.0/9.1/4.1 76.1/79.2/3.1/4.7/1.6
22.6/33.9/11.3/11.3/0 37.1/46.8/9.7/9.7/0
24.1/33.1/9.0/9.0/0 43.1/51.0/7.9/7.9/0 67.5/74.0/6.5/6.5/0 81.5/86.6/5.1/5.1/0
24.1/25.6/1.5/10.0/8.5 43.0/41.7/-1.3/6.8/8.1 67.5/51.6/-15.9/6.1/22.0 81.5/74.8/-6.7/5.3/12.0
25.7/28.0/2.3/10.9/8.6 42.5/40.4/-2.1/9.3/11.4 77.9/62.5/-15.4/7.9/23.3 78.5/72.7/-5.8/8.6/14.4
25.5/28.6/3.1/10.6/7.5 42.9/43.1/0.2/8.1/7.9 78.4/66.9/-11.5/7.4/18.9 79.0/78.4/-0.6/6.3/6.9
24.1/29.3/5.2/8.7/3.5 43.1/44.6/1.5/6.1/4.6 67.5/69.9/2.4/4.5/2.1 81.5/82.3/0.9/2.3/1.4
25.0/29.4/4.4/7.5/3.1 43.1/45.7/2.6/6.7/4.1 76.4/80.5/4.1/7.7/3.6 80.8/82.6/1.8/2.7/0.9
36.2/38.9/2.7/7.4/4.7 37.4/40.1/2.7/7.4/4.7 38.1/40.3/2.2/8.0/5.8 37.8/40.5/2.7/7.4/4.7
37.9/40.8/2.9/6.6/3.7 24.9/29.1/4.2/9.3/5.1 24.2/27.8/3.6/5.5/1.9 23.9/28.6/4.7/6.5/1.8
23.3/29.9/6.6/9.4/2.8 28.3/30.5/2.2/8.0/5.8 75.3/79.1/3.8/8.1/4.3 74.6/79.9/5.3/7.1/1.8
74.6/81.0/6.4/8.9/2.5 74.9/80.7/5.8/8.6/2.8
52.6/41.4/-11.2/4.6/15.8 55.4/41.2/-14.2/5.4/19.6 53.6/54.0/0.4/2.6/2.2 52.4/54.2/1.8/5.4/3.6
55.0/55.0/0.0/0.0/0.0 52.8/51.8/-1.0/3.2/4.2 60.0/64.4/4.4/5.8/1.4
53.7/56.7/3.0/7.9/4.9 53.7/52.5/-1.2/9.8/11.0 56.1/54.3/-1.8/4.3/6.1 52.4/64.6/12.2/15.2/3.0
"""


@pytest.mark.parametrize("row", TRANSITIONS.split())
def test_published_rows_follow_from_their_transitions(row):
    first, final, delta, into, out_of = (round(10 * float(cell)) for cell in row.split("/"))
    data = Outcomes.of(
        [episode(turn(True), turn(True))] * (first - out_of)
        + [episode(turn(True), turn(False))] * out_of
        + [episode(turn(False), turn(True))] * into
        + [episode(turn(False), turn(False))] * (1000 - first - into)
    )
    got = measure(data, resamples=1)
    assert got["accuracy_t1"].value == pytest.approx(first / 1000)
    # Each printed number is rounded by itself: a tenth of a point of slack.
    assert got["accuracy_final"].value == pytest.approx(final / 1000, abs=0.0011)
    assert got["delta"].value == pytest.approx(delta / 1000, abs=0.0011)
    assert got["fix_rate"].value == pytest.approx(into / (1000 - first))
    assert got["break_rate"].value == pytest.approx(out_of / first)


# Xiong et al. 2025, table 8: turn 1, i->c, c->i, printed p(c->i), verdicts right on right attempts.
TABLE_8 = [
    (36.2, 7.5, 4.5, 37.6, 66.9),
    (36.2, 7.4, 4.7, 39.4, 67.0),
    (37.4, 7.4, 4.7, 45.0, 72.1),
    (37.1, 7.2, 4.0, 36.1, 70.0),
    (38.1, 8.0, 5.8, 41.7, 63.6),
    (37.7, 8.0, 4.7, 33.0, 61.5),
    (37.8, 7.4, 4.7, 45.2, 72.6),
    (37.9, 6.6, 3.7, 35.2, 72.1),
]


@pytest.mark.parametrize(("first", "into", "out_of", "printed", "accepted"), TABLE_8)
def test_the_share_of_right_answers_lost_after_a_wrong_verdict(
    first, into, out_of, printed, accepted
):
    n = 20_000
    right, lost = round(n * first / 100), round(n * out_of / 100)
    flagged = right - round(right * accepted / 100)
    data = Outcomes.of(
        [episode(turn(True, "correct"))] * (right - flagged)
        + [episode(turn(True, "wrong"), turn(False, "correct"))] * lost
        + [episode(turn(True, "wrong"), turn(True, "correct"))] * (flagged - lost)
        + [episode(turn(False, "correct"))] * (n - right)
    )
    assert value(data, "verdict_tpr_by_turn/1") == pytest.approx(accepted / 100, abs=1e-3)
    assert 100 * value(data, "p_ci") == pytest.approx(printed, abs=0.65)
    assert into > out_of


def test_the_share_of_wrong_answers_mended_after_a_right_verdict():
    # Xiong et al., GSM8K: i->c 9.1, turn 1 73.2, verdicts right on 74.0% of wrong attempts: 45.9%
    wrong = 2680
    flagged, mended = round(wrong * 0.740), 910
    data = Outcomes.of(
        [episode(turn(True, "correct"))] * 7320
        + [episode(turn(False, "wrong"), turn(True, "correct"))] * mended
        + [episode(turn(False, "wrong"), turn(False, "correct"))] * (flagged - mended)
        + [episode(turn(False, "correct"))] * (wrong - flagged)
    )
    assert 100 * value(data, "p_ic") == pytest.approx(45.9, abs=0.1)


def test_rise_weights():
    weights = [regression_weight(r, 0.4) for r in (1, 0, -1)]
    assert weights == pytest.approx([12.1825, 1.0, 0.0821], abs=1e-4)


def test_six_candidates_judged_once_can_never_tie():
    rng = np.random.default_rng(0)
    for _ in range(200):
        flips = rng.random((6, 6)) < 0.5
        score = scores(wins_once(6, lambda i, j, flips=flips: bool(flips[i, j])))
        assert score.sum() == 15
        assert score.max() > score.min()


def test_a_preference_cycle_of_three_rolls_back_the_step_before_and_its_pair():
    search = StepSearch()
    assert search.settle(["a", "b"], wins_once(2, lambda i, j: False))
    assert search.steps == ["b"]
    assert (search.pairs[0].context, search.pairs[0].best, search.pairs[0].worst) == ((), "b", "a")
    cycle = wins_once(3, lambda i, j: (i, j) != (0, 2))
    assert scores(cycle).tolist() == [1, 1, 1]
    assert not search.settle(["x", "y", "z"], cycle)
    assert (search.steps, search.pairs, search.rollbacks) == ([], [], 1)
    # At the start there is nothing to take back.
    assert not search.settle(["x", "y", "z"], cycle)
    assert search.rollbacks == 2


def test_judgments_that_contradict_each_other_cancel():
    always_the_first = wins_in_both_orders(6, lambda i, j: True)
    assert not always_the_first.any()
    assert not StepSearch().settle(list("abcdef"), always_the_first)
    honest = wins_in_both_orders(3, lambda i, j: i < j)
    assert scores(honest).tolist() == [2, 1, 0]


def play(spec, *outcome):
    """Two attempts, right or wrong as said, paid by `spec`."""
    protocol = PROTOCOLS["intrinsic"]
    conversation = Conversation(PROBLEM, Rules(protocol, len(outcome), make_reward(spec)))
    for right in outcome:
        conversation.step(f"\\boxed{{{1 if right else 2}}}")
    return conversation.episode


def rewards_of(episodes, reward):
    """The rewards of episodes by turn and segment."""
    segments = [[reward.by_segment(turn.rewards) for turn in e.turns] for e in episodes]
    return reward_array([[(s["attempt"], s["verdict"]) for s in turns] for turns in segments])


def test_the_totals_alone_reward_failing_first_and_turn_local_credit_does_not():
    reward = make_reward("score")
    honest, sandbag = play("score", True, True), play("score", False, True)
    assert (honest.reward, sandbag.reward) == (2, 11)
    (rewards, played), groups = rewards_of([honest, sandbag], reward), np.array([0, 0])
    local = make_estimator("rloo", 0.0)(rewards, played, groups)[:, 0, 0]
    assert local[0] > 0 > local[1]
    wide = make_estimator("rloo", 1.0)(rewards, played, groups)[:, 0, 0]
    assert wide[0] < 0 < wide[1]


def test_the_final_bonus_of_1_5_is_hacked_by_episode_wide_credit_alone():
    spec = {"final_bonus": 1.0}
    totals = {o: play(spec, *o).reward for o in [(0, 0), (0, 1), (1, 0), (1, 1)]}
    assert totals == {(0, 0): 0.0, (0, 1): 1.5, (1, 0): 0.0, (1, 1): 1.0}
    episodes = [play(spec, True, True), play(spec, False, True)]
    (rewards, played), groups = rewards_of(episodes, make_reward(spec)), np.array([0, 0])
    wide = make_estimator("rloo", 1.0)(rewards, played, groups)[:, 0, 0]
    local = make_estimator("rloo", 0.0)(rewards, played, groups)[:, 0, 0]
    assert wide[0] < 0 < wide[1]
    assert local[0] > 0 > local[1]


@pytest.mark.parametrize(
    ("outcome", "paid"), [((0, 1), [0, 1]), ((1, 1), [0, 1]), ((1, 0), [0, 0])]
)
def test_stage_one_pays_the_second_attempt_alone(outcome, paid):
    turns = play("score_stage1", *outcome).turns
    assert [sum(t.rewards.values()) for t in turns] == paid


ANYWHERE = Protocol(marker="once")


@pytest.mark.parametrize(
    ("text", "answer", "verdict"),
    [
        ("\\boxed{6} [VERIFY] correct", "6", "correct"),
        ("\\boxed{6}\n[VERIFY] wrong. So I stop.", "6", "wrong"),
        ("\\boxed{6}\n\\boxed{[VERIFY] correct}", "6", "correct"),
        ("\\boxed{6}\n\\boxed{\\text{[VERIFY] wrong}}", "6", "wrong"),
        ("[VERIFY] wrong\n\\boxed{6}\n[VERIFY] correct", "6", None),
        ("\\boxed{6}\n[VERIFY] correct [VERIFY] wrong", "6", None),
        ("\\boxed{6}\n[VERIFY] maybe", "6", None),
        ("\\boxed{6}", "6", None),
    ],
)
def test_one_marker_anywhere_as_in_the_papers_scripts(text, answer, verdict):
    parsed = ANYWHERE.parse(text, PROBLEM)
    assert (parsed.answer, parsed.verdict) == (answer, verdict)
    assert bool(parsed.malformed) == (verdict is None)


def test_what_an_unreadable_verdict_leads_to():
    def after(**changes):
        protocol = Protocol(**changes)
        conversation = Conversation(PROBLEM, Rules(protocol, max_attempts=3))
        return conversation.step("\\boxed{1}\nwell"), conversation.episode.ending

    played, ending = after()
    assert (played.verdict, played.malformed, ending) == (None, "no_verdict", "running")
    # Xiong et al., two-turn format: stop, and keep the answer.
    played, ending = after(unreadable="stop")
    assert (played.verdict, played.malformed, ending) == (None, "no_verdict", "unreadable")
    # S2R: read it as correct.
    played, ending = after(unreadable="correct")
    assert (played.verdict, played.malformed, ending) == ("correct", "", "declared")


def test_reading_as_correct_never_overrules_a_verdict_or_a_missing_answer():
    protocol = Protocol(unreadable="correct")
    assert protocol.parse("\\boxed{1}\n[VERIFY] wrong", PROBLEM).verdict == "wrong"
    assert protocol.parse("no box", PROBLEM).malformed == "no_answer"
    without = PROTOCOLS["intrinsic"]
    assert without.parse("\\boxed{1}", PROBLEM).verdict is None


def test_gold_answers_with_thousands_separators_are_read_whole():
    problem = Problem("g", "How many?", "2,125", "test")
    assert grade(problem, "2125").correct
    assert grade(problem, "2,125").correct
    assert not grade(problem, "2").correct


def test_gsm8k_has_fourteen_such_answers_and_all_can_be_met(data_file):
    import srenv

    source = srenv.load_problems(f"jsonl:{data_file('gsm8k_test.jsonl')}")
    large = [p for p in source.take(source.size, 0) if "," in p.answer]
    if large:  # the file may hold them without separators
        assert len(large) == 14
    for problem in large:
        assert grade(problem, problem.answer.replace(",", "")).correct


def test_votes_over_turns_and_the_oracle_over_turns():
    data = [
        episode(turn(True), turn(False, answer="2"), turn(False, answer="3"), turn(True)),
        episode(turn(False, answer="2"), turn(True), turn(False, answer="2"), turn(True)),
    ]
    votes = Outcomes.of_turn_votes(data)
    # Ties go to the answer given first.
    assert votes.by_turn.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]]
    assert votes.final.tolist() == [1, 0]
    oracle = Outcomes.of_any_turn(data)
    assert oracle.final.tolist() == [1, 1]
    assert oracle.turns.tolist() == [1, 2]
    assert oracle.tokens.tolist() == [5, 10]


def test_costs_are_counted_in_what_was_generated():
    stops = episode(turn(True, "correct"))
    revises = episode(turn(False, "wrong"), turn(True, "correct"))
    selective = Outcomes.of([stops, revises])
    assert (value(selective, "turns"), value(selective, "tokens")) == (1.5, 7.5)
    ballots = Outcomes.of_votes([[episode(turn(True))] * 3])
    assert (value(ballots, "turns"), value(ballots, "tokens")) == (3, 15)
    assert math.isnan(value(ballots, "p_ci"))
