"""LoRA by PEFT: small matrices are trained beside frozen weights, and merged in at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def lora_config(rank: int) -> Any:
    """PEFT's settings: every linear layer but the head, alpha twice the rank; None for rank 0.

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


def save_whole(trainer: Any, folder: Path) -> Path:
    """Saves a model that loads as any other, adapters merged in."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not hasattr(model, "merge_and_unload"):
        trainer.save_model(str(folder))
    elif trainer.is_world_process_zero():
        model.merge_and_unload().save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
    return folder
