"""Randomness by hashing: neighboring seeds share nothing, and splits share no prompt."""

from __future__ import annotations

import hashlib
import random
from typing import Literal

Split = Literal["train", "eval"]
"""Problems to train on, and problems to measure on."""

EVAL_SHARE = 8
"""One prompt in this many belongs to the evaluation split."""


def hashed_seed(*parts: str | int) -> int:
    """Returns a 256-bit seed that depends on every part and on nothing else.

    Args:
        *parts: The purpose of the seed, such as a family, a split and an index. They are hashed
            rather than added, so that (seed 1, index 0) and (seed 0, index 1) are unrelated.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def hashed_rng(*parts: str | int) -> random.Random:
    """Returns a generator seeded with `hashed_seed(*parts)`."""
    return random.Random(hashed_seed(*parts))


def split_of(prompt: str) -> Split:
    """Returns the split that a prompt belongs to; one prompt never belongs to both."""
    return "eval" if hashed_seed("split", prompt) % EVAL_SHARE == 0 else "train"


def sampling_seed(seed: int, key: int, length: int) -> int:
    """Returns the seed of one request for a turn, in 31 bits as servers take it.

    Args:
        seed: That of the evaluation.
        key: Number of the episode.
        length: Length of the conversation so far, in what the engine counts.
    """
    return hashed_seed("sampling", seed, key, length) % 2**31
