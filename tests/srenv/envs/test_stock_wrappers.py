"""Gymnasium's own wrappers around the environments."""

import gymnasium as gym
import pytest
from gymnasium.wrappers import (
    Autoreset,
    ClipReward,
    DelayObservation,
    FlattenObservation,
    FrameStackObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    StickyAction,
    TimeAwareObservation,
    TimeLimit,
    TransformAction,
    TransformObservation,
    TransformReward,
)
from gymnasium.wrappers import vector as vector_wrappers

from srenv.wrappers import ChatObservation

RIGHT = "\\boxed{{{}}}\n[VERIFY] {}"


def prefixed_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


def chat_env():
    return ChatObservation(prefixed_env())


@pytest.mark.parametrize("make", [prefixed_env, chat_env])
def test_wrappers_of_gymnasium_accept_the_environment(make):
    turn = RIGHT.format(1, "wrong")
    for wrap in (
        RecordEpisodeStatistics,
        lambda env: TimeLimit(env, 2),
        Autoreset,
        lambda env: ClipReward(env, -1, 1),
        NormalizeReward,
        lambda env: StickyAction(env, 0.5),
        lambda env: TransformAction(env, str.strip, env.action_space),
        lambda env: FrameStackObservation(env, 2),
        lambda env: DelayObservation(env, 1),
        lambda env: TransformReward(env, lambda reward: 2 * reward),
        lambda env: TransformObservation(env, lambda x: x, env.observation_space),
    ):
        env = wrap(make())
        env.reset(seed=0)
        assert env.step(turn)[0] in env.observation_space


def test_flattening_wrappers_accept_text():
    for wrap in (FlattenObservation, lambda env: TimeAwareObservation(TimeLimit(env, 2))):
        env = wrap(prefixed_env())
        env.reset(seed=0)
        assert env.step("π")[0] in env.observation_space


def test_vector_wrappers_of_gymnasium_accept_the_native_environment():
    turns = [RIGHT.format(1, "correct"), "x"]
    for wrap in (
        vector_wrappers.RecordEpisodeStatistics,
        vector_wrappers.DictInfoToList,
        lambda envs: vector_wrappers.TransformReward(envs, lambda reward: 2 * reward),
    ):
        envs = wrap(gym.make_vec("SelfCorrectMath-v0", 2, autoreset_mode="SameStep"))
        envs.reset(seed=0)
        infos = envs.step(turns)[4]
    assert infos["_final_obs"].tolist() == [True, False]
    envs = vector_wrappers.RecordEpisodeStatistics(gym.make_vec("SelfCorrectMath-v0", 2))
    envs.reset(seed=0)
    assert envs.step(turns)[4]["_episode"].tolist() == [True, False]
