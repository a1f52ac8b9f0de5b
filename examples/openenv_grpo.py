"""GRPO by TRL on an environment in another process or on another machine (see docs/trainers.md).

srenv serve --openenv --max-attempts 2 --protocol intrinsic --reward improvement=1
python examples/openenv_grpo.py
python examples/openenv_grpo.py --model Qwen/Qwen2.5-0.5B-Instruct --max-new-tokens 512 --rate 1e-6
"""

import os
from tempfile import mkdtemp

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import tyro
from trl import GRPOConfig, GRPOTrainer

from agents.integrations.trl import episode_reward, prompts_for, rollouts_from
from agents.models.paths import TINY, model_path
from srenv.integrations.openenv import RemoteEnv


def main(
    url: str = "http://127.0.0.1:8000",
    model: str = TINY,
    steps: int = 30,
    rate: float = 4e-4,
    max_new_tokens: int = 64,
) -> None:
    """Trains on the reward of whole episodes, whose rules are the server's.

    Args:
        url: Address of the server.
        model: Folder or hub id; the bundled model by default.
        steps: Optimizer steps of 64 episodes, eight from each seed.
        rate: Learning rate.
        max_new_tokens: Greatest length of a turn.
    """
    seeds = range(8 * steps)
    trainer = GRPOTrainer(
        model=model_path(model),
        args=GRPOConfig(
            mkdtemp(),
            max_steps=steps,
            per_device_train_batch_size=64,
            num_generations=8,
            learning_rate=rate,
            max_completion_length=max_new_tokens,
            bf16=torch.cuda.is_available(),
            use_cpu=not torch.cuda.is_available(),
        ),
        train_dataset=prompts_for(seeds),
        rollout_func=rollouts_from(seeds, lambda: RemoteEnv(url)),
        reward_funcs=episode_reward,
    )
    trainer.train()


if __name__ == "__main__":
    tyro.cli(main)
