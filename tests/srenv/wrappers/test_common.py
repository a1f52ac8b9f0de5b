"""What holds of every wrapper."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import SyncVectorEnv

from srenv.wrappers import (
    BanditView,
    CalculatorTool,
    CalibrationStatistics,
    ChatObservation,
    EpisodeRecorder,
    TurnBudgetCurriculum,
    vector,
)
from srenv.wrappers.common import core
from tests.support.environments import make_env

WRAPPERS = [
    ChatObservation,
    CalibrationStatistics,
    CalculatorTool,
    BanditView,
    lambda env: TurnBudgetCurriculum(env, (1, 3), 0.5, 5),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_wrapped_environments_keep_gymnasiums_contract(wrap):
    env = wrap(make_env())
    env.unwrapped.spec = None
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_the_spec_of_a_wrapped_environment_survives_json(wrap):
    env = wrap(make_env())
    copy = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert copy.spec == env.spec
    (observation, info), (copied, copied_info) = env.reset(seed=3), copy.reset(seed=3)
    assert np.array_equal(copied, observation)
    assert copied_info == info


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_wrapped_environments_can_be_pickled(wrap):
    env = wrap(make_env())
    (observation, _), (copied, _) = env.reset(seed=1), pickle.loads(pickle.dumps(env)).reset(seed=1)
    assert np.array_equal(copied, observation)


@pytest.mark.parametrize("wrap", [*WRAPPERS, lambda env: EpisodeRecorder(env, "episodes.jsonl")])
def test_wrappers_refuse_other_environments(wrap):
    with pytest.raises(TypeError, match="self-correction environment"):
        wrap(gym.make("CartPole-v1"))


def test_wrappers_of_batches_refuse_other_vector_environments():
    with pytest.raises(TypeError, match="native vector environment"):
        vector.CalibrationStatistics(SyncVectorEnv([make_env]))


def test_core_is_the_environment_under_a_stack_of_wrappers():
    env = make_env()
    assert core(ChatObservation(CalibrationStatistics(env))) is env.unwrapped
