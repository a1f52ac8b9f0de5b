"""The wrappers of `srenv.wrappers.vector`, for batches."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

import srenv
from srenv.wrappers import ChatObservation, EpisodeRecorder, vector
from tests.support.environments import PROBLEM, make_env, make_envs, turn

MODES = list(AutoresetMode)


@pytest.mark.parametrize("mode", MODES)
def test_chats_are_those_of_the_wrapper_inside_sync_vector_env(mode):
    sync = SyncVectorEnv(
        [lambda: ChatObservation(make_env(max_attempts=2))] * 3, autoreset_mode=mode
    )
    envs = vector.ChatObservation(make_envs(3, mode, max_attempts=2))
    assert envs.observation_space == sync.observation_space
    assert envs.reset(seed=4)[0] == sync.reset(seed=4)[0]
    for step in range(6):
        verdicts = ["correct" if (step + i) % 3 == 0 else "wrong" for i in range(3)]
        turns = [turn(step, verdict) for verdict in verdicts]
        observations, *_, infos = envs.step(turns)
        expected, _, terminated, truncated, expected_infos = sync.step(turns)
        assert observations == expected
        assert ("final_obs" in infos) == ("final_obs" in expected_infos)
        if "final_obs" in infos:
            assert infos["final_obs"].tolist() == expected_infos["final_obs"].tolist()
        over = terminated | truncated
        if mode is AutoresetMode.DISABLED and over.any():
            first, second = ({"reset_mask": over.copy()} for _ in range(2))
            assert envs.reset(options=first)[0] == sync.reset(options=second)[0]


@pytest.mark.parametrize("mode", MODES)
def test_the_recorder_records_every_episode_that_ends(mode, tmp_path):
    envs = vector.EpisodeRecorder(make_envs(3, mode, max_attempts=2), tmp_path / "episodes.jsonl")
    envs.reset(seed=0)
    ended = 0
    for step in range(8):
        turns = [str(step), turn(step, "correct"), str(step)]
        *_, terminated, truncated, _ = envs.step(turns)
        over = terminated | truncated
        ended += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
    episodes = list(srenv.read_episodes(envs.path))
    assert len(episodes) == ended > 5
    assert {episode.ending for episode in episodes} == {"declared", "exhausted"}


@pytest.mark.parametrize("mode", MODES)
def test_episodes_that_a_limit_ends_are_recorded_as_truncated(mode, tmp_path):
    envs = make_envs(2, mode, max_attempts=5, max_episode_steps=2)
    envs = vector.EpisodeRecorder(envs, tmp_path / "episodes.jsonl")
    envs.reset(seed=0)
    for text in ("one", "two"):
        envs.step([text, turn(1, "wrong")])
    episodes = list(srenv.read_episodes(envs.path))
    assert [episode.ending for episode in episodes] == ["truncated"] * 2


def test_time_limits_inside_a_sync_vector_env_are_recorded(tmp_path):
    envs = gym.make_vec(
        "srenv:SelfCorrectMath-v0",
        2,
        vectorization_mode="sync",
        wrappers=[
            lambda env: TimeLimit(env, 1),
            lambda env: EpisodeRecorder(env, tmp_path / "episodes.jsonl"),
        ],
    )
    envs.reset(seed=0)
    envs.step(("one", "two"))
    episodes = list(srenv.read_episodes(tmp_path / "episodes.jsonl"))
    assert [episode.ending for episode in episodes] == ["truncated"] * 2


def test_calibration_is_masked_to_the_episodes_that_ended():
    envs = vector.CalibrationStatistics(make_envs(2, "SameStep"))
    envs.reset(seed=0, options={"problem": PROBLEM})
    *_, infos = envs.step([turn(4, "correct (0.8)"), "x"])
    assert infos["_calibration"].tolist() == [True, False]
    assert infos["calibration"]["agreement"][0] == 1.0
    assert infos["calibration"]["verdicts"].dtype == np.int64
    assert envs.summary()["accuracy_final"] == 1.0


def test_the_curriculum_counts_the_episodes_of_all_environments():
    envs = vector.TurnBudgetCurriculum(make_envs(4, "SameStep"), (1, 3), threshold=1.0, window=4)
    _, infos = envs.reset(seed=0, options={"problem": PROBLEM})
    assert infos["turn_budget"].tolist() == [1] * 4
    *_, terminated, _, infos = envs.step([turn(4, "wrong")] * 4)
    assert terminated.all()
    envs.reset(seed=1)
    *_, infos = envs.step(["x"] * 4)
    assert infos["turn_budget"].tolist() == [3] * 4
