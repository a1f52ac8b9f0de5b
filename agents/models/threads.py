"""Measures how many threads torch should use, because more can be slower."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from transformers import AutoConfig

from agents.models.paths import model_path

_ROWS = 64
"""Number of conversations in the batch whose decoding step is measured."""
_CLEARLY = 1.2
"""Speed-up that justifies more threads, which another program on their cores slows more."""


def choose_threads(model: str | Path) -> str:
    """Sets torch's threads to the number that is clearly fastest for a decoding step of a model.

    OMP_NUM_THREADS takes precedence.

    Args:
        model: Folder or hub id of the model; its width matters.

    Returns:
        The number and the reason, as a phrase.
    """
    cores = core_count()
    if os.environ.get("OMP_NUM_THREADS"):
        return f"{torch.get_num_threads()} of {cores}, by OMP_NUM_THREADS"
    if cores == 1:
        return "1 of 1"
    width = _width(model)
    seconds = {threads: step_seconds(threads, width) for threads in sorted({1, 2, cores})}
    fastest = min(seconds.values())
    best = min(threads for threads, s in seconds.items() if s <= _CLEARLY * fastest)
    torch.set_num_threads(best)
    figures = ", ".join(f"{1e3 * s:.2f} ms with {n}" for n, s in seconds.items())
    return f"{best} of {cores} ({figures}, for a step of {_ROWS} rows of width {width})"


def core_count() -> int:
    """Returns the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _width(model: str | Path) -> int:
    """Returns the model's hidden size; 1024, a small real one, if the model is not here yet."""
    try:
        config = AutoConfig.from_pretrained(model_path(model), local_files_only=True)
    except (OSError, ValueError):
        return 1024
    return int(getattr(config, "hidden_size", 1024))


@torch.no_grad()
def step_seconds(threads: int, width: int, limit: float = 0.3) -> float:
    """Returns the mean seconds of one pass through a feed-forward layer, most of a decoding step.

    The mean and not the median: on a busy machine, threads lose their time in a few long waits.

    Args:
        threads: Number of threads, which stays set.
        width: Hidden size.
        limit: Seconds that the measurement may take.
    """
    torch.set_num_threads(threads)
    rows, weights = torch.randn(_ROWS, width), torch.randn(width, 4 * width)
    passes, began = -2, time.perf_counter()  # the first two warm up
    while passes < 3 or (time.perf_counter() - began < limit and passes < 500):
        if passes == 0:
            began = time.perf_counter()
        torch.nn.functional.gelu(rows @ weights) @ weights.T
        passes += 1
    return (time.perf_counter() - began) / passes
