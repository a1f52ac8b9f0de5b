"""Which process this is, where torchrun or accelerate started several."""

from __future__ import annotations

import os


def process_count() -> int:
    """Number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process is the one that plays, writes and prints what is needed once."""
    return int(os.environ.get("RANK", "0")) == 0
