"""The choice of torch's threads."""

import pytest
import torch

import agents.models.threads
from agents.models.threads import choose_threads, step_seconds


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(agents.models.threads, "core_count", lambda: 4)


@pytest.mark.parametrize(("one", "best"), [(0.02, 2), (0.0115, 1)])
def test_the_clearly_fastest_number_is_set_and_reported(
    four_cores, monkeypatch, untrained, one, best
):
    seconds = {1: one, 2: 0.01, 4: 0.3}
    monkeypatch.setattr(
        agents.models.threads, "step_seconds", lambda threads, width: seconds[threads]
    )
    reason = choose_threads(untrained)
    assert torch.get_num_threads() == best
    assert f"{best} of 4" in reason
    assert "300.00 ms with 4" in reason


def test_steps_are_measured_at_the_width_of_the_model(four_cores, monkeypatch, untrained):
    widths = []

    def seconds(threads, width):
        widths.append(width)
        return 1.0

    monkeypatch.setattr(agents.models.threads, "step_seconds", seconds)
    choose_threads(untrained)
    assert widths == [32, 32, 32]


def test_the_environment_variable_takes_precedence(untrained, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_threads(untrained).endswith("by OMP_NUM_THREADS")


def test_a_step_is_measured_in_seconds():
    assert 1e-6 < step_seconds(1, 64, limit=0.01) < 1
