"""Supervised fine-tuning on chosen segments of episodes, by TRL's `SFTTrainer`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback
from trl import SFTConfig, SFTTrainer

from agents.models.chat import IGNORE, ChatFormat, ChatOptions
from agents.models.lora import lora_config, save_merged
from agents.models.precision import cpu_bfloat16
from agents.models.roles import ATTEMPT, VERDICT
from agents.training.settings import run_trainer, supervised_settings
from srenv.episode import Episode, Segment
from srenv.json_files import write_jsonl
from srenv.records import read_jsonl


@dataclass(frozen=True)
class Demonstration:
    """An episode and the segments of it to imitate.

    Attributes:
        episode: The conversation.
        targets: ``(turn, segment)`` pairs, turns counted from 0; everything else is context.
        kind: Name of the data subset it came from, used in counts.
        weight: Weight of its loss; see `WeightedSFTTrainer`.
    """

    episode: Episode
    targets: frozenset[tuple[int, Segment]]
    kind: str
    weight: float = 1.0

    @property
    def whole(self) -> bool:
        """Whether all turns to be imitated were kept from their first character on."""
        return not any(self.episode.turns[turn].cut for turn, _ in self.targets)


def whole_turns(*turns: int) -> frozenset[tuple[int, Segment]]:
    """Returns the targets that are all of some turns; the end of a turn belongs to its verdict."""
    segments: tuple[Segment, ...] = ("attempt", "verdict")
    return frozenset((turn, segment) for turn in turns for segment in segments)


@dataclass(frozen=True)
class SftConfig:
    """How to imitate demonstrations."""

    epochs: float = 1.5
    """Passes over the data."""
    batch_size: int = 32
    """Demonstrations per optimizer step."""
    learning_rate: float = 3e-4
    """Peak of a cosine schedule; 7B models of the papers used 1e-5."""
    save_every: int = 100
    """Steps between checkpoints, from which a killed run resumes."""
    lora_rank: int = 0
    """Rank of LoRA matrices; 0 trains every weight."""


def tokenize(demonstration: Demonstration, chat: ChatFormat) -> list[dict[str, list[int]]]:
    """Returns ``input_ids`` as a rollout would have them, and ``labels`` on the targets only.

    There is one row, and more if the prompt of a turn does not continue what was read before.
    """
    episode, rows = demonstration.episode, []
    ids: list[int] = []
    labels: list[int] = []
    places = [i for i, m in enumerate(episode.messages) if m["role"] == "assistant"]
    for index, place in enumerate(places):
        context = chat.opening(episode.messages[:place])
        if context[: len(ids)] != ids:
            rows.append({"input_ids": ids, "labels": labels})
            ids, labels = [], []
        turn, roles = chat.encode_turn(episode.turns[index])
        targets = {
            role
            for role, segment in ((ATTEMPT, "attempt"), (VERDICT, "verdict"))
            if (index, segment) in demonstration.targets
        }
        labels = [
            *labels,
            *[IGNORE] * (len(context) - len(ids)),
            *[i if r in targets else IGNORE for i, r in zip(turn, roles, strict=True)],
        ]
        ids = [*context, *turn]
    rows.append({"input_ids": ids, "labels": labels})
    return [row for row in rows if any(label != IGNORE for label in row["labels"])]


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
    """Reads demonstrations that `write_demonstrations` wrote.

    Raises:
        ValueError: A line is not a demonstration; the message names file and line.
    """
    return list(read_jsonl(path, _demonstration))


def _demonstration(record: Any) -> Demonstration:
    """Builds a demonstration from a line of a file."""
    episode = Episode.from_json(record["episode"])
    targets = frozenset((turn, segment) for turn, segment in record["targets"])
    for turn, segment in targets:
        if turn not in range(len(episode.turns)) or segment not in ("attempt", "verdict"):
            raise ValueError(f"there is no {segment!r} of turn {turn!r}")
    return Demonstration(episode, targets, str(record["kind"]), float(record.get("weight", 1.0)))


def fine_tune(
    model: str | Path,
    output: Path,
    demonstrations: Sequence[Demonstration],
    config: SftConfig,
    seed: int = 0,
    callbacks: list[TrainerCallback] | None = None,
    options: ChatOptions | None = None,
) -> Path:
    """Trains with TRL's `SFTTrainer` and returns the folder of the final model.

    Resumes from the newest checkpoint in `output`. If the demonstrations have weights,
    `WeightedSFTTrainer` trains.

    Args:
        model: Folder or hub id of the starting model.
        output: Folder of checkpoints and of the final model.
        demonstrations: The data.
        config: How to train.
        seed: Seeds the order of the data.
        callbacks: Transformers callbacks.
        options: How conversations are shown to the model.
    """
    chat = ChatFormat.load(str(model), options)
    weighted = any(item.weight != 1.0 for item in demonstrations)
    rows: list[dict[str, Any]] = [
        {**row, "weight": item.weight} if weighted else row
        for item in demonstrations
        for row in tokenize(item, chat)
    ]
    trainer = (WeightedSFTTrainer if weighted else SFTTrainer)(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=sft_config(config, output, seed, cpu_bfloat16(model)),
        train_dataset=Dataset.from_list(rows),
        processing_class=chat.tokenizer,
        callbacks=callbacks,
        peft_config=lora_config(config.lora_rank),
    )
    run_trainer(trainer, output)
    return save_merged(trainer, output / "final")


class WeightedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """Weighted imitation: each row's mean token loss, times its weight, averaged over the batch.

    This is the reward-weighted regression of RISE (Qu et al. 2024). A long row counts as much as a
    short one, unlike in the token mean of `SFTTrainer`.
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
        """Returns the weighted loss, which ignores the trainer's count of tokens."""
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
    """Returns the mean over rows of weight times mean token cross-entropy, in nats.

    Args:
        logits: (B, T, V); position t predicts label t + 1.
        labels: (B, T); IGNORE for positions that are not learned.
        weights: (B,).
    """
    targets = labels[:, 1:]
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), targets, ignore_index=IGNORE, reduction="none"
    )
    rows = loss.sum(1) / (targets != IGNORE).sum(1).clamp(min=1)
    return (weights * rows).mean()


def sft_config(config: SftConfig, output: Path, seed: int, bfloat16: bool = False) -> SFTConfig:
    """Returns TRL's settings for `config`."""
    return SFTConfig(
        **supervised_settings(config, "sft", output, seed, bfloat16),
        warmup_steps=10,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},  # rows have ids and labels already
    )
