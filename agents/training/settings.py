"""Common settings of TRL's trainers, their steps and scores, and resuming after a kill."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import PrinterCallback

from agents.runs.processes import per_process


class Passes(Protocol):
    """A configuration of training in passes over data: SFT or preferences."""

    @property
    def epochs(self) -> float: ...  # noqa: D102
    @property
    def batch_size(self) -> int: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def save_every(self) -> int: ...  # noqa: D102


def common_settings(
    output: Path, save_every: int, seed: int, bfloat16: bool = False
) -> dict[str, Any]:
    """Returns the settings of every trainer; `bfloat16` is for a CPU, a GPU always has it."""
    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(output),
        "save_steps": save_every,
        "save_total_limit": 2,
        "seed": seed,
        "bf16": cuda or bfloat16,
        "gradient_checkpointing": cuda,
        "use_cpu": not cuda,
        "report_to": "none",  # `agents.runs.tracking` reports, with one run for all stages
        "disable_tqdm": True,  # `agents.runs.progress` shows the bar
    }


def check_passes(config: Passes, what: str) -> None:
    """Validates the options of a trainer that passes over data; `what` names it in errors.

    Raises:
        ValueError: A size is below its minimum, or the batch cannot be divided evenly among the
            processes.
    """
    if config.batch_size < 1 or config.epochs <= 0:
        raise ValueError(
            f"{what} needs batch_size >= 1 and epochs > 0, got {config.batch_size} and "
            f"{config.epochs}"
        )
    per_process(config.batch_size, what)


def supervised_settings(
    config: Passes, what: str, output: Path, seed: int, bfloat16: bool = False
) -> dict[str, Any]:
    """Returns the settings of a trainer that passes over data; `what` names it in errors.

    Raises:
        ValueError: The batch cannot be divided evenly among the processes.
    """
    return {
        **common_settings(output, config.save_every, seed, bfloat16),
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": per_process(config.batch_size, what),
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "logging_steps": 5,
        "max_length": None,
        "include_num_input_tokens_seen": "non_padding",
    }


def supervised_steps(config: Passes, rows: int) -> int:
    """Returns the number of optimizer steps for this number of rows, for progress bars."""
    return max(1, math.ceil(-(-rows // config.batch_size) * config.epochs))


def run_trainer(trainer: Any, output: Path) -> None:
    """Trains to the end, resuming from the newest checkpoint in `output`."""
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(output))


def held_out_scores(history: Iterable[Mapping[str, Any]]) -> dict[int, float]:
    """Returns the scores of a trainer's evaluations by step, in order; step 0 is the start.

    Args:
        history: The trainer's log history, which survives checkpoints.
    """
    return {entry["step"]: entry["eval_score"] for entry in history if "eval_score" in entry}


def best_step(scores: Mapping[int, float]) -> int:
    """Returns the step with the best score, the earliest of several."""
    return max(scores, key=lambda step: scores[step])


def last_checkpoint(folder: Path) -> str | None:
    """Returns the newest complete checkpoint of a transformers trainer in `folder`, or None.

    The trainer writes its state last: a checkpoint without it is incomplete.
    """
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    newest = max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None
