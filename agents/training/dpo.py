"""DPO on preferences between continuations of the same tokens, by TRL's `DPOTrainer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback
from trl import DPOConfig, DPOTrainer

from agents.models.chat import ChatFormat
from agents.models.precision import cpu_bfloat16
from agents.training.settings import run_trainer, supervised_settings


@dataclass(frozen=True)
class Preference:
    """Token ids of a context and of two continuations.

    Attributes:
        prompt_ids: The context.
        chosen_ids: The better continuation.
        rejected_ids: The worse one.
        chosen_mask: 1 for each of `chosen_ids` that the model wrote, 0 for those of the
            environment's messages in between, which are not learned; None if the model wrote all.
        rejected_mask: The same for `rejected_ids`.
    """

    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    chosen_mask: list[int] | None = None
    rejected_mask: list[int] | None = None

    def row(self) -> dict[str, list[int]]:
        """Returns the columns that `TokenDPOTrainer` trains on."""
        return {
            "prompt_ids": self.prompt_ids,
            "chosen_ids": self.chosen_ids,
            "rejected_ids": self.rejected_ids,
            "chosen_mask": self.chosen_mask or [1] * len(self.chosen_ids),
            "rejected_mask": self.rejected_mask or [1] * len(self.rejected_ids),
        }


@dataclass(frozen=True)
class PreferenceConfig:
    """How to learn preferences."""

    beta: float = 0.1
    """Weight of the log-ratios to the reference, the starting model by default."""
    epochs: float = 1.0
    """Passes over the data."""
    batch_size: int = 32
    """Pairs per optimizer step."""
    learning_rate: float = 3e-5
    """Peak of a cosine schedule; a 7B model wants about 5e-7."""
    nll: float = 0.0
    """Weight of the chosen continuation's mean token cross-entropy, added to the loss."""
    save_every: int = 50
    """Steps between checkpoints, from which a killed run resumes."""


class TokenDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """`DPOTrainer` on given token ids: it does not tokenize again, and adds no end to a step.

    The log-ratios are over the ids with 1 in their mask. TRL would count everything after the
    prompt as written by the model.
    """

    data_collator: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        collate = self.data_collator
        self.data_collator = lambda rows: {**collate(rows), "completion_mask": own_ids(rows)}

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        masks = {"chosen_mask", "rejected_mask"}
        self._signature_columns += sorted(masks.difference(self._signature_columns))


def own_ids(rows: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
    """Returns (2B, T): 1 for ids that the model wrote, 0 for others; chosen rows come first."""
    masks = [
        torch.tensor([0] * len(row["prompt_ids"]) + row[side])
        for side in ("chosen_mask", "rejected_mask")
        for row in rows
    ]
    return torch.nn.utils.rnn.pad_sequence(masks, batch_first=True)


def prefer(
    model: str | Path,
    output: Path,
    preferences: Sequence[Preference],
    config: PreferenceConfig,
    seed: int = 0,
    callbacks: list[TrainerCallback] | None = None,
    reference: str | Path | None = None,
) -> Path:
    """Trains on the pairs and returns the folder of the final model.

    Resumes from the newest checkpoint in `output`.

    Args:
        model: Folder or hub id of the starting model.
        output: Folder of checkpoints and of the final model.
        preferences: The pairs.
        config: How to train.
        seed: Seeds the order of the pairs.
        callbacks: Transformers callbacks.
        reference: Folder or hub id of the reference model; by default `model`.
    """
    trainer = TokenDPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        ref_model=AutoModelForCausalLM.from_pretrained(reference or model, dtype=torch.float32),
        args=dpo_config(config, output, seed, cpu_bfloat16(model)),
        train_dataset=Dataset.from_list([preference.row() for preference in preferences]),
        processing_class=ChatFormat.load(str(model)).tokenizer,
        callbacks=callbacks,
    )
    run_trainer(trainer, output)
    final = output / "final"
    trainer.save_model(str(final))
    return final


def dpo_config(
    config: PreferenceConfig, output: Path, seed: int, bfloat16: bool = False
) -> DPOConfig:
    """Returns TRL's settings for `config`."""
    return DPOConfig(
        **supervised_settings(config, "dpo", output, seed, bfloat16),
        beta=config.beta,
        loss_type=["sigmoid", "sft"] if config.nll else ["sigmoid"],
        loss_weights=[1.0, config.nll] if config.nll else None,
        warmup_steps=5,
    )
