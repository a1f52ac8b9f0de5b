"""`srenv doctor`, its check of the weight sync, and the choice of threads."""

import subprocess
import sys

import pytest
import torch

import agents.models.threads
from agents.doctor import DoctorConfig, doctor, sync_check
from agents.engines import TransformersEngine
from agents.engines.canary import TOLERANCE, disagreement
from agents.models.threads import choose_threads


@pytest.fixture
def engine(untrained):
    return TransformersEngine.load(untrained)


def test_a_sync_that_works_is_told_from_one_that_does_not(engine, untrained):
    before, after = sync_check(engine, untrained)
    assert after < 1e-5 < TOLERANCE < before
    assert disagreement(engine, TransformersEngine.load(untrained).model) < 1e-5  # put back

    class Deaf(TransformersEngine):
        def load_weights(self, weights):
            pass

    before, after = sync_check(Deaf(engine.model, engine.chat.tokenizer), untrained)
    assert min(before, after) > TOLERANCE


def test_the_doctor_fails_when_an_engine_does(untrained, monkeypatch):
    monkeypatch.setattr(TransformersEngine, "load_weights", lambda self, weights: None)
    monkeypatch.setattr(agents.doctor, "_engines", lambda: {"deaf": TransformersEngine.load})
    with pytest.raises(RuntimeError, match="deaf did not take new weights"):
        doctor(DoctorConfig(untrained))


def test_the_command_prints_versions_and_threads():
    command = [sys.executable, "-m", "srenv", "doctor"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert torch.__version__ in result.stdout
    assert "weight sync" in result.stdout
    assert "by OMP_NUM_THREADS" in result.stdout


@pytest.mark.parametrize(("alone", "taken"), [(0.02, 2), (0.016, 1)])
def test_the_clearly_fastest_number_of_threads_is_taken_and_named(
    monkeypatch, untrained, alone, taken
):
    threads = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(agents.models.threads, "_cores", lambda: 4)
    widths = []

    def measure(count, width):
        widths.append(width)
        return {1: alone, 2: 0.01, 4: 0.3}[count]

    monkeypatch.setattr(agents.models.threads, "_measure", measure)
    try:
        said = choose_threads(untrained)
        assert torch.get_num_threads() == taken
        assert f"{taken} of 4" in said
        assert "300.00 ms with 4" in said
        assert widths == [32, 32, 32]
    finally:
        torch.set_num_threads(threads)


def test_the_measurement_itself_leaves_no_doubt_about_its_unit():
    threads = torch.get_num_threads()
    try:
        assert 1e-6 < agents.models.threads._measure(1, 64, limit=0.01) < 1
    finally:
        torch.set_num_threads(threads)
