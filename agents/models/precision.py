"""Chooses bfloat16 on CPUs that calculate in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from agents.models.paths import model_path

WIDTH = 512
"""Least hidden size for bfloat16 on a CPU. Narrower models gain nothing, and keep float32."""


def cpu_bfloat16(model: str | Path) -> bool:
    """Returns whether to calculate in bfloat16 on this machine's CPU, with this model.

    SmolLM2-135M generates and trains about twice as fast then (`docs/real_models.md`). With a GPU
    it is False: there the choice is not the CPU's.
    """
    return not torch.cuda.is_available() and cpu_has_bfloat16() and hidden_size(model) >= WIDTH


def cpu_has_bfloat16() -> bool:
    """Returns whether the CPU has instructions for bfloat16 (AVX512-BF16 or AMX)."""
    # Older versions of torch cannot tell.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def hidden_size(model: str | Path) -> int:
    """Returns a model's hidden size; 0 if its configuration does not say."""
    config = AutoConfig.from_pretrained(model_path(model))
    return int(getattr(config.get_text_config(), "hidden_size", 0))
