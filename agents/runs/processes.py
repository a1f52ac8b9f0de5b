"""The rank of this process among those that torchrun or accelerate started."""

from __future__ import annotations

import os


def process_count() -> int:
    """Returns the number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Returns whether this process does the work that is done once: playing, writing, printing."""
    return int(os.environ.get("RANK", "0")) == 0


def per_process(batch_size: int, what: str) -> int:
    """Returns this process's share of a batch that all processes divide.

    Raises:
        ValueError: The batch cannot be divided evenly.
    """
    if batch_size % process_count():
        raise ValueError(
            f"{what} batch_size = {batch_size} is not a multiple of {process_count()} processes"
        )
    return batch_size // process_count()
