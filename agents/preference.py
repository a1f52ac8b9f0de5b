"""Preferences between continuations of the same tokens, learned by TRL's `DPOTrainer`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer

from agents.files import last_checkpoint
from agents.processes import per_process


@dataclass(frozen=True)
class Preference:
    """Token ids of a context and of two ways to go on.

    Attributes:
        prompt_ids: The context.
        chosen_ids: The better continuation.
        rejected_ids: The worse one.
    """

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]


@dataclass(frozen=True)
class PreferenceConfig:
    """How preferences are learned."""

    beta: float = 0.1
    """Weight of the log-ratios to the starting model."""
    epochs: float = 1.0
    """Passes over the data."""
    batch_size: int = 32
    """Pairs per optimiser step."""
    learning_rate: float = 3e-5
    """Peak of a cosine schedule; a 7B model wants about 5e-7."""
    save_every: int = 50
    """Steps between checkpoints, from which a killed run resumes."""


class TokenDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """`DPOTrainer` on ids as they are: nothing is tokenised again, no end is added to a step."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def prefer(
    model: str | Path,
    output: Path,
    preferences: Sequence[Preference],
    config: PreferenceConfig,
    seed: int = 0,
    callbacks: list[TrainerCallback] | None = None,
) -> Path:
    """Trains on the pairs, the starting model as reference; returns the final model's folder.

    Goes on from a checkpoint in `output` where there is one.
    """
    trainer = TokenDPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        ref_model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=dpo_config(config, output, seed),
        train_dataset=Dataset.from_list([asdict(preference) for preference in preferences]),
        processing_class=AutoTokenizer.from_pretrained(model),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(output))
    final = output / "final"
    trainer.save_model(str(final))
    return final


def dpo_steps(config: PreferenceConfig, pairs: int) -> int:
    """Number of optimiser steps, for progress bars."""
    return max(1, int(-(-pairs // config.batch_size) * config.epochs))


def dpo_config(config: PreferenceConfig, output: Path, seed: int) -> DPOConfig:
    """TRL's settings for `config`."""
    cuda = torch.cuda.is_available()
    return DPOConfig(
        output_dir=str(output),
        beta=config.beta,
        num_train_epochs=config.epochs,
        per_device_train_batch_size=per_process(config.batch_size, "dpo"),
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=5,
        save_steps=config.save_every,
        save_total_limit=2,
        logging_steps=5,
        seed=seed,
        bf16=cuda,
        gradient_checkpointing=cuda,
        use_cpu=not cuda,
        max_length=None,
        include_num_input_tokens_seen="non_padding",
        report_to="none",  # `agents.tracking` reports, with one run for all stages
        disable_tqdm=True,  # `agents.progress` shows the bar
    )
