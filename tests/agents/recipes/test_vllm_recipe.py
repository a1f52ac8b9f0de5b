"""A recipe whose stages all play with the real vLLM; skipped where vLLM is not installed."""

import json

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed; .ci/vllm runs these tests")

from agents.engines import TransformersEngine
from agents.engines.vllm import VLLMEngine
from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.score import ScoreConfig, train
from agents.training.policy_gradient import PolicyGradientConfig

pytestmark = pytest.mark.slow


def test_every_stage_plays_with_vllm_and_its_engine_is_closed(tmp_path, monkeypatch):
    """Engines are loaded and closed next to that of the trainer, all in one process."""
    loaded = []
    load = VLLMEngine.load.__func__

    def spy(cls, *arguments):
        loaded.append(load(cls, *arguments))
        return loaded[-1]

    monkeypatch.setattr(VLLMEngine, "load", classmethod(spy))
    monkeypatch.setattr(TransformersEngine, "load", None)
    pg = PolicyGradientConfig(
        steps=1, problems_per_step=2, group_size=4, micro_batch=4, max_new_tokens=20,
        scale_roles=False, vllm_memory=0.2,
    )  # fmt: skip
    config = ScoreConfig(
        engine="vllm", output=tmp_path / "run", eval_n=6, max_new_tokens=30, report_to="none",
        stage1=pg, stage2=pg, offline=0.5,
    )  # fmt: skip
    metrics = train(config)
    assert list(metrics) == [BASE, REVISED, MAJORITY, "after stage I", "after stage II"]
    assert len(loaded) == 6  # five rows, and off-line first attempts
    assert all(engine.engine is None for engine in loaded)
    spent = json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]
    assert spent["generated"] > 0
