"""A KV cache that leaves room for tokens to come, so that a new one does not copy all before it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens that a buffer has room for when it is made, in addition to those that it is made for."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """transformers' layer of a growing cache, with spare columns in its tensors.

    Without them every generated token copies the keys and values of the whole batch, which takes
    more time than the model itself if that is small.
    """

    keys: Any
    values: Any
    _buffers: tuple[torch.Tensor, ...] = ()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Adds tokens to the cache.

        Args:
            key_states: Their keys, shape (batch, heads, new tokens, head size).
            value_states: Their values, of the same shape.

        Returns:
            All keys and all values, shape (batch, heads, tokens, head size).
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        new = (key_states, value_states)
        length, width = self.get_seq_length(), key_states.shape[-2]
        if not self._has_room(length + width):
            self._buffers = tuple(self._widened(t, length + width + ROOM) for t in new)
            for buffer, old in zip(self._buffers, (self.keys, self.values), strict=True):
                if length:
                    buffer[..., :length, :] = old
        for buffer, states in zip(self._buffers, new, strict=True):
            buffer[..., length : length + width, :] = states
        self.keys, self.values = (b[..., : length + width, :] for b in self._buffers)
        return self.keys, self.values

    def _has_room(self, length: int) -> bool:
        """Whether keys and values are still the beginning of buffers with as many columns."""
        if not self._buffers or self._buffers[0].shape[-2] < length:
            return False
        views = zip((self.keys, self.values), self._buffers, strict=True)
        return all(v.data_ptr() == b.data_ptr() and len(v) == len(b) for v, b in views)

    @staticmethod
    def _widened(states: torch.Tensor, columns: int) -> torch.Tensor:
        return states.new_empty(*states.shape[:-2], columns, states.shape[-1])


def with_room(cache: DynamicCache) -> DynamicCache:
    """Returns the cache with roomy layers in place of plain ones; other kinds stay as they are."""
    layers: list[Any] = cache.layers
    for index, layer in enumerate(layers):
        if type(layer) is DynamicLayer:
            roomy = RoomyLayer()  # type: ignore[no-untyped-call]
            if layer.keys is not None and layer.values is not None:
                roomy.update(layer.keys, layer.values)
            layers[index] = roomy
    return cache
