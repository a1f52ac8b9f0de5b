"""`EpisodeRecorder`: finished episodes in a JSON Lines file."""

import multiprocessing

import pytest

import srenv
from srenv.wrappers import EpisodeRecorder
from tests.support.environments import PROBLEM, make_env, play, reset, turn

RIGHT = turn(4, "correct (0.8)")


def test_recorded_episodes_are_read_back(tmp_path):
    env = EpisodeRecorder(make_env(), tmp_path / "new" / "episodes.jsonl")
    reset(env)
    play(env, ["π", RIGHT])
    (episode,) = srenv.read_episodes(env.path)
    assert (episode.problem, episode.ending) == (PROBLEM, "declared")
    assert [turn.text for turn in episode.turns] == ["π", RIGHT]


def test_every_nth_episode_is_recorded(tmp_path):
    env = EpisodeRecorder(make_env(), tmp_path / "episodes.jsonl", every=2)
    for number in range(3):
        reset(env)
        play(env, [f"episode {number}", RIGHT])
    texts = [episode.turns[0].text for episode in srenv.read_episodes(env.path)]
    assert texts == ["episode 0", "episode 2"]


def test_every_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="every"):
        EpisodeRecorder(make_env(), tmp_path / "episodes.jsonl", every=0)


def test_lines_are_added_to_a_file_that_exists(tmp_path):
    for _ in range(2):
        env = EpisodeRecorder(make_env(), tmp_path / "episodes.jsonl")
        reset(env)
        play(env, [RIGHT])
    assert len(list(srenv.read_episodes(env.path))) == 2


@pytest.mark.parametrize("leave", [reset, lambda env: env.close()], ids=["reset", "close"])
@pytest.mark.parametrize("unfinished", [False, True])
def test_unfinished_episodes_are_recorded_on_request(leave, unfinished, tmp_path):
    env = EpisodeRecorder(make_env(), tmp_path / "episodes.jsonl", unfinished=unfinished)
    reset(env)
    env.step("one")
    leave(env)
    endings = [e.ending for e in srenv.read_episodes(env.path)] if env.path.exists() else []
    assert endings == ["running"] * unfinished


def test_an_episode_that_a_time_limit_ends_is_recorded_as_truncated(tmp_path):
    env = EpisodeRecorder(make_env(max_episode_steps=2), tmp_path / "episodes.jsonl")
    reset(env)
    play(env, ["one", "two"])
    (episode,) = srenv.read_episodes(env.path)
    assert (episode.ending, len(episode.turns)) == ("truncated", 2)


def test_an_episode_without_a_turn_is_not_recorded(tmp_path):
    env = EpisodeRecorder(make_env(), tmp_path / "episodes.jsonl", unfinished=True)
    reset(env)
    env.close()
    assert not env.path.exists()


def record_twenty(path):
    env = EpisodeRecorder(make_env(), path)
    for _ in range(20):
        reset(env)
        play(env, ["x" * 30_000, RIGHT])


@pytest.mark.slow
def test_processes_share_a_file(tmp_path):
    path = tmp_path / "shared.jsonl"
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=record_twenty, args=[path]) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(1 for _ in srenv.read_episodes(path)) == 40
