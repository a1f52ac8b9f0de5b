"""The benchmark of a real model, from end to end at a toy size."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.recipes.base import MAJORITY, REVISED, TAUGHT, UNTAUGHT
from agents.recipes.score import ScoreConfig
from agents.recipes.self_rewarding.recipe import TRAINED, WARM, SelfRewardingConfig
from agents.recipes.self_rewarding.rejection import RejectionConfig
from agents.training.sft import SftConfig
from tests.support.recipes import FEW_STEPS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import real_model


def test_the_presets_share_model_problems_and_cold_start():
    config = real_model.Config()
    for name in ("model", "problems", "cold_start", "cold_sft"):
        assert getattr(config.recipe, name) == getattr(config.score, name)
    assert config.eval_n >= 300


@pytest.mark.slow
def test_a_toy_run_writes_everything_and_resumes(tmp_path):
    pg = replace(FEW_STEPS, learning_rate=1e-6, max_new_tokens=64)
    config = real_model.Config(
        eval_n=12,
        shown=3,
        runs=tmp_path / "runs",
        output=tmp_path / "results",
        recipe=SelfRewardingConfig(
            cold_start=4,
            cold_sft=SftConfig(learning_rate=1e-6, epochs=1),
            rejection=RejectionConfig(problems=60),
            sft=SftConfig(epochs=1),
            pg=replace(pg, eval_every=1, eval_problems=3),
        ),
        score=ScoreConfig(stage1=pg, stage2=pg),
    )
    real_model.main(config)
    page = (tmp_path / "results" / "real_model.md").read_text()
    titles = page.splitlines()[4].strip("| ").split(" | ")
    assert titles == [
        UNTAUGHT, TAUGHT, REVISED, MAJORITY, "base, Self-Refine", WARM, TRAINED,
        "SCoRe, after stage I", "SCoRe, after stage II",
    ]  # fmt: skip
    assert page.count("| yes |") + page.count("| NO |") == 4
    for stage in ("cold_start", "warmup", "policy_gradient", "stage2"):
        assert f"| {stage} |" in page
    shown = (tmp_path / "results" / "real_model_episodes.md").read_text()
    assert shown.count("Gold answer") == 3
    assert shown.count(f"**{TRAINED}: ") == shown.count(f"**{TAUGHT}: ") == 3
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {"real_model.png", "real_model_curve.png"} <= names

    stages = sorted((tmp_path / "runs").glob("*/*/done.json"))
    times = [path.stat().st_mtime_ns for path in stages]
    real_model.main(config)
    assert [path.stat().st_mtime_ns for path in stages] == times
    assert (tmp_path / "results" / "real_model.md").read_text() == page
