"""Pair-SFT: wrong attempts followed by right ones that were sampled apart."""

import json
import random

import pytest

from agents.recipes.baselines import pair_sft
from agents.recipes.baselines.pair_sft import PairSftConfig
from agents.training.sft import SftConfig, whole_turns
from tests.support.episodes import answered_episode
from tests.support.recipes import SOLVING

# The right answer is 1.
GROUP = [answered_episode(answer, max_attempts=1) for answer in (2, 1, 2, 3, "01")]


def pairs_of(group, **options):
    return pair_sft.paired(group, random.Random(0), **options)


def test_every_wrong_attempt_is_paired_with_a_right_one():
    pairs = pairs_of(GROUP, keep_right=False)
    assert [d.episode.turns[0].answer for d in pairs] == ["2", "3"]
    assert all(d.episode.turns[1].correct for d in pairs)


def test_the_right_attempt_alone_is_learned():
    assert all(d.targets == whole_turns(1) for d in pairs_of(GROUP, keep_right=False))


def test_right_attempts_can_be_paired_as_well():
    assert len(pairs_of(GROUP, keep_right=True)) == 4


def test_a_group_without_a_right_attempt_gives_no_pair():
    assert pairs_of(GROUP[:1], keep_right=True) == []


@pytest.mark.slow
def test_it_runs_through(tmp_path):
    config = PairSftConfig(
        output=tmp_path, sampled=20, samples=6, keep_right=True, sft=SftConfig(epochs=1), **SOLVING
    )
    rows = pair_sft.train(config)
    assert list(rows)[-1] == "after SFT"
    assert rows["after SFT"]["turns"].value == 2
    kinds = json.loads((tmp_path / "pairs" / "done.json").read_text())["demonstrations"]
    assert set(kinds) <= {"wrong, right", "right, right"}
