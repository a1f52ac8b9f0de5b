"""Your own policy gradient, in plain torch, over `gym.make`.

REINFORCE with a batch baseline on single attempts: the model's first attempts improve.

    python examples/custom_algorithm.py
    python examples/custom_algorithm.py --model Qwen/Qwen2.5-0.5B-Instruct --max-new-tokens 256
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import torch
import tyro
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.models.paths import TINY, model_path


def main(
    model: str = TINY,
    problems: str = "synthetic:linear",
    steps: int = 30,
    batch: int = 128,
    learning_rate: float = 1e-4,
    max_new_tokens: int = 40,
) -> None:
    """Train a model on the reward of its first attempts.

    Args:
        model: Folder or hub id; the bundled model by default.
        problems: Source of the problems.
        steps: Optimizer steps.
        batch: Episodes per step.
        learning_rate: Adam's.
        max_new_tokens: Greatest length of an attempt.
    """
    torch.manual_seed(0)
    model = model_path(model)
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    optimizer = torch.optim.Adam(policy.parameters(), lr=learning_rate)
    envs = [
        gym.make(
            "srenv:SelfCorrectMath-v0",
            problems=problems,
            max_attempts=1,
            reward="correctness=1",
            protocol="intrinsic",
        )
        for _ in range(batch)
    ]
    for env, seed in zip(envs, torch.randint(2**31, (batch,)).tolist(), strict=True):
        env.reset(seed=seed)
    for step in range(steps):
        chats = [env.unwrapped.episode.messages for env in envs]
        prompt = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True
        )
        ids = policy.generate(**prompt, max_new_tokens=max_new_tokens, do_sample=True, top_k=0)
        new = ids[:, prompt["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(new, skip_special_tokens=True)
        rewards = torch.tensor([env.step(t)[1] for env, t in zip(envs, texts, strict=True)])

        # Sampled tokens up to and including the first end of turn.
        ended = (new == tokenizer.eos_token_id).long()
        mask = ((ended.cumsum(1) - ended) == 0).float()
        attention = torch.cat([prompt["attention_mask"], mask.long()], 1)
        logits = policy(input_ids=ids, attention_mask=attention).logits[:, -new.shape[1] - 1 : -1]
        logps = logits.log_softmax(-1).gather(-1, new[..., None]).squeeze(-1)
        advantages = (rewards - rewards.mean())[:, None]
        loss = -(advantages * logps * mask).sum() / mask.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step:3d}  mean reward {rewards.mean():.3f}")
        for env in envs:
            env.reset()


if __name__ == "__main__":
    tyro.cli(main)
