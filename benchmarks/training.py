"""What a step of policy gradient costs: against bare passes over its tokens, and TRL's own step.

    python benchmarks/training.py        # about three minutes on one core, writes the table

All three train the bundled model on the same episodes, which are played once: `srenv` with credit
per segment, TRL's `GRPOTrainer` with one advantage per episode, and a loop of forward and backward
passes with nothing around it. Generation is not part of it (`benchmarks/rollout.py`). Times are CPU
seconds; the three take turns, and ratios are medians over the rounds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
import tyro
from datasets import Dataset
from targets import Row, page
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOTrainer

import agents.training.policy_gradient
import srenv
from agents.engines import Sampling, TransformersEngine
from agents.models.paths import TINY, model_path
from agents.rollouts.player import Rollout
from agents.rollouts.rollout import rollout
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config

RESULTS = Path(__file__).parent / "results" / "training.md"


def main(rounds: int = 9, problems: int = 16, micro_batch: int = 32) -> None:
    """Measures and writes the table.

    Args:
        rounds: Rounds in which each of the three takes one step.
        problems: Problems per step, eight episodes each.
        micro_batch: Episodes per forward and backward pass.
    """
    config = PolicyGradientConfig(
        steps=rounds + 1, problems_per_step=problems, micro_batch=micro_batch, save_every=10**6
    )
    starts = srenv.load_problems("synthetic:linear", "train").take(problems)
    engine = TransformersEngine.load(TINY)
    repeated = [problem for problem in starts for _ in range(config.group_size)]
    records = rollout(make_env, engine, repeated, Sampling(max_new_tokens=96), seed=0)
    tokens = sum(len(record.prompt_ids) + len(record.ids) for record in records)
    with tempfile.TemporaryDirectory() as folder:
        steps = {
            "bare": bare(records, config),
            "srenv": trainer_step(srenv_trainer(records, starts, config, Path(folder))),
            "trl": trainer_step(trl_trainer(records, starts, config, Path(folder))),
        }
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for number in range(rounds + 1):
            for name, step in steps.items():
                began = time.process_time()
                step()
                if number:  # the first round warms up
                    seconds[name].append(time.process_time() - began)
    text = page("A step of policy gradient", describe(config, tokens), rows(seconds, tokens))
    print(text)
    RESULTS.write_text(text, encoding="utf-8")


def describe(config: PolicyGradientConfig, tokens: int) -> str:
    """One line on how the table came about."""
    episodes = config.problems_per_step * config.group_size
    return (
        f"`python benchmarks/training.py`: {episodes} episodes of the bundled model, {tokens} "
        f"tokens with their prompts, in passes of {config.micro_batch} episodes; float32, one "
        "thread, CPU seconds without generation. Ranges are of the rounds."
    )


def rows(seconds: dict[str, list[float]], tokens: int) -> list[Row]:
    """The lines of the table."""
    names = {"bare": "bare forward and backward passes", "srenv": "srenv's step"}
    names["trl"] = "TRL's GRPO step"
    lines = [
        Row(f"{title}, tokens per second", f"{tokens / statistics.median(seconds[name]):,.0f}")
        for name, title in names.items()
    ]
    for other, least in (("bare", 0.7), ("trl", 1.0)):
        ratios = [a / b for a, b in zip(seconds[other], seconds["srenv"], strict=True)]
        ratio = statistics.median(ratios)
        shown = f"{ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(Row(f"srenv / {names[other]}", shown, f">= {least}x", ratio >= least))
    return lines


def make_env() -> gym.Env[str, str]:
    """Two attempts without verdicts."""
    return gym.make("SelfCorrectMath-v0", protocol="intrinsic", max_attempts=2)


def bare(records: Sequence[Rollout], config: PolicyGradientConfig) -> Callable[[], None]:
    """Forward and backward passes over the episodes, sorted by length and padded on the right."""
    model = AutoModelForCausalLM.from_pretrained(model_path(TINY), dtype=torch.float32).train()
    episodes = sorted(([*r.prompt_ids, *r.ids] for r in records), key=len)
    size = config.micro_batch
    batches = []
    for start in range(0, len(episodes), size):
        ids = [torch.tensor(row) for row in episodes[start : start + size]]
        pad = torch.nn.utils.rnn.pad_sequence
        batches.append(
            {
                "input_ids": pad(ids, batch_first=True),
                "attention_mask": pad([torch.ones_like(row) for row in ids], batch_first=True),
                "labels": pad(ids, batch_first=True, padding_value=-100),
            }
        )

    def step() -> None:
        for batch in batches:
            model(**batch).loss.backward()
        model.zero_grad()

    return step


def srenv_trainer(
    records: Sequence[Rollout], starts: Any, config: PolicyGradientConfig, folder: Path
) -> Any:
    """`SelfCorrectTrainer`, to which every step plays the same episodes."""
    agents.training.policy_gradient.rollout = lambda *_, **__: list(records)
    args = grpo_config(config, folder / "srenv", seed=0)
    return SelfCorrectTrainer(model_path(TINY), starts, make_env, config, args)


def trl_trainer(
    records: Sequence[Rollout], starts: Any, config: PolicyGradientConfig, folder: Path
) -> Any:
    """`GRPOTrainer` with the same settings and episodes, rewarded by the sum of their rewards."""

    def played(*_: Any) -> dict[str, list[Any]]:
        return {
            "prompt_ids": [record.prompt_ids for record in records],
            "completion_ids": [record.ids for record in records],
            "logprobs": [record.logprobs for record in records],
            "env_mask": [[int(turn > 0) for turn in record.turns] for record in records],
            "reward": [sum(map(sum, record.rewards)) for record in records],
        }

    def reward(reward: list[float], **_: Any) -> list[float]:
        return reward

    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model_path(TINY), dtype=torch.float32),
        reward_funcs=reward,
        args=grpo_config(config, folder / "trl", seed=0),
        train_dataset=Dataset.from_list([{"prompt": str(i)} for i in range(len(starts))]),
        processing_class=AutoTokenizer.from_pretrained(model_path(TINY), padding_side="left"),
        rollout_func=played,
    )


def trainer_step(trainer: Any) -> Callable[[], None]:
    """Runs a trainer one optimizer step at a time."""
    trainer.remove_callback(PrinterCallback)
    trainer.create_optimizer_and_scheduler(num_training_steps=100)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    size = trainer.args.per_device_train_batch_size * trainer.args.steps_per_generation
    prompts = [{"prompt": str(index)} for index in range(len(trainer.train_dataset))]
    group = trainer.args.num_generations
    batch = [dict(prompt) for prompt in prompts for _ in range(group)][:size]

    def step() -> None:
        for _ in range(trainer.args.gradient_accumulation_steps):
            trainer.training_step(trainer.model, batch, num_items_in_batch=None)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        trainer.state.global_step += 1

    return step


if __name__ == "__main__":
    tyro.cli(main)
