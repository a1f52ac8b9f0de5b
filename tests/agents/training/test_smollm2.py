"""A real model: the ids that were sampled are the ids that are trained, on every engine."""

import importlib.util

import gymnasium as gym
import numpy as np
import pytest
import torch

import srenv
from agents.engines import Sampling
from agents.engines.server import ServerEngine, ServerOptions
from agents.rollouts.rollout import rollout
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from tests.support.server import fake_servers
from tests.support.smollm2 import real_smollm2

pytestmark = pytest.mark.slow

PROBLEMS = srenv.load_problems("synthetic:words", "train").take(2)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


def moving(rewards, played, groups):
    """Advantages that are not zero, regardless of the rewards."""
    return np.sin(np.arange(rewards.size, dtype=float).reshape(rewards.shape) + 1)


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
@pytest.mark.parametrize("rank", [0, 4])
def test_sampled_ids_are_trained(engine, rank, tmp_path):
    path = real_smollm2()
    if engine == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed; .ci/vllm runs this")
    if rank:
        pytest.importorskip("peft", reason="LoRA needs PEFT")
    config = PolicyGradientConfig(
        steps=1,
        problems_per_step=1,
        group_size=2,
        micro_batch=2,
        max_new_tokens=12,
        learning_rate=1e-3,
        estimator="tests.agents.training.test_smollm2:moving",
        lora_rank=rank,
        engine=engine,
        vllm_memory=0.2,
    )
    trainer = SelfCorrectTrainer(
        path, PROBLEMS, make_env, config, grpo_config(config, tmp_path, seed=0)
    )
    original, rows = trainer._generate_and_score_completions, []

    def spy(inputs):
        batch = original(inputs)
        rows.extend(zip([row["rollout"] for row in inputs], batch["completion_ids"], strict=True))
        return batch

    trainer._generate_and_score_completions = spy
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}
    trainer.train()
    assert len(rows) == 2
    for record, ids in rows:
        assert record.error == ""
        assert ids[: len(record.ids)].tolist() == record.ids
        # What is trained begins with the conversation as the template writes it.
        chat = trainer.processing_class.decode(record.prompt_ids)
        assert chat.startswith("<|im_start|>system\n")
        assert chat.endswith("<|im_end|>\n<|im_start|>assistant\n")
    moved = [
        not torch.equal(before[n], p) for n, p in trainer.model.named_parameters() if n in before
    ]
    assert any(moved)


def test_ids_of_a_server_are_kept():
    path = real_smollm2()
    with fake_servers(path) as start:
        server = start()
        engine = ServerEngine(ServerOptions(server.url))
        records = rollout(make_env, engine, PROBLEMS, Sampling(1.0, 1.0, 40, seed=5))
        sent = {tuple(body["prompt"]) for body in server.bodies}
    for record in records:
        assert len(record.episode.turns) == 2
        second = len(record.prompt_ids) + max(i for i, t in enumerate(record.turns) if t == 0) + 1
        # The second prompt is the first, the sampled ids, and the request, id by id.
        assert {tuple(record.prompt_ids), tuple(record.context[:second])} <= sent
        text = engine.chat.tokenizer.decode(record.context)
        assert text.count("<|im_start|>assistant\n") == 2
        assert "<|im_end|><|im_end|>" not in text
