"""TRL's own `GRPOTrainer`: its `reward`, the share of right last answers, rises from 0.4 to 0.55.

python examples/trl_grpo.py
python examples/trl_grpo.py --model Qwen/Qwen2.5-0.5B-Instruct --max-new-tokens 512 --rate 1e-6
"""

import os
from tempfile import mkdtemp

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import tyro
from trl import GRPOConfig, GRPOTrainer

from agents.integrations.trl import episode_reward, prompts_for, rollouts_from
from agents.models.paths import TINY, model_path
from agents.rollouts.environments import environment_factory
from srenv import load_problems


def main(
    model: str = TINY,
    problems: str = "synthetic:linear",
    steps: int = 60,
    rate: float = 4e-4,
    max_new_tokens: int = 64,
) -> None:
    """Trains on the reward of whole episodes: two attempts, and 1 if the last one is right.

    Args:
        model: Folder or hub id; the bundled model by default.
        problems: Source of the problems.
        steps: Optimizer steps of 64 episodes, eight of each problem.
        rate: Learning rate.
        max_new_tokens: Greatest length of a turn.
    """
    starts = load_problems(problems).take_passes(8 * steps)
    make_env = environment_factory(2, protocol="intrinsic", reward="improvement=1")
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
        train_dataset=prompts_for(starts),
        rollout_func=rollouts_from(starts, make_env),
        reward_funcs=episode_reward,
    )
    trainer.train()


if __name__ == "__main__":
    tyro.cli(main)
