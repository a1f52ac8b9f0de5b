"""Gymnasium's contract, for every registered id; `.ci/conformance` runs it on other versions."""

import json
import subprocess
import sys
import warnings

import gymnasium as gym
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

import srenv
from srenv.envs import ENVIRONMENTS
from srenv.testing import check_environment, check_source, check_vector_parity
from srenv.wrappers import ChatObservation
from tests.support.sandbox import real_sandbox

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
    if env_id == "SelfCorrectCode-v0":
        real_sandbox()
    kwargs = {"problems": f"jsonl:{data_file(LOCAL[env_id])}"} if env_id in LOCAL else {}
    check_environment(env_id, **kwargs)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_entry_points_are_strings_and_their_sources_are_sound(env_id):
    spec = gym.spec(env_id)
    assert isinstance(spec.entry_point, str)
    assert isinstance(spec.vector_entry_point, str)
    assert not spec.additional_wrappers
    source = spec.kwargs.get("problems", "synthetic:linear")
    if source == "synthetic:programs":
        real_sandbox()
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
