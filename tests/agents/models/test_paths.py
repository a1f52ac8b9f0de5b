"""Names of models."""

from pathlib import Path

import pytest

from agents.models.paths import BUNDLED, model_path


def test_bundled_models_are_folders_with_weights():
    for name in BUNDLED:
        assert (Path(model_path(name)) / "model.safetensors").is_file()


def test_a_misspelled_name_is_refused_with_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"no model 'tinyy'\. Did you mean 'tiny'"):
        model_path("tinyy")


def test_a_path_without_a_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model_path(tmp_path / "none")


@pytest.mark.parametrize("name", ["gpt2", "tiny-1", "Qwen/Qwen2.5-0.5B"])
def test_other_names_are_left_to_the_hub(name):
    assert model_path(name) == name


def test_a_folder_may_have_any_name(tmp_path, monkeypatch):
    (tmp_path / "tinyy").mkdir()
    monkeypatch.chdir(tmp_path)
    assert model_path("tinyy") == "tinyy"
