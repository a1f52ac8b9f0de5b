"""How many threads torch should use: measured, because more can be ten times slower."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from transformers import AutoConfig

from agents.models.paths import model_path

_ROWS = 64
"""Conversations in the batch whose decoding step is measured."""
_CLEARLY = 1.75
"""How many times faster more threads have to be. They wait for each other, so that they lose far
more than one thread does when another program wants a core later on."""


def choose_threads(model: str | Path) -> str:
    """Sets torch's threads to what is clearly fastest for a decoding step of a model of this width.

    A choice that was made by OMP_NUM_THREADS stands.

    Returns:
        What was chosen, and why.
    """
    cores = _cores()
    if os.environ.get("OMP_NUM_THREADS"):
        return f"{torch.get_num_threads()} of {cores}, by OMP_NUM_THREADS"
    if cores == 1:
        return "1 of 1"
    width = _width(model)
    seconds = {threads: _measure(threads, width) for threads in sorted({1, 2, cores})}
    fastest = min(seconds.values())
    best = min(threads for threads, s in seconds.items() if s <= _CLEARLY * fastest)
    torch.set_num_threads(best)
    figures = ", ".join(f"{1e3 * s:.2f} ms with {n}" for n, s in seconds.items())
    return f"{best} of {cores} ({figures}, for a step of {_ROWS} rows of width {width})"


def _cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _width(model: str | Path) -> int:
    """The model's hidden size; of a model that is not at hand yet, that of a small real one."""
    try:
        config = AutoConfig.from_pretrained(model_path(model), local_files_only=True)
    except (OSError, ValueError):
        return 1024
    return int(getattr(config, "hidden_size", 1024))


@torch.no_grad()
def _measure(threads: int, width: int, limit: float = 0.3) -> float:
    """Mean seconds of one pass through a feed-forward layer, the bulk of a decoding step.

    The mean and not the median: what threads lose on a busy machine, they lose in a few long waits.
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
