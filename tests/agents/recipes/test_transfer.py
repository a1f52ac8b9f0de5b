"""Rows on other problems than those trained on."""

import json

import pytest

import srenv
from agents.recipes import score
from agents.recipes.base import BASE, TRANSFER
from agents.recipes.score import ScoreConfig
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.commands.readings import find_reading

STEP = PolicyGradientConfig(steps=1, problems_per_step=2, group_size=2, micro_batch=4, kl=0.01)


@pytest.mark.slow
def test_base_and_result_are_measured_on_the_other_source(tmp_path):
    config = ScoreConfig(
        transfer="synthetic:arithmetic",
        eval_n=4,
        stage1=STEP,
        stage2=STEP,
        output=tmp_path,
        report_to="none",
    )
    rows = score.train(config)
    result = json.loads((tmp_path / "summary.json").read_text())["result"]
    assert {f"{title}, {TRANSFER}" for title in (BASE, result)} < set(rows)
    other = find_reading(f"{tmp_path}:{result}, {TRANSFER}").problems()
    expected = srenv.load_problems("synthetic:arithmetic", "eval").take(4, seed=0)
    assert other == [problem.id for problem in expected]
    assert find_reading(str(tmp_path)).problems() != other
    played = {path.stem for path in tmp_path.glob("episodes_*_transfer.jsonl")}
    assert played == {"episodes_base_transfer", "episodes_stage2_transfer"}


def test_an_unknown_source_is_refused_before_anything_is_written(tmp_path):
    config = ScoreConfig(transfer="synthetic:nothing", output=tmp_path / "run", report_to="none")
    with pytest.raises(ValueError, match="unknown synthetic family 'nothing'"):
        score.train(config)
    assert not (tmp_path / "run").exists()
