"""A cache with room for tokens to come holds the same as the one of transformers."""

import pytest
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from agents.engines.roomy_cache import ROOM, RoomyLayer, with_room


def states(tokens, batch=2):
    return torch.randn(batch, 3, tokens, 4), torch.randn(batch, 3, tokens, 4)


def same(roomy, plain):
    return torch.equal(roomy.keys, plain.keys) and torch.equal(roomy.values, plain.values)


@pytest.mark.parametrize("first", [1, 5, ROOM])
def test_it_holds_what_the_plain_layer_holds(first):
    roomy, plain = RoomyLayer(), DynamicLayer()
    for tokens in (first, 1, 1, 2 * ROOM, 1):
        new = states(tokens)
        given, kept = roomy.update(*new), plain.update(*new)
        assert all(map(torch.equal, given, kept))
        assert roomy.get_seq_length() == plain.get_seq_length()


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.crop(-2),
        lambda layer: layer.reorder_cache(torch.tensor([1, 0])),
        lambda layer: layer.batch_repeat_interleave(2),
        lambda layer: layer.batch_select_indices(torch.tensor([1])),
        lambda layer: layer.batch_select_indices(slice(0, 1)),
        lambda layer: layer.reset(),
    ],
)
def test_it_can_be_changed_between_tokens(change):
    roomy, plain = RoomyLayer(), DynamicLayer()
    for layer_states in (states(6), states(1)):
        for layer in (roomy, plain):
            layer.update(*layer_states)
    change(roomy)
    change(plain)
    batch = 2 if plain.keys is None else len(plain.keys)
    new = states(1, batch)
    roomy.update(*new)
    plain.update(*new)
    assert same(roomy, plain)


def test_a_new_token_does_not_copy_the_old_ones():
    layer = RoomyLayer()
    layer.update(*states(5))
    before = layer.keys.data_ptr()
    for _ in range(ROOM):
        layer.update(*states(1))
    assert layer.keys.data_ptr() == before


def test_a_cache_keeps_its_contents_and_its_other_layers():
    cache = DynamicCache([states(4), states(4)])
    plain = [layer.keys.clone() for layer in cache.layers]
    other = type("Other", (DynamicLayer,), {})()
    cache.layers.append(other)
    roomy = with_room(cache)
    assert all(map(torch.equal, (layer.keys for layer in roomy.layers[:2]), plain))
    assert roomy.layers[2] is other
