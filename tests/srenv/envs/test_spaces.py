"""Text and chat spaces: what they contain, samples, copies, and JSON."""

import copy
import json
import pickle

import numpy as np
import pytest

from srenv.envs.spaces import Chat, UnicodeText


def test_contains_refuses_what_cannot_be_sent_in_constant_time():
    space = UnicodeText(100)
    assert "" in space
    assert "x" * 100 in space
    assert "x" * 101 not in space
    assert "a\ud800" not in space
    chat = Chat(2, 10)
    hello = {"role": "user", "content": "hello"}
    assert (hello, hello) in chat
    assert [hello] in chat
    assert (hello,) * 3 not in chat
    assert ({"role": "user", "content": "x" * 11},) not in chat
    for bad in ({"role": "robot", "content": ""}, {"role": "user"}, {**hello, "name": "x"}):
        assert (bad,) not in chat
    assert ({"role": "user", "content": "\ud800"},) not in chat


@pytest.mark.parametrize("space", [UnicodeText(50), Chat(3, 60)])
def test_spaces_survive_copies_json_and_seeds(space):
    space.seed(3)
    drawn = [space.sample() for _ in range(20)]
    space.seed(3)
    assert [space.sample() for _ in range(20)] == drawn
    assert all(x in space for x in drawn)
    assert pickle.loads(pickle.dumps(space)) == copy.deepcopy(space) == space
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(drawn)))) == drawn


def test_masks_keep_gymnasiums_meaning():
    space = UnicodeText(10, seed=0)
    mask = (4, np.array([c == "7" for c in space.character_list], dtype=np.int8))
    assert space.sample(mask=mask) == "7777"
