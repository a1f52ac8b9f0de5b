import itertools
import json

import numpy as np
import pytest

from srenv.episode import Problem, Turn
from srenv.protocol import CONFIDENCE, PROTOCOLS
from srenv.rewards import PRESETS, Term, make_reward, register_term

PROBLEM = Problem("p", "2*3?", "6", "test")
ALWAYS_FIVE = Term("always_five", "attempt", lambda turns: 5.0)


def turn(correct, verdict="wrong", confidence=None, malformed=""):
    return Turn("", "1", verdict, confidence, 0, malformed, correct, "test")


def rewards_of(spec, *turns):
    """Total reward of each turn of an episode."""
    reward = make_reward(spec)
    return [sum(reward.by_term(turns[: i + 1]).values()) for i in range(len(turns))]


def test_improvement_telescopes_to_the_final_correctness():
    for outcome in itertools.product([True, False], repeat=4):
        total = sum(rewards_of("improvement=1", *[turn(c) for c in outcome]))
        assert total == float(outcome[-1])


def test_undecided_attempts_get_nothing_and_keep_the_sum():
    assert rewards_of("default", turn(None, "correct")) == [0.0]
    assert rewards_of("improvement=1", turn(True), turn(None), turn(True)) == [1.0, 0.0, 0.0]
    assert rewards_of("improvement=1", turn(True), turn(None), turn(False)) == [1.0, 0.0, -1.0]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [((0, 0), [0, 0]), ((0, 1), [0, 11]), ((1, 1), [1, 1]), ((1, 0), [1, -10])],
)
def test_score_matrix_with_alpha_10(outcome, expected):
    assert rewards_of("score", *[turn(bool(c)) for c in outcome]) == expected


def test_pag_rewards_attempts_verdicts_and_what_a_revision_changes():
    repaired = turn(False, "wrong"), turn(True, "correct")
    spoiled = turn(True, "wrong"), turn(False, "correct")
    assert rewards_of("pag", *repaired) == [1, 1 + 1 + 1]
    assert rewards_of("pag", *spoiled) == [1, -1]
    assert make_reward("pag").by_segment(make_reward("pag").by_term(repaired)) == {
        "attempt": 2.0,
        "verdict": 1.0,
    }


def test_rlcr_rewards_the_confidence_that_its_protocol_asks_for():
    def rewarded(text):
        parsed = CONFIDENCE.parse(text, PROBLEM)
        parsed_turn = Turn(
            text, parsed.answer, parsed.verdict, parsed.confidence, 0, parsed.malformed,
            parsed.answer == "6", "test",
        )  # fmt: skip
        return rewards_of("rlcr", parsed_turn)[0]

    assert "(0.8)" in CONFIDENCE.instruction
    assert CONFIDENCE not in PROTOCOLS.values()
    assert rewarded("\\boxed{6}\n[VERIFY] correct (0.8)") == pytest.approx(1 - 0.2**2)
    assert rewarded("\\boxed{6}\n[VERIFY] wrong (0.8)") == pytest.approx(1 - 0.8**2)
    assert rewarded("\\boxed{5}\n[VERIFY] correct (0.8)") == pytest.approx(-(0.8**2))
    assert rewarded("\\boxed{5}\n[VERIFY] wrong (0.8)") == pytest.approx(-(0.2**2))
    # Without a number the verdict counts as certain; without a verdict it costs more than that.
    assert rewarded("\\boxed{5}\n[VERIFY] correct") == -1
    assert rewarded("\\boxed{6}") == 0


@pytest.mark.parametrize(
    ("correct", "q", "expected"), [(True, 1, 1), (True, 0, 0), (False, 0, 0), (False, 1, -1)]
)
def test_rlcr_extremes(correct, q, expected):
    assert rewards_of("correctness=1,brier=1", turn(correct, "correct", float(q))) == [expected]


def test_a_stated_confidence_is_confidence_in_the_verdict():
    assert rewards_of("brier=1", turn(True, "wrong", 0.85)) == pytest.approx([-(0.85**2)])
    assert rewards_of("brier=1", turn(False, "wrong", 0.85)) == pytest.approx([-(0.15**2)])


@pytest.mark.parametrize("p", [0.1, 0.35, 0.5, 0.9])
def test_brier_is_greatest_at_the_true_probability(p):
    def expected(q):
        right, wrong = (rewards_of("brier=1", turn(c, "correct", q))[0] for c in (True, False))
        return p * right + (1 - p) * wrong

    grid = np.linspace(0, 1, 101)
    assert grid[np.argmax([expected(q) for q in grid])] == pytest.approx(p)


def test_a_missing_verdict_costs_more_than_the_worst_one():
    missing = rewards_of("default", turn(False, None, malformed="no_verdict"))
    worst = rewards_of("default", turn(False, "correct"))
    assert missing < worst


# A toy with two attempts. The first is right with probability p (or fails on purpose), the second
# with probability f after a wrong and k >= f after a right first attempt; a check tells right from
# wrong with accuracy s. The verdict follows the check or is constant; the last verdict is the best.
GRID = list(itertools.product(np.arange(0.05, 1, 0.1), repeat=2))
FOLLOW, CORRECT, WRONG = "follow", "correct", "wrong"


def toy_turns(spec, first, verdict, second):
    """Rewards of turn 1 and of turn 2, with a right verdict at turn 2."""
    turns = [turn(first, verdict), turn(second, "correct" if second else "wrong")]
    one, two = rewards_of(spec, *turns)
    return one, two


def toy_value(spec, p, f, k, s, verdict):
    """Expected (total, turn-1 attempt alone) of a policy on the toy."""
    total = attempt = 0.0
    for first, chance in ((True, p), (False, 1 - p)):
        says = {FOLLOW: s if first else 1 - s, CORRECT: 1.0, WRONG: 0.0}[verdict]
        attempt += chance * rewards_of({"improvement": 1.0}, turn(first))[0]
        total += chance * says * rewards_of(spec, turn(first, "correct"))[0]
        after = k if first else f
        for second, odds in ((True, after), (False, 1 - after)):
            one, two = toy_turns(spec, first, "wrong", second)
            # The last verdict follows the check as well: it is wrong with probability 1 - s.
            slip = (1 - s) * PRESETS["default"]["brier"]
            total += chance * (1 - says) * odds * (one + two - slip)
    return total, attempt


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_failing_the_first_attempt_on_purpose_is_never_profitable(keep):
    for p, f in GRID:
        k = f + keep * (1 - f)
        honest = max(toy_value("default", p, f, k, 1.0, v)[0] for v in (FOLLOW, CORRECT, WRONG))
        sandbag = max(toy_value("default", 0.0, f, k, 1.0, v)[0] for v in (FOLLOW, WRONG))
        assert honest > sandbag
        # Under turn-local credit the first attempt is rewarded by itself, whatever the check.
        for s in (0.6, 0.8, 1.0):
            assert (
                toy_value("default", p, f, k, s, FOLLOW)[1]
                > toy_value("default", 0.0, f, k, s, FOLLOW)[1]
            )


def test_the_papers_bonus_is_gamed_on_the_same_toy():
    # Xiong et al., section 5.6: 1.5 for wrong-then-right, 1.0 for right. Failing first gains more.
    def bonus(first, last):
        return 1.5 if last and not first else float(last)

    f = 0.9
    honest, sandbag = bonus(True, True), f * bonus(False, True)
    assert sandbag > honest


@pytest.mark.parametrize("accuracy", [0.9, 1.0])
def test_with_an_informative_check_no_constant_verdict_is_optimal(accuracy):
    for p, f in GRID:
        if p > accuracy - 0.05 or p < 1.05 - accuracy:
            continue  # the check must know more than the base rate does
        values = {
            v: toy_value("default", p, f, f, accuracy, v)[0] for v in (FOLLOW, CORRECT, WRONG)
        }
        if f >= 0.5:  # going on must be worth its price for "always correct" to lose outright
            assert values[FOLLOW] > values[CORRECT]
        assert values[FOLLOW] > values[WRONG] - (f - p if f > p else 0)


def test_terms_compose_by_name_and_weight():
    reward = make_reward("correctness=2, brier=0.5")
    assert reward.weights == {"correctness": 2.0, "brier": 0.5}
    rewards = reward.by_term([turn(True, "wrong")])
    assert rewards == {"correctness": 2.0, "brier": -0.5}
    assert reward.by_segment(rewards) == {"attempt": 2.0, "verdict": -0.5}


def test_own_terms_by_registration_and_by_attribute():
    register_term("answer_is_one", "attempt", lambda turns: float(turns[-1].answer == "1"))
    assert rewards_of("answer_is_one=3", turn(False)) == [3.0]
    assert rewards_of({"tests.srenv.test_rewards:ALWAYS_FIVE": 2.0}, turn(False)) == [10.0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("defualt", "unknown reward 'defualt'"),
        ("brierr=1", "brier"),
        ("brier=much", "not a number"),
        ({"srenv.rewards:PRESETS": 1.0}, "not a srenv Term"),
    ],
)
def test_bad_specs_say_what_is_wrong(spec, message):
    with pytest.raises(ValueError, match=message):
        make_reward(spec)


def test_every_preset_is_json_and_builds():
    for weights in PRESETS.values():
        assert make_reward(json.loads(json.dumps(weights))).weights == weights
    assert Problem("i", "p", "a", "s").checker is None
