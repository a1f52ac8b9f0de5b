"""The recipe of process-based self-rewarding, end to end."""

import json

import pytest

from agents.recipes.process import recipe as process
from agents.recipes.process.recipe import ProcessConfig
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig


def test_unknown_problems_and_a_width_of_one_are_refused(tmp_path):
    for changes in ({"problems": "synthetic:factor"}, {"width": 1}):
        with pytest.raises(ValueError, match=r"exact solver|width"):
            process.train(ProcessConfig(output=tmp_path, **changes))


@pytest.mark.slow
def test_recipe_runs_through(tmp_path):
    config = ProcessConfig(
        output=tmp_path, reasoning=48, judging=24, iterations=1, sampled=4, width=2, levels=2,
        both_orders=False, sft=SftConfig(epochs=2, batch_size=8, learning_rate=1e-3), eval_n=4,
        pg=PolicyGradientConfig(steps=1, problems_per_step=1, group_size=4, micro_batch=4),
        report_to="none",
    )  # fmt: skip
    rows = [f"{model}{how}" for model in ("M1", "M1-PG", "M2") for how in ("", ", step search")]
    assert list(process.train(config))[-6:] == rows
    rewarded = json.loads((tmp_path / "policy_gradient" / "done.json").read_text())
    assert rewarded["generated"] > 0
    done = json.loads((tmp_path / "m2_pairs" / "done.json").read_text())
    assert done["pairs"] > 0
    judged = json.loads((tmp_path / "evaluate_m2_judge" / "done.json").read_text())
    assert 0 <= judged["accuracy"] <= 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["spent"]["trained"] > summary["spent"]["generated"] > 0
