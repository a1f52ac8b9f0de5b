"""Gymnasium's contract, for every registered id; `.ci/conformance` runs it on other versions."""

import copy
import json
import pickle
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
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

import srenv
from srenv.envs import ENVIRONMENTS
from srenv.envs.spaces import Chat, UnicodeText
from srenv.testing import check_environment, check_source, check_vector_parity
from srenv.wrappers import ChatObservation

LOCAL = {"SelfCorrectGSM8K-v0": "gsm8k_test.jsonl", "SelfCorrectMATH500-v0": "math500.jsonl"}
MODES = list(AutoresetMode)
RIGHT = "\\boxed{{{}}}\n[VERIFY] {}"


def prefixed_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


def chat_env():
    return ChatObservation(prefixed_env())


@pytest.fixture(scope="module")
def integers(tmp_path_factory):
    """A source without endless drawing: 200 problems with integer answers."""
    path = tmp_path_factory.mktemp("data") / "integers.jsonl"
    rows = [{"problem": f"What is {n}+{n}?", "answer": str(2 * n)} for n in range(200)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"jsonl:{path}"


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_registered_environment_conforms(env_id, data_file):
    kwargs = {"problems": f"jsonl:{data_file(LOCAL[env_id])}"} if env_id in LOCAL else {}
    check_environment(env_id, **kwargs)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_entry_points_are_strings_and_their_sources_are_sound(env_id):
    spec = gym.spec(env_id)
    assert isinstance(spec.entry_point, str)
    assert isinstance(spec.vector_entry_point, str)
    assert not spec.additional_wrappers
    source = spec.kwargs.get("problems", "synthetic:linear")
    if source.startswith("synthetic:"):
        check_source(source, "train")
        check_source(source, "eval")


def test_online_sources_say_what_to_do_without_a_network():
    try:
        gym.make("SelfCorrectGSM8K-v0")
    except (ValueError, ImportError) as error:
        message = str(error)
    else:
        pytest.skip("the dataset is in the cache, or there is a network")
    assert "hf:openai/gsm8k" in message
    assert "pip install" in message or "jsonl:" in message


@pytest.mark.parametrize("mode", MODES)
def test_the_vector_environment_is_sync_vector_env_over_thousands_of_episodes(mode, integers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        episodes = check_vector_parity(
            "SelfCorrectMath-v0", mode, num_envs=16, steps=350, seed=11, problems=integers
        )
    assert episodes > 1500


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "reward", ["score", {"tests.srenv.envs.test_conformance:TEXT_LENGTH": 0.5}]
)
def test_parity_with_an_outer_limit_and_other_rewards(mode, reward):
    episodes = check_vector_parity(
        "SelfCorrectMath-v0",
        mode,
        num_envs=4,
        steps=60,
        reward=reward,
        max_attempts=4,
        max_episode_steps=3,
    )
    assert episodes > 50


TEXT_LENGTH = srenv.rewards.Term("length", "attempt", lambda turns: -len(turns[-1].text) / 1000)


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("shared_memory", [True, False])
def test_worker_processes_agree_with_it(context, shared_memory):
    episodes = check_vector_parity(
        "srenv:SelfCorrectMath-v0",
        AutoresetMode.SAME_STEP,
        num_envs=2,
        steps=12,
        vectorization_mode="async",
        vector_kwargs={"context": context, "shared_memory": shared_memory},
    )
    assert episodes > 3


@pytest.mark.slow
@pytest.mark.parametrize("make", [prefixed_env, chat_env])
def test_spawned_workers_find_the_environment_and_its_spaces(make):
    sync = SyncVectorEnv([make] * 2)
    workers = AsyncVectorEnv([make] * 2, context="spawn")
    try:
        assert workers.reset(seed=1)[0] == sync.reset(seed=1)[0]
        for turns in [("π \\boxed{3}\n[VERIFY] wrong", "b\x00\n😀"), ("c", "d")]:
            ours, theirs = workers.step(turns)[0], sync.step(turns)[0]
            assert ours == theirs
            assert ours in workers.observation_space
    finally:
        workers.close()


def test_a_fresh_process_needs_no_import():
    code = (
        "import gymnasium as gym\n"
        "env = gym.make('srenv:SelfCorrectMath-v0'); env.reset(seed=0)\n"
        "envs = gym.make_vec('srenv:SelfCorrectFactor-v0', 2)\n"
        "print(type(envs).__name__, env.spec.id)"
    )
    run = [sys.executable, "-W", "error", "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=False)
    assert out.stdout.split() == ["SelfCorrectMathVectorEnv", "SelfCorrectMath-v0"], out.stderr


# --- spaces ---------------------------------------------------------------------------------------


def test_contains_is_fast_and_refuses_what_cannot_be_sent():
    space = UnicodeText(100)
    assert "" in space
    assert "x" * 100 in space
    assert "x" * 101 not in space
    assert "a\ud800" not in space
    chat = Chat(2, 10)
    hello = {"role": "user", "content": "hello"}
    assert (hello, hello) in chat
    assert [hello] in chat
    assert (hello,) * 3 not in chat
    assert ({"role": "user", "content": "x" * 11},) not in chat
    for bad in ({"role": "robot", "content": ""}, {"role": "user"}, {**hello, "name": "x"}):
        assert (bad,) not in chat
    assert ({"role": "user", "content": "\ud800"},) not in chat


@pytest.mark.parametrize("space", [UnicodeText(50), Chat(3, 60)])
def test_spaces_survive_copies_json_and_seeds(space):
    space.seed(3)
    drawn = [space.sample() for _ in range(20)]
    space.seed(3)
    assert [space.sample() for _ in range(20)] == drawn
    assert all(x in space for x in drawn)
    assert pickle.loads(pickle.dumps(space)) == copy.deepcopy(space) == space
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(drawn)))) == drawn


def test_masked_samples_keep_gymnasiums_meaning():
    space = UnicodeText(10, seed=0)
    mask = (4, np.array([c == "7" for c in space.character_list], dtype=np.int8))
    assert space.sample(mask=mask) == "7777"


@pytest.mark.parametrize("make", [prefixed_env, chat_env])
def test_stock_wrappers_take_it(make):
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


def test_flattening_wrappers_take_text():
    for wrap in (FlattenObservation, lambda env: TimeAwareObservation(TimeLimit(env, 2))):
        env = wrap(prefixed_env())
        env.reset(seed=0)
        assert env.step("π")[0] in env.observation_space


def test_stock_vector_wrappers_take_the_native_environment():
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


# --- the vector environment -----------------------------------------------------------------------


def vector(num_envs=4, mode=AutoresetMode.DISABLED, **kwargs):
    envs = gym.make_vec("SelfCorrectMath-v0", num_envs, autoreset_mode=mode, **kwargs)
    envs.reset(seed=0)
    return envs


def test_a_bare_string_is_refused_and_nothing_has_happened():
    envs = vector()
    before = envs.unwrapped.call("conversation")
    for bad, message in [
        ("abcd", "bare str"),
        (["a"], "4 environments"),
        (["a", "b", "c", 4], "int at 3"),
    ]:
        with pytest.raises(InvalidAction, match=message):
            envs.step(bad)
    assert all(not conversation.episode.turns for conversation in before)
    turn = RIGHT.format(1, "wrong")
    for good in ([turn] * 4, np.array([turn] * 4), np.array([turn] * 4, object), iter([turn] * 4)):
        envs.step(good)


def test_one_call_of_the_verifier_per_step(monkeypatch):
    calls = []

    def counting(problems, answers):
        calls.append(len(answers))
        return srenv.problems.grade_batch(problems, answers)

    monkeypatch.setattr("srenv.envs.vector.grade_batch", counting)
    envs = vector(8, problems="synthetic:system")
    envs.step([RIGHT.format("(1, 2)", "wrong")] * 8)
    assert calls == [8]


def test_stepping_a_subset_leaves_the_others_alone():
    envs, whole = vector().unwrapped, vector().unwrapped
    turn = RIGHT.format(1, "wrong")
    observations, rewards, terminated, _, infos = envs.step_subset([3, 1], [turn, "nothing"])
    expected = whole.step(["x", "nothing", "x", turn])
    assert observations == (expected[0][3], expected[0][1])
    assert rewards.tolist() == [expected[1][3], expected[1][1]]
    assert infos["malformed"].tolist() == ["", "no_answer"]
    assert terminated.shape == (2,)
    assert [len(c.episode.turns) for c in envs.call("conversation")] == [0, 1, 0, 1]
    for bad, error in [([4], IndexError), ([0, 0], ValueError), ([], ValueError)]:
        with pytest.raises(error):
            envs.step_subset(bad, [turn] * len(bad))


def test_subsets_add_up_to_whole_steps():
    turns = [[RIGHT.format(k, "wrong") for k in range(4)] for _ in range(5)]
    whole = vector(mode=AutoresetMode.SAME_STEP, max_attempts=2)
    parts = vector(mode=AutoresetMode.SAME_STEP, max_attempts=2).unwrapped
    for step in turns:
        expected = whole.step(step)
        for half in ([2, 0], [1, 3]):
            got = parts.step_subset(half, [step[place] for place in half])
            assert got[0] == tuple(expected[0][place] for place in half)
            assert got[1].tolist() == [expected[1][place] for place in half]


def test_reset_options_per_environment():
    envs = vector()
    source = srenv.load_problems("synthetic:linear")
    ids = [source.problem(k).id for k in range(3)]
    drawn = envs.reset(seed=5)[1]["problem_id"]
    chosen = envs.reset(seed=5, options={"problem_id": [ids[0], None, ids[1], ids[2]]})[1]
    assert chosen["problem_id"].tolist() == [ids[0], drawn[1], ids[1], ids[2]]
    later = envs.reset()[1]["problem_id"].tolist()
    envs.reset(seed=5)
    assert envs.reset()[1]["problem_id"].tolist() == later  # choosing shifts nothing

    groups = envs.reset(seed=5, options={"group_size": 2})[1]["problem_id"].tolist()
    assert groups == [drawn[0], drawn[0], drawn[2], drawn[2]]
    own = srenv.Problem("own", "?", "1", "test")
    problems = envs.reset(options={"problem": [own, None], "group_size": 2})[1]["problem_id"]
    assert problems[:2].tolist() == ["own", "own"]
    assert problems[2] == problems[3] != "own"
    for bad in ({"group_size": 3}, {"problem_id": ids}, {"problemid": ids[0]}):
        with pytest.raises(ValueError, match=r"group_size|entries|unknown"):
            envs.reset(options=bad)


def test_a_mask_resets_some_and_disabled_mode_refuses_to_go_on():
    envs = vector(max_attempts=1)
    envs.step(["x"] * 4)
    with pytest.raises(ResetNeeded, match="reset_mask"):
        envs.step(["x"] * 4)
    mask = np.array([True, False, True, False])
    options = {"reset_mask": mask}
    _, infos = envs.reset(options=options)
    assert infos["_problem_id"].tolist() == mask.tolist()
    assert "reset_mask" in options
    assert envs.unwrapped.step_subset([0, 2], ["x", "y"])[2].all()
    for bad, error in [([True] * 4, TypeError), (np.zeros(4, bool), ValueError)]:
        with pytest.raises(error):
            envs.reset(options={"reset_mask": bad})


def test_attributes_of_the_environments():
    envs = vector().unwrapped
    assert envs.get_attr("max_attempts") == (4, 4, 4, 4)
    envs.set_attr("max_attempts", [1, 2, 3, 4])
    with pytest.raises(ValueError, match="4 environments"):
        envs.set_attr("max_attempts", [1])
    envs.reset(seed=0)
    over = [envs.step(["x"] * 4)[3] | envs._over for _ in range(1)]
    assert over[0].tolist() == [True, False, False, False]
    assert len(envs.call("conversation")) == 4
    assert [episode.turns[0].text for episode in envs.get_attr("episode")] == ["x"] * 4
    assert len({id(rng) for rng in envs.np_random}) == 4


def test_render_and_pickle_in_the_middle():
    envs = vector(2, mode=AutoresetMode.NEXT_STEP, render_mode="ansi")
    envs.step(["x", "y"])
    assert ["attempt 1" in frame for frame in envs.render()] == [True, True]
    twin = pickle.loads(pickle.dumps(envs))
    assert twin.step(["a", "b"])[0] == envs.step(["a", "b"])[0]
    assert twin.reset()[0] == envs.reset()[0]
