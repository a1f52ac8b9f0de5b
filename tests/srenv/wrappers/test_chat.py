"""`ChatObservation`: the conversation as messages."""

from srenv.wrappers import ChatObservation
from tests.support.environments import make_env, reset, turn


def test_observations_are_the_messages_of_the_chat():
    env = ChatObservation(make_env())
    reset(env)
    observation, *_ = env.step(turn(5, "wrong"))
    assert [message["role"] for message in observation] == ["user", "assistant", "user"]
    assert list(observation) == env.unwrapped.episode.messages
    assert observation in env.observation_space


def test_changing_an_observation_does_not_change_the_episode():
    env = ChatObservation(make_env())
    first, _ = reset(env)
    second, *_ = env.step(turn(5, "wrong"))
    second[0]["content"] = "changed"
    assert first[0]["content"].startswith("2+2?")
    assert env.unwrapped.episode.messages[0]["content"].startswith("2+2?")


def test_a_long_chat_loses_the_beginning_of_its_first_message():
    env = ChatObservation(make_env(), max_chars=250)
    reset(env)
    observation, *_ = env.step(turn(5, "wrong"))
    messages = env.unwrapped.episode.messages
    assert sum(len(message["content"]) for message in observation) == 250
    assert messages[0]["content"].endswith(observation[0]["content"])
    assert [*observation[1:]] == messages[1:]
    assert observation in env.observation_space


def test_a_chat_has_room_for_turns_of_the_environments_limit():
    env = ChatObservation(make_env(max_turn_chars=200_000))
    reset(env)
    for _ in range(2):
        observation, *_ = env.step("x" * 200_000)
        assert observation in env.observation_space
    assert observation[1]["content"] == "x" * 200_000
