"""Plain policy gradient, on one turn or on several."""

import json
from dataclasses import replace

import pytest

from agents.recipes.baselines import plain_rl
from agents.recipes.baselines.plain_rl import PlainRlConfig
from tests.support.recipes import FEW_STEPS, SHORT

pytestmark = pytest.mark.slow


def test_a_resumed_run_has_spent_the_same_tokens(untrained, tmp_path):
    config = PlainRlConfig(untrained, output=tmp_path / "run", pg=FEW_STEPS, **SHORT)
    plain_rl.train(config)
    summary = tmp_path / "run" / "summary.json"
    spent = json.loads(summary.read_text())["spent"]
    # 2 steps, 8 episodes, 2 attempts; an untrained model mostly writes to the limit, 6 tokens.
    assert 160 <= spent["generated"] <= 2 * 8 * 2 * 6
    assert spent["trained"] > spent["generated"]
    for stage in ("rl", "evaluate_rl"):
        (tmp_path / "run" / stage / "done.json").unlink()
    newest = tmp_path / "run" / "rl" / "checkpoint-2"
    newest.rename(newest.with_name("gone"))
    plain_rl.train(replace(config, resume=True))
    assert json.loads(summary.read_text())["spent"] == spent


def test_with_one_attempt_it_trains_and_answers_in_one_turn(untrained, tmp_path):
    config = PlainRlConfig(
        untrained, output=tmp_path / "run", max_attempts=1, pg=FEW_STEPS, **SHORT
    )
    row = plain_rl.train(config)["after RL"]
    assert row["turns"].value == 1
    assert row["delta"].value == 0
    spent = json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]
    assert spent["generated"] <= 2 * 8 * 6
