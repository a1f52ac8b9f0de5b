"""`BanditView`: scripted turns as discrete actions."""

import pytest
from gymnasium.error import InvalidAction

from srenv.wrappers import BanditView
from tests.support.environments import make_env, reset, turn


def test_arms_are_scripted_turns():
    env = BanditView(make_env(), skill=1.0, check=1.0)
    reset(env)
    *_, info = env.step(1)
    assert info["turn_text"] == turn(4, "wrong")
    env.step(4)
    *_, info = env.step(3)
    assert (info["correct"], info["verdict"]) == (False, "wrong")


def test_observations_are_progress_and_the_last_verdict():
    env = BanditView(make_env(), skill=1.0, check=1.0)
    observation, _ = reset(env)
    assert observation.tolist() == [0, 0, 0]
    observation, *_ = env.step(1)
    assert observation.tolist() == [0.25, 1, 0]
    observation, *_ = env.step(4)
    assert observation.tolist() == [0.5, 0, 1]


@pytest.mark.parametrize("arm", [5, -1])
def test_an_unknown_arm_is_refused(arm):
    env = BanditView(make_env())
    reset(env)
    with pytest.raises(InvalidAction):
        env.step(arm)


def test_arms_use_the_words_of_the_protocol():
    env = BanditView(make_env(protocol="yes_no"), skill=1.0, check=1.0)
    reset(env)
    *_, info = env.step(1)
    assert info["turn_text"].endswith(" No.")
    assert (info["verdict"], info["malformed"]) == ("wrong", "")
    *_, terminated, _, info = env.step(2)
    assert info["turn_text"].endswith(" Yes.")
    assert terminated


def test_skill_and_check_are_probabilities():
    env = BanditView(make_env(max_attempts=1), skill=0.3, check=0.8)
    right = agrees = 0
    for seed in range(400):
        env.reset(seed=seed)
        *_, info = env.step(2)
        right += info["correct"]
        agrees += (info["verdict"] == "correct") == info["correct"]
    assert right / 400 == pytest.approx(0.3, abs=0.08)
    assert agrees / 400 == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(
    "kwargs", [{"arms": []}, {"arms": ["\\boxed{1}"]}, {"arms": ["{x}"]}, {"skill": 2}]
)
def test_bad_arguments_are_refused(kwargs):
    with pytest.raises(ValueError, match=r"arm|probabilities"):
        BanditView(make_env(), **kwargs)


@pytest.mark.slow
def test_stable_baselines3_learns_to_follow_the_check():
    sb3 = pytest.importorskip("stable_baselines3", reason='pip install "srenv[gymnasium-tests]"')
    from stable_baselines3.common.env_checker import check_env

    env = BanditView(make_env(), skill=0.4, check=0.95)
    check_env(env)

    def mean_return(choose, episodes=200):
        total = 0.0
        for seed in range(episodes):
            observation, _ = env.reset(seed=10_000 + seed)
            over = False
            while not over:
                observation, reward, terminated, truncated, _ = env.step(choose(observation))
                total += reward
                over = terminated or truncated
        return total / episodes

    model = sb3.PPO(
        "MlpPolicy", env, n_steps=256, batch_size=64, gamma=1.0, seed=0, device="cpu",
        learning_rate=1e-3,
    )  # fmt: skip
    before = mean_return(lambda observation: model.predict(observation)[0])
    model.learn(6_000)
    after = mean_return(lambda observation: model.predict(observation, deterministic=True)[0])
    best = mean_return(lambda _: 2)
    constant = mean_return(lambda _: 0)
    assert after > before + 0.3
    assert after > constant
    assert after == pytest.approx(best, abs=0.15)
