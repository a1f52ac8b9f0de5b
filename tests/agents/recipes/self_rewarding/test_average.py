"""The average of warm-up and trained model as a stage of the recipe."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from agents.recipes.self_rewarding import recipe as self_rewarding
from agents.recipes.self_rewarding.recipe import AVERAGED, TRAINED, WARM, SelfRewardingConfig


@pytest.fixture
def rows(untrained, tmp_path, monkeypatch):
    """The models that are evaluated, by row; stages do nothing but name their models."""
    warm, trained = tmp_path / "warm", tmp_path / "trained"
    for folder in (warm, trained):
        shutil.copytree(untrained, folder)
    path = trained / "model.safetensors"
    tensors = {name: tensor + 1 for name, tensor in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})
    rows = {}
    stubs = {
        "collect": lambda self, *rest: Path("data"),
        "imitate": lambda self, *rest: warm,
        "reinforce": lambda self, *rest: trained,
        "evaluate": lambda self, title, model, *rest, **named: rows.update({title: model}),
        "majority": lambda self, result: None,
        "report": lambda self, result: {"result": result},
    }
    for name, stub in stubs.items():
        monkeypatch.setattr(self_rewarding.SelfRewarding, name, stub)
    return rows


def test_the_average_is_evaluated_after_the_trained_model(rows, tmp_path):
    config = SelfRewardingConfig(output=tmp_path / "run", average=0.75, report_to="none")
    assert self_rewarding.train(config) == {"result": TRAINED}
    assert list(rows)[-3:] == [WARM, TRAINED, AVERAGED]
    warm, mean = (load_file(rows[row] / "model.safetensors") for row in (WARM, AVERAGED))
    assert all(torch.allclose(mean[name], t + 0.75, atol=1e-5) for name, t in warm.items())


def test_a_share_of_0_averages_nothing(rows, tmp_path):
    self_rewarding.train(
        SelfRewardingConfig(output=tmp_path / "run", average=0.0, report_to="none")
    )
    assert AVERAGED not in rows


def test_a_share_of_1_is_refused(tmp_path):
    config = SelfRewardingConfig(output=tmp_path / "run", average=1.0, report_to="none")
    with pytest.raises(ValueError, match="average is a share"):
        self_rewarding.train(config)
