"""Averages of checkpoints: the numbers, the folder, and refusals."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from agents.engines import Sampling, TransformersEngine
from agents.models.averaging import average


@pytest.fixture
def two(untrained, tmp_path):
    """The same model twice; every weight of the second is greater by one."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        shutil.copytree(untrained, folder)
    change(folders[1], lambda name, tensor: tensor + 1)
    return folders


def change(folder, how):
    path = folder / "model.safetensors"
    tensors = {name: how(name, tensor) for name, tensor in load_file(path).items()}
    save_file({k: v for k, v in tensors.items() if v is not None}, path, {"format": "pt"})


@pytest.mark.parametrize(("weights", "moved"), [(None, 0.5), ((3, 1), 0.25), ((0.3, 0.7), 0.7)])
def test_weights_are_averaged_by_their_shares(two, tmp_path, weights, moved):
    folder = average(two, tmp_path / "mean", weights)
    before, mean = (load_file(f / "model.safetensors") for f in (two[0], folder))
    assert mean.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.allclose(mean[name], tensor + moved, atol=1e-5)


def test_the_average_is_a_model_with_a_tokenizer(two, tmp_path):
    folder = average([two[0], two[0]], tmp_path / "mean")
    engines = [TransformersEngine.load(path) for path in (two[0], folder)]
    prompt = engines[0].chat.opening([{"role": "user", "content": "Solve 2x=6 for x."}])
    a, b = [e.generate([prompt], Sampling(0.0, max_new_tokens=6))[0] for e in engines]
    assert a.ids == b.ids
    assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


def test_only_files_of_the_model_are_copied(two, tmp_path):
    (two[0] / "training_args.bin").write_bytes(b"")
    folder = average(two, tmp_path / "mean")
    assert "training_args.bin" not in {path.name for path in folder.iterdir()}


def test_sums_are_formed_in_float32(two, tmp_path):
    for folder in two:
        change(folder, lambda name, tensor: torch.full_like(tensor, 1.0).bfloat16())
    change(two[1], lambda name, tensor: torch.full_like(tensor, 1.0078125))
    mean = load_file(average(two, tmp_path / "mean", (1, 999)) / "model.safetensors")
    assert {t.dtype for t in mean.values()} == {torch.bfloat16}
    assert all((t == 1.0078125).all() for t in mean.values())


def test_models_in_several_files_become_one_file(two, tmp_path):
    tensors = load_file(two[1] / "model.safetensors")
    (two[1] / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[:3], names[3:])):
        file = f"model-{number}.safetensors"
        save_file({name: tensors[name] for name in part}, two[1] / file)
        weight_map |= dict.fromkeys(part, file)
    (two[1] / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    for pair in (two, two[::-1]):
        folder = average(pair, tmp_path / pair[0].name / "mean")
        mean = load_file(folder / "model.safetensors")
        assert all(torch.allclose(mean[name], t - 0.5, atol=1e-5) for name, t in tensors.items())
        assert not (folder / "model.safetensors.index.json").exists()


def edit(path: Path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: change(f, lambda n, t: t[:, :-1].contiguous() if "mlp" in n else t), "shape"),
        (lambda f: change(f, lambda n, t: None if "q_proj.bias" in n else t), "only one of"),
        (lambda f: edit(f / "config.json", '"qwen2"', '"llama"'), "kind"),
        (lambda f: edit(f / "tokenizer.json", "Check: ", "Probe: "), "tokenizers .* differ: "),
    ],
)
def test_models_that_do_not_fit_are_refused(two, tmp_path, spoil, message):
    spoil(two[1])
    with pytest.raises(ValueError, match=message):
        average(two, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


@pytest.mark.parametrize(
    ("count", "weights"), [(2, (1,)), (2, (0, 1)), (2, (-1, 2)), (2, (float("inf"), 1)), (1, None)]
)
def test_weights_that_do_not_fit_are_refused(two, tmp_path, count, weights):
    with pytest.raises(ValueError, match=r"two models or more|positive"):
        average(two[:count], tmp_path / "mean", weights)


def test_a_folder_without_safetensors_is_refused(two, tmp_path):
    (two[1] / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors: an average needs"):
        average(two, tmp_path / "mean")
