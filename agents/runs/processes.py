"""Which process this is, where torchrun or accelerate started several."""

from __future__ import annotations

import os


def process_count() -> int:
    """Number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process is the one that plays, writes and prints what is needed once."""
    return int(os.environ.get("RANK", "0")) == 0


def per_process(batch_size: int, what: str) -> int:
    """This process's part of a batch that all processes share.

    Raises:
        ValueError: The batch cannot be divided evenly.
    """
    if batch_size % process_count():
        raise ValueError(
            f"{what} batch_size = {batch_size} is not a multiple of {process_count()} processes"
        )
    return batch_size // process_count()
