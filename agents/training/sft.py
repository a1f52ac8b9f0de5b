"""Episodes -> supervised fine-tuning data, with a choice of what is learned from each turn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TrainerCallback,
)
from trl import SFTConfig, SFTTrainer

from agents.models.chat import ATTEMPT, IGNORE, VERDICT, ChatFormat
from agents.models.lora import lora_config, save_whole
from agents.training.settings import run_trainer, supervised_settings
from srenv.episode import Episode, Segment
from srenv.json_lines import write_jsonl


@dataclass(frozen=True)
class Demonstration:
    """An episode and the segments of it that are to be imitated.

    Attributes:
        episode: The whole conversation.
        targets: ``(turn, segment)`` pairs, turns counted from 0; everything else is context.
        kind: Which set of the recipe it belongs to, for the books.
        weight: How much it counts; see `WeightedSFTTrainer`.
    """

    episode: Episode
    targets: frozenset[tuple[int, Segment]]
    kind: str
    weight: float = 1.0


def whole_turns(*turns: int) -> frozenset[tuple[int, Segment]]:
    """Targets of a demonstration: these turns with their ends, which are in the verdict."""
    segments: tuple[Segment, ...] = ("attempt", "verdict")
    return frozenset((turn, segment) for turn in turns for segment in segments)


@dataclass(frozen=True)
class SftConfig:
    """How demonstrations are imitated."""

    epochs: float = 1.5
    """Passes over the data."""
    batch_size: int = 32
    """Demonstrations per optimiser step."""
    learning_rate: float = 3e-4
    """Peak of a cosine schedule; the paper's 7B model used 1e-5."""
    save_every: int = 100
    """Steps between checkpoints, from which a killed run resumes."""
    lora_rank: int = 0
    """Rank of LoRA matrices; 0 trains every weight."""


def tokenise(demonstration: Demonstration, chat: ChatFormat) -> dict[str, list[int]]:
    """Lays a demonstration out exactly as a rollout would, with labels on its targets alone."""
    episode = demonstration.episode
    first = next(i for i, m in enumerate(episode.messages) if m["role"] == "assistant")
    ids = chat.opening(episode.messages[:first])
    labels = [IGNORE] * len(ids)
    index = -1
    for message in episode.messages[first:]:
        if message["role"] == "assistant":
            index += 1
            new, roles = chat.encode_turn(episode.turns[index])
            wanted = {
                role
                for role, segment in ((ATTEMPT, "attempt"), (VERDICT, "verdict"))
                if (index, segment) in demonstration.targets
            }
            labels += [i if r in wanted else IGNORE for i, r in zip(new, roles, strict=True)]
        else:
            new = chat.follow_up([message], closed=True)
            labels += [IGNORE] * len(new)
        ids += new
    return {"input_ids": ids, "labels": labels}


def write_demonstrations(path: Path, demonstrations: Iterable[Demonstration]) -> None:
    """Writes the data as JSON Lines, for people and for `read_demonstrations`."""
    records = (
        {
            "kind": item.kind,
            "weight": item.weight,
            "targets": sorted(item.targets),
            "episode": item.episode.to_json(),
        }
        for item in demonstrations
    )
    write_jsonl(path, records)


def read_demonstrations(path: Path) -> list[Demonstration]:
    """Reads what `write_demonstrations` wrote."""
    with path.open(encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [
        Demonstration(
            Episode.from_json(record["episode"]),
            frozenset((turn, segment) for turn, segment in record["targets"]),
            record["kind"],
            record.get("weight", 1.0),
        )
        for record in records
    ]


def fine_tune(
    model: str | Path,
    output: Path,
    demonstrations: Sequence[Demonstration],
    config: SftConfig,
    seed: int = 0,
    callbacks: list[TrainerCallback] | None = None,
) -> Path:
    """Trains with TRL's `SFTTrainer` and returns the folder of the final model.

    Goes on from a checkpoint in `output` where there is one. Demonstrations of different weights
    are learned by `WeightedSFTTrainer`.
    """
    tokenizer = AutoTokenizer.from_pretrained(model)
    chat = ChatFormat(tokenizer)
    rows: list[dict[str, Any]] = [tokenise(item, chat) for item in demonstrations]
    weighted = any(item.weight != 1.0 for item in demonstrations)
    if weighted:
        rows = [{**row, "weight": d.weight} for row, d in zip(rows, demonstrations, strict=True)]
    trainer = (WeightedSFTTrainer if weighted else SFTTrainer)(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=sft_config(config, output, seed),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=lora_config(config.lora_rank),
    )
    run_trainer(trainer, output)
    return save_whole(trainer, output / "final")


class WeightedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """Weighted imitation: each row's mean token loss, times its weight, averaged over the batch.

    The form of reward-weighted regression in RISE (Qu et al. 2024). Long rows count no more than
    short ones, unlike in the token mean of `SFTTrainer`.
    """

    data_collator: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        collate = self.data_collator

        def with_weights(rows: list[dict[str, Any]]) -> dict[str, Any]:
            return {**collate(rows), "weight": torch.tensor([row["weight"] for row in rows])}

        self.data_collator = with_weights

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "weight" not in self._signature_columns:
            self._signature_columns.append("weight")

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The weighted loss; the trainer's own count of tokens plays no part in it."""
        outputs = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
        loss = weighted_loss(outputs.logits, inputs["labels"], inputs["weight"])
        # The trainer leaves accumulation to losses that know the number of tokens.
        loss = loss / self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss


def weighted_loss(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Mean over rows of weight times mean token cross-entropy.

    Args:
        logits: (B, T, V); position t predicts label t + 1.
        labels: (B, T), IGNORE where nothing is learned.
        weights: (B,).
    """
    wanted = labels[:, 1:]
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), wanted, ignore_index=IGNORE, reduction="none"
    )
    rows = loss.sum(1) / (wanted != IGNORE).sum(1).clamp(min=1)
    return (weights * rows).mean()


def sft_config(config: SftConfig, output: Path, seed: int) -> SFTConfig:
    """TRL's settings for `config`."""
    return SFTConfig(
        **supervised_settings(config, "sft", output, seed),
        warmup_steps=10,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},  # ids and labels are ours already
    )
