"""bfloat16 on a CPU: only with the instructions for it, and only for wide models."""

import pytest
import torch

from agents.engines import TransformersEngine
from agents.models import precision
from agents.models.precision import cpu_bfloat16, cpu_has_bfloat16, hidden_size
from agents.training.settings import common_settings


@pytest.mark.parametrize(
    ("has", "width", "gpu", "expected"),
    [
        (True, 576, False, True),
        (True, 128, False, False),
        (False, 576, False, False),
        (True, 576, True, False),
    ],
)
def test_bfloat16_is_for_wide_models_on_cpus_that_have_it(has, width, gpu, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: has)
    monkeypatch.setattr(precision, "hidden_size", lambda model: width)
    assert cpu_bfloat16("a model") is expected


def test_the_instructions_are_read_from_torch(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert cpu_has_bfloat16()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not cpu_has_bfloat16()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not cpu_has_bfloat16()


def test_the_engine_and_the_trainers_follow(untrained, monkeypatch, tmp_path):
    assert hidden_size(untrained) == 32
    for threshold, dtype in ((33, torch.float32), (32, torch.bfloat16)):
        monkeypatch.setattr(precision, "WIDTH", threshold)
        monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
        assert TransformersEngine.load(untrained).model.dtype == dtype
    assert not common_settings(tmp_path, 1, 0)["bf16"]
    assert common_settings(tmp_path, 1, 0, bfloat16=True)["bf16"]
