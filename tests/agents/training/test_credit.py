import numpy as np
import pytest

from agents.models.roles import ATTEMPT, ENVIRONMENT, VERDICT
from agents.training.credit import (
    balanced_weight,
    comparable,
    grpo,
    make_estimator,
    reinforce,
    reward_to_go,
    rloo,
    scale_by_role,
    token_advantages,
)

# Two episodes of one problem, two turns, (attempt, verdict); the second stopped after turn 1.
REWARDS = np.array([[[0.0, -0.5], [1.0, 0.0]], [[1.0, -0.25], [0.0, 0.0]]])
PLAYED = np.array([[True, True], [True, False]])
ONE_GROUP = np.array([0, 0])


def test_reward_to_go_by_hand():
    assert np.array_equal(reward_to_go(REWARDS, 0.0), REWARDS)
    # Later turns flow into both segments; a verdict never flows into its own attempt.
    full = reward_to_go(REWARDS, 1.0)
    assert np.allclose(full[0], [[0.0 + 1.0, -0.5 + 1.0], [1.0, 0.0]])
    assert np.allclose(full[1], [[1.0, -0.25], [0.0, 0.0]])
    half = reward_to_go(REWARDS, 0.5)
    assert np.allclose(half[0, 0], [0.5, 0.0])


def test_leave_one_out_by_hand_with_zero_for_the_stopped():
    advantages = rloo(REWARDS, ONE_GROUP)
    assert np.allclose(advantages[0], [[-1.0, -0.25], [1.0, 0.0]])
    assert np.allclose(advantages[1], [[1.0, 0.25], [-1.0, 0.0]])


def test_groups_do_not_see_each_other_but_the_batch_baseline_does():
    rewards = np.concatenate([REWARDS, REWARDS + 10])
    groups = np.array([0, 0, 1, 1])
    assert np.allclose(rloo(rewards, groups)[:2], rloo(REWARDS, ONE_GROUP))
    assert not np.allclose(reinforce(rewards, groups)[:2], reinforce(REWARDS, ONE_GROUP))


def test_failed_episodes_and_those_they_leave_alone_are_not_compared():
    groups = np.array([0, 0, 0, 1, 1, 2, 2])
    complete = np.array([True, False, True, True, False, False, False])
    expected = [True, False, True, False, False, False, False]
    assert comparable(groups, complete).tolist() == expected
    assert comparable(groups, np.ones(7, bool)).all()


def test_grpo_divides_by_the_groups_deviation():
    advantages = grpo(REWARDS, ONE_GROUP, epsilon=0.0 + 1e-12)
    assert np.allclose(advantages[:, 0, 0], [-1, 1])
    assert np.allclose(grpo(np.ones((2, 1, 2)), ONE_GROUP), 0)


def test_leave_one_out_needs_company():
    with pytest.raises(ValueError, match="at least 2"):
        rloo(REWARDS, np.array([0, 1]))


@pytest.mark.parametrize("baseline", [rloo, reinforce])
@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("now", "later"), [(1.0, 0.0), (0.0, 1.0), (0.3, 0.7)])
def test_unbiased_when_the_policy_chooses_its_last_turn(baseline, discount, now, later):
    """The first verdict stops (and pays `now`) or continues (the next attempt pays `later`).

    The policy continues with probability p = sigmoid(theta). Under discount g the objective of the
    first verdict is (1 - p) * now + p * g * later, so its gradient in theta is
    p (1 - p) (g * later - now).
    """
    rng = np.random.default_rng(0)
    p, size, repeats = 0.4, 4, 40_000
    n = size * repeats
    went = rng.random(n) < p
    rewards = np.zeros((n, 2, 2))
    rewards[~went, 0, 1] = now
    rewards[went, 1, 0] = later
    groups = np.repeat(np.arange(repeats), size)
    if baseline is rloo:
        # The same estimator on all groups at once, which np.unique would do one by one.
        returns = reward_to_go(rewards, discount).reshape(repeats, size, 2, 2)
        total = returns.sum(axis=1, keepdims=True)
        advantages = (returns - (total - returns) / (size - 1)).reshape(n, 2, 2)
        few = slice(0, 10 * size)
        assert np.allclose(rloo(returns.reshape(n, 2, 2)[few], groups[few]), advantages[few])
    else:
        advantages = baseline(reward_to_go(rewards, discount), groups)
    score = np.where(went, 1 - p, -p)
    samples = score * advantages[:, 0, 1]
    truth = p * (1 - p) * (discount * later - now)
    assert abs(samples.mean() - truth) <= 4 * samples.std() / np.sqrt(n)


def test_normalizing_over_survivors_would_erase_go_on():
    """The trap that the estimators avoid: with the survivors' own mean, going on earns nothing."""
    rng = np.random.default_rng(0)
    went = rng.random(8) < 0.5
    later = np.ones(went.sum())
    assert np.allclose(later - later.mean(), 0)
    rewards = np.zeros((8, 2, 2))
    rewards[went, 1, 0] = 1.0
    ours = reinforce(reward_to_go(rewards, 1.0), np.zeros(8, dtype=int))
    assert (ours[went, 0, 1] > 0).all()
    assert (ours[~went, 0, 1] < 0).all()


def test_a_later_turn_does_not_pay_an_earlier_one_by_default():
    estimator = make_estimator("rloo")
    before = estimator(REWARDS, PLAYED, ONE_GROUP)[:, 0]
    changed = REWARDS.copy()
    changed[:, 1] += np.array([[5.0, 3.0], [0.0, 0.0]])
    assert np.allclose(estimator(changed, PLAYED, ONE_GROUP)[:, 0], before)


def test_tokens_get_their_segments_advantage():
    advantages = np.array([[1.0, 2.0], [3.0, 4.0]])
    turns = [1, 1, 1, 0, 0, 2, 2]
    roles = [ATTEMPT, ATTEMPT, VERDICT, ENVIRONMENT, ENVIRONMENT, ATTEMPT, VERDICT]
    assert token_advantages(advantages, turns, roles) == [1, 1, 2, 0, 0, 3, 4]


def test_scaling_by_role_gives_each_role_unit_spread_over_played_turns():
    rng = np.random.default_rng(0)
    advantages = rng.normal(size=(64, 3, 2)) * [5.0, 0.1]
    played = rng.random((64, 3)) < 0.7
    scaled = scale_by_role(advantages, played)
    assert np.allclose((scaled[played] ** 2).mean(axis=0), 1, atol=1e-3)


def test_actions_with_the_same_past_share_a_baseline():
    """S2R by hand: attempts and verdicts paid 1 or 0, the third episode stops after turn 1."""
    rewards = np.array(
        [
            [[0.0, 1.0], [1.0, 1.0]],
            [[0.0, 1.0], [0.0, 0.0]],
            [[1.0, 1.0], [0.0, 0.0]],
        ]
    )
    played = np.array([[True, True], [True, True], [True, False]])
    advantages = make_estimator("s2r")(rewards, played, np.arange(3))
    assert np.allclose(advantages[:, 0, 0], [-1 / 3, -1 / 3, 2 / 3])
    # Verdicts on attempts that are as wrong are compared with each other, and these agree.
    assert np.allclose(advantages[:, 0, 1], 0)
    assert np.allclose(advantages[:, 1, 0], [0.5, -0.5, 0])
    # Different pasts, so nothing to compare with; and no advantage where nothing was played.
    assert np.allclose(advantages[:, 1, 1], 0)
    rewards[1, 0, 1] = 0.0  # the second now misjudges its attempt
    advantages = make_estimator("s2r")(rewards, played, np.arange(3))
    assert np.allclose(advantages[:, 0, 1], [0.5, -0.5, 0])
    assert np.allclose(advantages[:, 1, 0], 0)


def own_estimator(rewards, played, groups):
    return np.full_like(rewards, played.sum())


def test_the_estimator_is_a_name_or_the_users_function():
    estimator = make_estimator("tests.agents.training.test_credit:own_estimator")
    assert estimator(REWARDS, PLAYED, ONE_GROUP).max() == 3
    with pytest.raises(ValueError, match=r"unknown estimator 'rlooo'.*rloo"):
        make_estimator("rlooo")


def test_the_adaptive_weight_makes_both_sides_equally_strong_within_bounds():
    push, pull = np.array([3.0, -3.0]), np.array([[1.0], [-1.0]])
    assert balanced_weight(push, pull, floor=0.5) == 3.0
    assert balanced_weight(push, 100 * pull, floor=0.5) == 0.5
    assert balanced_weight(push, 0 * pull, floor=0.5) == 5.0
    assert balanced_weight(np.zeros(0), pull, floor=0.5) == 0.5
