"""The OpenEnv server and its clients, over real sockets, against the environment in process."""

import json
from concurrent.futures import ThreadPoolExecutor

import gymnasium as gym
import pytest

import srenv
from srenv.wrappers import ChatObservation
from tests.support.environments import PROBLEM, make_env, turn

pytest.importorskip("openenv", reason="needs the extra openenv")

from openenv.core import GenericEnvClient

from srenv.integrations.openenv import RemoteEnv, SelfCorrectClient, TurnAction
from tests.support.openenv import openenv_server

WRONG, RIGHT = turn("-1", "wrong"), turn("-1", "correct")


@pytest.fixture(scope="module")
def url():
    with openenv_server(make_env) as address:
        yield address


@pytest.fixture
def client(url):
    with SelfCorrectClient(base_url=url).sync() as session:
        yield session


def local(seed):
    """The same episode's start in this process."""
    env = ChatObservation(make_env())
    return env, *env.reset(seed=seed)


def test_a_session_is_the_environment_step_by_step(client):
    env, messages, info = local(3)
    result = client.reset(seed=3)
    assert (result.observation.messages, result.observation.metadata) == (list(messages), info)
    assert (result.reward, result.done) == (None, False)
    for text in (WRONG, "no form", RIGHT):
        messages, reward, terminated, truncated, info = env.step(text)
        result = client.step(TurnAction(text=text))
        assert result.observation.messages == list(messages)
        assert result.reward == pytest.approx(reward)
        assert (result.observation.terminated, result.observation.truncated) == (
            terminated,
            truncated,
        )
        assert result.observation.metadata == info
    assert result.done


def test_seeds_choose_the_problems_that_follow(client):
    def ids():
        return [client.reset(seed=s).observation.metadata["problem_id"] for s in (5, None, None)]

    first = ids()
    assert len(set(first)) == 3
    assert ids() == first
    env, _, info = local(5)
    assert [info["problem_id"], env.reset()[1]["problem_id"]] == first[:2]


def test_the_last_observation_of_an_episode_is_kept(client):
    opening = client.reset(seed=0).observation.messages
    end = client.step(TurnAction(text=RIGHT))
    assert end.done
    assert end.observation.messages == [*opening, {"role": "assistant", "content": RIGHT}]
    assert client.state().ending == "declared"
    with pytest.raises(RuntimeError, match=r"call reset\(\)"):
        client.step(TurnAction(text=RIGHT))
    assert client.state().step_count == 1
    assert client.reset(seed=0).observation.messages == opening


def test_an_episode_without_attempts_left_is_truncated(client):
    client.reset(seed=0)
    results = [client.step(TurnAction(text=WRONG)) for _ in range(4)]
    assert [result.done for result in results] == [False, False, False, True]
    assert results[-1].observation.truncated
    assert not results[-1].observation.terminated


def test_the_state_names_the_episode_and_not_the_answer(client):
    assert client.state().ending == ""
    client.reset(seed=1, episode_id="mine")
    client.step(TurnAction(text=WRONG))
    state = client.state()
    assert (state.episode_id, state.step_count, state.ending) == ("mine", 1, "running")
    problem = srenv.load_problems("synthetic:linear").find(state.problem_id)
    assert problem.answer not in json.dumps(state.model_dump() | {"problem_id": ""})


def test_a_problem_can_be_named(client):
    problem = srenv.load_problems("synthetic:linear").problem(12)
    result = client.reset(problem_id=problem.id)
    assert problem.prompt in result.observation.messages[0]["content"]
    with pytest.raises(RuntimeError, match="nowhere"):
        client.reset(problem_id="nowhere")


def test_many_sessions_do_not_mix(url):
    def play(seed):
        with SelfCorrectClient(base_url=url).sync() as session:
            result = session.reset(seed=seed)
            for number in range(3):
                result = session.step(TurnAction(text=turn(100 * seed + number, "wrong")))
            return result.observation

    with ThreadPoolExecutor(16) as pool:
        ends = list(pool.map(play, range(16)))
    for seed, end in enumerate(ends):
        _, messages, info = local(seed)
        assert end.messages[0] == messages[0]
        assert end.metadata["problem_id"] == info["problem_id"]
        assert end.metadata["answer"] == str(100 * seed + 2)
        assert end.metadata["turn"] == 3


def test_sessions_beyond_the_limit_are_refused():
    with (
        openenv_server(make_env, sessions=1) as address,
        SelfCorrectClient(base_url=address).sync() as first,
    ):
        first.reset(seed=0)
        with (
            pytest.raises(RuntimeError, match="CAPACITY_REACHED"),
            SelfCorrectClient(base_url=address).sync() as second,
        ):
            second.reset(seed=0)
        assert first.step(TurnAction(text=WRONG)).reward is not None


def test_a_client_that_knows_no_types_can_play(url):
    with GenericEnvClient(base_url=url).sync() as session:
        session.reset(seed=0)
        result = session.step({"text": WRONG})
        assert result.observation["messages"][1] == {"role": "assistant", "content": WRONG}
        with pytest.raises(RuntimeError, match="VALIDATION_ERROR"):
            session.step({"words": WRONG})
        with pytest.raises(RuntimeError, match="surrogates not allowed"):
            session.step({"text": "\ud800"})
        assert session.state()["step_count"] == 1
        assert session.step({"text": RIGHT}).done


def test_a_client_is_a_gymnasium_environment(url):
    remote = RemoteEnv(url)
    env, *start = local(7)
    assert list(remote.reset(seed=7)) == start
    assert start[0] in remote.observation_space
    for text in (WRONG, RIGHT):
        assert remote.step(text) == env.step(text)
    with pytest.raises(ValueError, match="start from seeds"):
        remote.reset(options={"problem": PROBLEM})
    remote.close()


def test_a_server_takes_any_environment_that_srenv_makes():
    def make_arithmetic_env():
        return gym.make("srenv:SelfCorrectArithmetic-v0", max_attempts=1)

    with (
        openenv_server(make_arithmetic_env) as address,
        SelfCorrectClient(base_url=address).sync() as session,
    ):
        assert session.reset(seed=0).observation.metadata["problem_id"].startswith("arithmetic/")
        assert session.step(TurnAction(text=WRONG)).observation.terminated
