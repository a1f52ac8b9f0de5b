"""LoRA: frozen weights do not change, and the saved model loads as any other."""

import gymnasium as gym
import pytest
import torch
from transformers import AutoModelForCausalLM

import srenv
from agents.training.policy_gradient import PolicyGradientConfig, train_policy
from agents.training.sft import Demonstration, SftConfig, fine_tune

pytest.importorskip("peft")

PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(4)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


def by_position(rewards, played, groups):
    import numpy as np

    return np.sin(np.arange(rewards.size, dtype=float).reshape(rewards.shape) + 1)


def changed(before, after):
    """Names of the weights that differ; both folders hold ordinary models."""
    old = dict(AutoModelForCausalLM.from_pretrained(before).named_parameters())
    new = dict(AutoModelForCausalLM.from_pretrained(after).named_parameters())
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name], new[name])}


def test_policy_gradient_changes_the_adapted_layers_only(untrained, tmp_path):
    config = PolicyGradientConfig(
        steps=2,
        problems_per_step=1,
        group_size=4,
        max_new_tokens=8,
        learning_rate=1e-2,
        lora_rank=4,
        estimator="tests.agents.models.test_lora:by_position",
    )
    final = train_policy(untrained, tmp_path, PROBLEMS, make_env, config)
    names = changed(untrained, final)
    assert names
    assert all("_proj" in name for name in names)
    assert (tmp_path / "final" / "tokenizer.json").exists()


def test_fine_tuning_changes_the_adapted_layers_only(untrained, tmp_path):
    env = make_env()
    env.reset(seed=0, options={"problem": PROBLEMS[0]})
    env.step("\\boxed{1}\n[VERIFY] correct")
    demonstrations = [Demonstration(env.unwrapped.episode, frozenset({(0, "attempt")}), "test")] * 4
    config = SftConfig(epochs=2, batch_size=2, learning_rate=1e-2, lora_rank=4)
    names = changed(untrained, fine_tune(untrained, tmp_path, demonstrations, config))
    assert names
    assert all("_proj" in name for name in names)
