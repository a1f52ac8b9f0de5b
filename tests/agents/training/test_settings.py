"""Settings that trainers have in common."""

import pytest

from agents.training.dpo import PreferenceConfig
from agents.training.settings import last_checkpoint, supervised_settings, supervised_steps
from agents.training.sft import SftConfig


def test_the_number_of_steps_is_that_of_the_passes():
    assert supervised_steps(PreferenceConfig(epochs=4, batch_size=4), 8) == 8


@pytest.mark.parametrize("config", [PreferenceConfig, SftConfig])
def test_a_part_of_a_pass_is_rounded_up(config):
    assert supervised_steps(config(batch_size=32, epochs=1.5), 68) == 5


def test_there_is_at_least_one_step():
    assert supervised_steps(SftConfig(epochs=0.1), 1) == 1


def test_a_batch_is_divided_among_the_processes(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    settings = supervised_settings(SftConfig(batch_size=32), "sft", tmp_path, 0)
    assert settings["per_device_train_batch_size"] == 16


def test_a_batch_that_processes_cannot_divide_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="sft batch_size = 32 is not a multiple of 3 processes"):
        supervised_settings(SftConfig(batch_size=32), "sft", tmp_path, 0)


def test_the_last_checkpoint_is_the_newest_complete_one(tmp_path):
    for step in (9, 20, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (9, 20):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-20")


def test_a_folder_without_checkpoints_has_no_last_one(tmp_path):
    assert last_checkpoint(tmp_path) is None
