"""`TurnBudgetCurriculum`: more attempts as the agent gets better."""

import pytest

from srenv.wrappers import TurnBudgetCurriculum
from tests.support.environments import make_env, play, reset, turn


def test_the_budget_rises_when_enough_recent_episodes_end_right():
    env = TurnBudgetCurriculum(make_env(), (1, 2, 4), threshold=0.5, window=2)
    budgets = []
    for answer in (5, 5, 4, 4, 4, 4, 5):
        _, info = reset(env)
        budgets.append(info["turn_budget"])
        play(env, [turn(answer, "wrong")] * 4)
    assert budgets == [1, 1, 1, 2, 2, 4, 4]


def test_an_episode_ends_at_its_budget():
    env = TurnBudgetCurriculum(make_env(), (2, 4))
    reset(env)
    *_, truncated, info = play(env, [turn(5, "wrong")] * 4)
    assert truncated
    assert info["turn"] == info["turn_budget"] == 2


@pytest.mark.parametrize("budgets", [(), (2, 1), (0, 1), (1, 1)])
def test_budgets_must_rise_from_at_least_one(budgets):
    with pytest.raises(ValueError, match="budgets"):
        TurnBudgetCurriculum(make_env(), budgets)


@pytest.mark.parametrize("bad", [{"threshold": 1.1}, {"window": 0}])
def test_threshold_and_window_are_checked(bad):
    with pytest.raises(ValueError, match="threshold"):
        TurnBudgetCurriculum(make_env(), **bad)
