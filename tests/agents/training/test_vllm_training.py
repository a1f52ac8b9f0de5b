"""Training with vLLM next to the trainer, for real; skipped if vLLM is not installed."""

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("vllm", reason="vLLM is not installed; .ci/vllm runs these tests")

import srenv
from agents.engines.canary import TOLERANCE
from agents.models.paths import TINY, model_path
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config

pytestmark = pytest.mark.slow

PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(8)
CONFIG = PolicyGradientConfig(
    steps=3,
    problems_per_step=2,
    group_size=4,
    micro_batch=4,
    max_new_tokens=20,
    learning_rate=3e-3,  # more, and the bfloat16 of vLLM is no longer close to the trainer
    estimator="tests.agents.training.test_vllm_training:hand_made",
    engine="vllm",
    vllm_memory=0.2,
)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


GAP = "sampling/sampling_logp_difference/mean"


def hand_made(rewards, played, groups):
    """Advantages that move the weights, regardless of the rewards."""
    return np.sin(np.arange(rewards.size, dtype=float).reshape(rewards.shape) + 1)


def test_sampled_ids_are_trained_and_a_missing_sync_warns(tmp_path, recwarn):
    trainer = SelfCorrectTrainer(
        model_path(TINY),
        PROBLEMS,
        make_env,
        CONFIG,
        grpo_config(CONFIG, tmp_path, seed=0),
    )
    before = torch.cat([p.detach().flatten().clone() for p in trainer.model.parameters()])
    original, rows = trainer._generate_and_score_completions, []

    def spy(inputs):
        batch = original(inputs)
        rows.extend(zip([row["rollout"] for row in inputs], batch["completion_ids"], strict=True))
        return batch

    trainer._generate_and_score_completions = spy
    trainer.train()
    assert trainer.link.engine(trainer).engine is trainer.vllm_generation.llm.llm_engine
    assert len(rows) == 24
    for record, ids in rows:
        assert ids[: len(record.ids)].tolist() == record.ids

    after = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    assert (after - before).abs().max() > 5e-3
    gaps = [entry[GAP] for entry in trainer.state.log_history if GAP in entry]
    assert len(gaps) == 3
    assert max(gaps) < TOLERANCE
    assert not [w for w in recwarn if "stale" in str(w.message)]

    trainer.vllm_generation.sync_weights = lambda: None
    with torch.no_grad():
        for p in trainer.model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    with pytest.warns(UserWarning, match="stale"):
        original([{"prompt": str(i)} for i in range(len(PROBLEMS))])
