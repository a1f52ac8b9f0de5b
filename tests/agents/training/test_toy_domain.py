"""One step of policy gradient in a toy domain (`tests.support.toy_domain`)."""

import gymnasium as gym
import torch

import srenv
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from srenv.rewards import Term
from tests.support.toy_domain import SOURCE

PROBLEMS = srenv.load_problems(SOURCE).take(4)


# An untrained model never answers; that its samples differ in this is enough for a gradient.
LENGTH = Term("length", "attempt", lambda turns: float(len(turns[-1].text)))


def make_env():
    reward = {f"{__name__}:LENGTH": 1.0, "correctness": 1.0}
    return gym.make("srenv:SelfCorrectMath-v0", problems=SOURCE, max_attempts=2, reward=reward)


def test_one_step_changes_the_model(untrained, tmp_path):
    config = PolicyGradientConfig(
        steps=1, problems_per_step=2, group_size=4, micro_batch=4, max_new_tokens=10, save_every=100
    )
    episodes = []
    trainer = SelfCorrectTrainer(
        untrained,
        PROBLEMS,
        make_env,
        config,
        grpo_config(config, tmp_path, seed=0),
        on_episodes=lambda played, step: episodes.extend(played),
    )
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    trainer.train()
    assert len(episodes) == 8
    assert len({episode.reward for episode in episodes}) > 1
    assert {episode.problem.domain for episode in episodes} == {"test_reversed_words"}
    assert all("in square brackets" in e.messages[0]["content"] for e in episodes)
    after = list(trainer.model.parameters())
    assert any(not torch.equal(b, a) for b, a in zip(before, after, strict=True))
