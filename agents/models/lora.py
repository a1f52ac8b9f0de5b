"""LoRA by PEFT: trains small matrices next to frozen weights, and merges them at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def lora_config(rank: int) -> Any:
    """Returns PEFT's settings: every linear layer but the head, alpha twice the rank.

    Args:
        rank: Rank of the matrices; 0 returns None, which trains every weight.

    Raises:
        ImportError: PEFT is not installed.
    """
    if not rank:
        return None
    try:
        from peft import LoraConfig
    except ModuleNotFoundError as error:
        raise ImportError('LoRA needs PEFT: pip install "srenv[lora]"') from error
    return LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def save_merged(trainer: Any, folder: Path) -> Path:
    """Saves the model of a trainer with its adapters merged in, and returns the folder."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not hasattr(model, "merge_and_unload"):
        trainer.save_model(str(folder))
    elif trainer.is_world_process_zero():
        model.merge_and_unload().save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
    return folder
