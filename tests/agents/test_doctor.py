"""`srenv doctor` and its check that engines load new weights."""

import subprocess
import sys

import pytest
import torch

from agents.doctor import DoctorConfig, doctor, sync_check
from agents.engines import TransformersEngine
from agents.engines.canary import TOLERANCE, disagreement


@pytest.fixture
def engine(untrained):
    return TransformersEngine.load(untrained)


def test_new_weights_close_the_gap_to_the_model(engine, untrained):
    before, after = sync_check(engine, untrained)
    assert after < 1e-5 < TOLERANCE < before


def test_the_check_puts_the_old_weights_back(engine, untrained):
    sync_check(engine, untrained)
    assert disagreement(engine, TransformersEngine.load(untrained).model) < 1e-5


def test_an_engine_that_ignores_new_weights_keeps_the_gap(engine, untrained, monkeypatch):
    monkeypatch.setattr(engine, "load_weights", lambda weights: None)
    assert min(sync_check(engine, untrained)) > TOLERANCE


def test_the_doctor_fails_when_an_engine_ignores_new_weights(untrained, monkeypatch):
    monkeypatch.setattr(TransformersEngine, "load_weights", lambda self, weights: None)
    with pytest.raises(RuntimeError, match="transformers did not load the new weights"):
        doctor(DoctorConfig(untrained))


def test_the_doctor_says_which_engines_are_not_loaded(untrained, monkeypatch, capsys):
    monkeypatch.setattr("agents.engines.vllm.importlib.util.find_spec", lambda name: None)
    doctor(DoctorConfig(untrained))
    rows = {
        " ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.split("\n")
    }
    assert {"engine, server behind --base-url", "engine, vllm not installed"} <= rows


def test_the_command_prints_versions_and_threads():
    command = [sys.executable, "-m", "srenv", "doctor"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert torch.__version__ in result.stdout
    assert "weight sync ok" in result.stdout
    assert "by OMP_NUM_THREADS" in result.stdout
