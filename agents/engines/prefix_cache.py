"""A KV cache shared by prompts with a common prefix (transformers engine)."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from agents.engines.roomy_cache import RoomyLayer

Ids = tuple[int, ...]


class PrefixCache:
    """Keys and values of token sequences, looked up by the longest cached prefix.

    The next prompt of a conversation begins with its last prompt and the tokens generated there. A
    token's keys and values do not depend on later tokens, so any common prefix can be reused. A
    sequence that another one begins with is not stored twice; the least recently used sequences are
    evicted first.

    Args:
        limit: Maximum size, in bytes.

    Attributes:
        size: Current size, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        # Least recently used first, each of shape (2 * layers, heads, tokens, head size).
        self._states: OrderedDict[Ids, torch.Tensor] = OrderedDict()
        # In lexicographic order, where a sequence's neighbours share the longest prefixes with it.
        self._sorted: list[Ids] = []

    def clear(self) -> None:
        """Evicts everything."""
        self._states.clear()
        self._sorted.clear()
        self.size = 0

    def recall(self, prompts: Sequence[Ids]) -> DynamicCache | None:
        """Looks up `prompts`, for a batch in which they are padded on the left.

        Returns:
            A cache of the first columns of the batch, as many as are cached in every row; None if
            there are none.
        """
        prefixes = [self._longest(prompt) for prompt in prompts]
        unread = max(
            len(prompt) - known for prompt, (known, _) in zip(prompts, prefixes, strict=True)
        )
        columns = max(map(len, prompts)) - unread
        example = next((states for _, states in prefixes if states is not None), None)
        if columns == 0 or example is None:
            return None
        layers, heads, _, size = example.shape
        batch = example.new_zeros(layers, len(prompts), heads, columns, size)
        for row, (prompt, (_, states)) in enumerate(zip(prompts, prefixes, strict=True)):
            known = len(prompt) - unread
            if states is not None and known > 0:
                batch[:, row, :, columns - known :] = states[:, :, :known]
        return DynamicCache(list(zip(batch[0::2], batch[1::2], strict=True)))

    def keep(self, rows: Sequence[tuple[int, int, Ids]], cache: Any) -> None:
        """Stores a copy of the keys and values of a batch.

        Args:
            rows: Rows of the batch: the number of each, its first column and its ids.
            cache: A cache for which `is_plain` holds; it may lack the last ids.
        """
        columns = cache.get_seq_length()
        tensors = [t for layer in cache.layers for t in (layer.keys, layer.values)]
        for row, start, ids in rows:
            ids = ids[: columns - start]
            at = bisect_left(self._sorted, ids)
            if at < len(self._sorted) and self._sorted[at][: len(ids)] == ids:
                continue
            while at and self._sorted[at - 1] == ids[: len(self._sorted[at - 1])]:
                at -= 1
                self._drop(self._sorted[at])
            self._sorted.insert(at, ids)
            self._states[ids] = torch.stack([t[row, :, start : start + len(ids)] for t in tensors])
            self.size += self._states[ids].nbytes
            while self.size > self.limit:
                self._drop(next(iter(self._states)))

    def _longest(self, prompt: Ids) -> tuple[int, torch.Tensor | None]:
        """Returns length and states of the longest cached prefix, which never has the last id."""
        at = bisect_left(self._sorted, prompt)
        near = [(_common(ids, prompt), ids) for ids in self._sorted[max(at - 1, 0) : at + 1]]
        known, ids = max(near, default=(0, ()))
        if not known:
            return 0, None
        self._states.move_to_end(ids)
        return min(known, len(prompt) - 1), self._states[ids]

    def _drop(self, ids: Ids) -> None:
        self._sorted.pop(bisect_left(self._sorted, ids))
        self.size -= self._states.pop(ids).nbytes


def is_plain(cache: Any) -> bool:
    """Returns whether all layers keep all tokens: no sliding window, no recurrent state."""
    layers = getattr(cache, "layers", [])
    if not all(type(layer) in (DynamicLayer, RoomyLayer) for layer in layers):
        return False
    return len({(t.shape, t.device) for layer in layers for t in (layer.keys, layer.values)}) == 1


def _common(a: Ids, b: Ids) -> int:
    """Returns the length of the longest common prefix."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
